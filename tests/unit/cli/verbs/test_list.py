"""`list` where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


def test_without_a_home_the_list_is_empty_and_says_how_to_begin(somnus: Somnus, tmp_path: Path) -> None:
    person, program = somnus("list"), somnus("list", "--json")

    assert (person.status, program.status) == (0, 0)
    assert program.document == []
    assert f"No plugins in {tmp_path / '.somnus'} yet." in person.out
    assert "somnus install DIRECTORY" in person.out
    assert not (tmp_path / ".somnus").exists()


def test_a_home_that_was_named_and_is_none_is_an_error(somnus: Somnus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for named in ("file", "missing"):
        ended = somnus("list", "--home", named, "--json")
        assert (ended.status, ended.error["code"]) == (2, "unknown_plugin")
        assert f"there is no home at {tmp_path / named}" in ended.error["message"]
        assert somnus("--home", named, "list").status == 2
