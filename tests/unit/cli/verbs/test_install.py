"""`install`: sources that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


@pytest.mark.parametrize(
    "source", ["notes.somnus", "https://example.com/notes.somnus", "somnus/notes", "somnus/notes==1.0", "nowhere"]
)
def test_only_directories_are_sources(somnus: Somnus, tmp_path: Path, source: str) -> None:
    ended = somnus("install", source, "--json")

    assert ended.status == 2
    assert ended.error["code"] == "usage"
    assert "a plugin is installed from its directory" in ended.error["message"]
    assert not (tmp_path / ".somnus").exists()


def test_a_file_is_called_a_file(somnus: Somnus, tmp_path: Path) -> None:
    (tmp_path / "notes.somnus").write_bytes(b"PK")

    ended = somnus("install", "notes.somnus")

    assert ended.status == 2
    assert "found a file" in ended.err
