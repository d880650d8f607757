"""What counts as a save."""

from __future__ import annotations

from pathlib import Path

import pytest
from watchfiles import Change

from somnus_plugins.cli.rebuilding import SourceFilter


@pytest.mark.parametrize("name", ["pyproject.toml", "notes/__init__.py", "src/notes/page.html", "README.md", "b.json"])
def test_what_an_author_writes_is_a_save(tmp_path: Path, name: str) -> None:
    passes = SourceFilter(tmp_path / ".somnus")

    assert passes(Change.modified, str(tmp_path / name))
    assert passes(Change.deleted, str(tmp_path / name))


@pytest.mark.parametrize(
    "name",
    [
        "contributions.json",
        ".contributions.json.a1b2c3.tmp",
        "notes/__pycache__/x.cpython-311.pyc",
        ".git/index",
        ".venv/lib/x.py",
        ".pytest_cache/v",
        ".ruff_cache/x",
        "notes/.x.py.swp",
        "home/logs/local/notes.jsonl",
    ],
)
def test_what_tools_and_the_host_leave_is_none(tmp_path: Path, name: str) -> None:
    passes = SourceFilter(tmp_path / "home")

    assert not passes(Change.modified, str(tmp_path / name))
    assert not passes(Change.added, str(tmp_path / name))
