"""`create`: files, and what to do with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from somnus_plugins.templates import KINDS
from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


@pytest.mark.parametrize("kind", KINDS)
def test_each_type_that_has_a_template_is_written(somnus: Somnus, tmp_path: Path, kind: str) -> None:
    ended = somnus("create", "--name", "MyPlugin", "--type", kind, "--publisher", "me", "--json")

    written = {str(each.relative_to(tmp_path / "my-plugin")) for each in (tmp_path / "my-plugin").rglob("*.*")}
    assert ended.status == 0
    assert (ended.document["name"], ended.document["directory"]) == ("my-plugin", "my-plugin")
    assert written >= {each for each in ended.document["files"] if "." in Path(each).name}
    assert "pyproject.toml" in ended.document["files"]
    assert 'publisher = "me"' in (tmp_path / "my-plugin" / "pyproject.toml").read_text()


def test_a_person_is_told_what_comes_next(somnus: Somnus) -> None:
    ended = somnus("create", "--name", "MyPlugin", "--type", KINDS[0], "--dir", "a/b", "--minimal")

    assert ended.status == 0
    assert "my-plugin in a/b" in ended.out
    assert "  + pyproject.toml" in ended.out
    assert "→ somnus dev a/b" in ended.out


def test_what_is_to_be_pasted_is_quoted(somnus: Somnus) -> None:
    ended = somnus("create", "--name", "MyPlugin", "--type", KINDS[0], "--dir", "a b;c", "--minimal")

    assert ended.status == 0
    assert "→ somnus dev 'a b;c'" in ended.out
    assert "→ somnus check 'a b;c'" in ended.out


@pytest.mark.parametrize("name", ["", "9", "!", "api"])
def test_a_name_that_is_none_is_refused(somnus: Somnus, tmp_path: Path, name: str) -> None:
    ended = somnus("create", "--name", name, "--type", KINDS[0], "--json")

    assert (ended.status, ended.error["code"]) == (2, "usage")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_overwritten(somnus: Somnus, tmp_path: Path) -> None:
    (tmp_path / "my-plugin").mkdir()
    (tmp_path / "my-plugin" / "mine.txt").write_text("mine")

    ended = somnus("create", "--name", "MyPlugin", "--type", KINDS[0], "--json")

    assert (ended.status, ended.error["code"]) == (2, "usage")
    assert [each.name for each in (tmp_path / "my-plugin").iterdir()] == ["mine.txt"]


def test_name_and_type_are_asked_for(somnus: Somnus) -> None:
    no_type, no_name = somnus("create", "--name", "x", "--json"), somnus("create", "--type", KINDS[0], "--json")

    assert (no_type.status, no_name.status) == (2, 2)
    assert "--type" in no_type.error["message"]
    assert "--name" in no_name.error["message"]
