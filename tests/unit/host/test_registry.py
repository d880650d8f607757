"""What is installed: durable, whole, and one mount for one plugin."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins.errors import HomeCorrupt, NameTaken, UnknownPlugin
from somnus_plugins.host.registry import MAX_BYTES, Entry, Registry


def entry(name: str, **fields: Any) -> Entry:
    facts: dict[str, Any] = {"mount": name, "ring": "local", "directory": f"/plugins/{name}", "version": "1.0"}
    return Entry(id=f"local/{name}", **(facts | fields))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "registry.json"


def test_what_was_put_is_there_after_a_restart(file: Path) -> None:
    registry = Registry(file)
    registry.put(entry("b", config={"word": "é", "deep": [1, {"a": None}]}))
    registry.put(entry("a", enabled=False))

    again = Registry(file)
    assert [each.id for each in again.entries()] == ["local/a", "local/b"]
    assert again.entries() == registry.entries()
    assert again.require("local/b").config == {"word": "é", "deep": [1, {"a": None}]}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_home_without_a_registry_has_no_plugins(file: Path) -> None:
    assert Registry(file).entries() == []
    assert not file.exists()


def test_a_change_lets_the_generation_grow_and_is_durable(file: Path) -> None:
    registry = Registry(file)
    registry.put(entry("a"))

    changed = [registry.change("local/a", enabled=enabled).generation for enabled in (False, True, True)]

    assert changed == [2, 3, 4]
    assert Registry(file).require("local/a").generation == 4


def test_a_mount_is_never_taken_over(file: Path) -> None:
    registry = Registry(file)
    registry.put(entry("a", mount="here"))

    with pytest.raises(NameTaken, match="'here' belongs to local/a"):
        registry.put(entry("b", mount="here"))
    registry.put(entry("a", mount="here", version="2.0"))

    assert [each.version for each in Registry(file).entries()] == ["2.0"]
    registry.remove("local/a")
    registry.put(entry("b", mount="here"))
    assert registry.find("here") == registry.find("local/b") == registry.get("local/b")


def test_what_is_not_there_cannot_be_changed(file: Path) -> None:
    registry = Registry(file)

    for act in (registry.require, registry.remove, registry.change):
        with pytest.raises(UnknownPlugin, match="local/none is not installed"):
            act("local/none")
    assert registry.find("none") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00\xff\xfe",
        b'{"format": 2, "plugins": []}',
        b'{"format": 1, "plugins": [{"id": 5}]}',
        b'{"format": 1, "plugins": {}}',
        b'{"format":1,"plugins":[{"id":"a/b","mount":"b","ring":"moon","directory":"/","version":"1"}]}',
        b'{"format":1,"plugins":[{"id":"a/b","mount":"b","ring":"local","directory":"/","version":"1","config":{"a":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}]}",
        b'{"format": 1, "plugins": [{"id": "\xff"}]}',
    ],
)
def test_a_file_that_is_no_registry_is_said_to_be_none_and_left_alone(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(HomeCorrupt, match=r"registry\.json is not a registry") as raised:
        Registry(file)

    assert "backup" in raised.value.remedy
    assert file.read_bytes() == content


def test_a_file_that_cannot_be_read_or_is_too_large_is_no_registry(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large").open("wb") as large:
        large.truncate(MAX_BYTES + 1)

    for name in ("folder", "large"):
        with pytest.raises(HomeCorrupt):
            Registry(tmp_path / name)


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "home" / "registry.json"
    file.parent.mkdir()
    registry = Registry(file)
    registry.put(entry("a"))
    moved = tmp_path / "moved"
    file.parent.rename(moved)

    with pytest.raises(OSError, match="registry"):
        registry.put(entry("b"))

    assert [each.id for each in registry.entries()] == ["local/a"]
    moved.rename(file.parent)
    assert Registry(file).entries() == registry.entries()
    assert os.listdir(file.parent) == ["registry.json"]


def test_the_file_is_for_people_too(file: Path) -> None:
    registry = Registry(file)
    registry.put(entry("a"))

    text = file.read_text()
    assert text.endswith("}\n")
    assert json.loads(text)["plugins"][0]["id"] == "local/a"
