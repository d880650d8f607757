"""A home, and the command in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.cli.command import Command
from tests.acceptance.cli.plugins import write_plugin_directory


@pytest.fixture
def somnus(tmp_path: Path) -> Command:
    """The command with a home of its own."""
    return Command(tmp_path, tmp_path / "home")


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command with a home in which a greeter is installed; shared by tests that only look and call."""
    directory = tmp_path_factory.mktemp("greeter")
    write_plugin_directory(directory / "greeter")
    command = Command(directory, directory / "home")
    command.json("install", "greeter", "--yes")
    return command
