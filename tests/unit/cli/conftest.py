"""The command in this process, and homes that no host has touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins.cli import main
from tests.unit.cli.ending import Ending

TOOL = {
    "name": "search",
    "description": "Find notes by meaning.\nSlowly.",
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}},
}


@pytest.fixture
def somnus(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ending]:
    """Run the command in an empty directory and without a home of the surroundings."""
    monkeypatch.chdir(tmp_path)
    for name in ("SOMNUS_HOME", "SOMNUS_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> Ending:
        status = main(words)
        written = capsys.readouterr()
        return Ending(status, written.out, written.err)

    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one installed plugin, as files."""
    directory = tmp_path / "notes"
    write(directory / "contributions.json", {"tools": [TOOL], "config_schema": {"properties": {"folder": {}}}})
    entry = {"id": "somnus/notes", "mount": "n", "ring": "local", "directory": str(directory), "version": "1.2"}
    write(tmp_path / "home" / "registry.json", {"format": 1, "plugins": [entry]})
    return tmp_path / "home"


def write(file: Path, document: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")
