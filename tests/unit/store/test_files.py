"""Whole files: the old content or the new, whatever happens in between."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from somnus_plugins.store.files import make_directory, replace_file, sync_directory
from tests.support.plugins import VERIFY
from tests.support.processes import Script
from tests.support.waiting import eventually_now

ROUNDS = 500 if VERIFY else 5

WRITER = """
from pathlib import Path
from somnus_plugins.store.files import replace_file
file, first = Path(arguments[0]), arguments[1]
say("ready")
number = first
while True:
    number += 1
    replace_file(file, b"%08d" % number * 40_000)
    if number == first + 1:
        say("written")
"""


def test_the_content_is_replaced_and_the_rights_are_narrow(tmp_path: Path) -> None:
    file = tmp_path / "a"
    replace_file(file, b"one")
    replace_file(file, b"two", mode=0o644)

    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["a"]


def test_a_writer_that_is_killed_leaves_old_or_new_and_no_growing_heap(tmp_path: Path) -> None:
    file = tmp_path / "a"
    written = 0
    for _ in range(ROUNDS):
        with Script(WRITER, str(file), written) as script:
            assert [script.hear(), script.hear()] == ["ready", "written"]
            turns = iter(range(random.randrange(12)))
            eventually_now(lambda turns=turns: next(turns, None) is None)
            script.process.kill()
            script.process.wait()
        content = file.read_bytes()
        assert content == content[:8] * 40_000
        assert int(content[:8]) > written
        written = int(content[:8])
        assert len(os.listdir(tmp_path)) <= 2

    replace_file(file, b"last")
    assert os.listdir(tmp_path) == ["a"]


def test_what_is_being_written_by_a_living_process_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / f".a.{os.getpid()}-0a1b.tmp"
    dead = tmp_path / ".a.4194999-0a1b.tmp"
    strange = tmp_path / ".a.x-y.tmp"
    for each in (mine, dead, strange):
        each.write_bytes(b"")

    replace_file(tmp_path / "a", b"")

    assert mine.exists()
    assert strange.exists()
    assert not dead.exists()


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "inside").write_bytes(b"kept")

    with pytest.raises(OSError, match="folder"):
        replace_file(target, b"new")

    assert (target / "inside").read_bytes() == b"kept"
    assert os.listdir(tmp_path) == ["folder"]


def test_a_link_in_place_of_the_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (tmp_path / "a").symlink_to(elsewhere)

    replace_file(tmp_path / "a", b"new")

    assert elsewhere.read_bytes() == b"precious"
    assert not (tmp_path / "a").is_symlink()


def test_directories_are_made_with_their_parents_for_their_owner_only(tmp_path: Path) -> None:
    deep = make_directory(tmp_path / "a" / "b" / "c")
    (deep / "kept").touch()

    assert make_directory(deep) == deep
    assert (deep / "kept").exists()
    assert {each.stat().st_mode & 0o777 for each in (deep, deep.parent, tmp_path / "a")} == {0o700}
    sync_directory(deep)
