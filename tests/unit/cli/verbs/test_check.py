"""`check --static`: what a person and a program read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.acceptance.cli.plugins import write_plugin_directory
from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


def test_warnings_come_with_a_remedy_and_do_not_fail(somnus: Somnus, tmp_path: Path) -> None:
    write_plugin_directory(tmp_path / "greeter")

    ended = somnus("check", "greeter", "--static")

    lines = ended.out.splitlines()
    assert ended.status == 0
    assert lines[0].startswith("warning pyproject.toml: ")
    assert lines[1].startswith("  → ")
    assert lines[-1].startswith("local/greeter 0.1.0 ok  0 errors, ")
    assert lines[-1].endswith(", not started")


def test_an_error_ends_with_one_for_people_and_programs(somnus: Somnus, tmp_path: Path) -> None:
    manifest = write_plugin_directory(tmp_path / "greeter") / "pyproject.toml"
    manifest.write_text("[project\n")

    person, program = somnus("check", "greeter", "--static"), somnus("check", "greeter", "--static", "--json")

    assert (person.status, program.status) == (1, 1)
    assert "not ok  1 error, 0 warnings" in person.out
    assert program.document["ok"] is False
    assert "in line 1" in program.document["findings"][0]["message"]


def test_words_of_a_manifest_cannot_steer_the_terminal(somnus: Somnus, tmp_path: Path) -> None:
    manifest = write_plugin_directory(tmp_path / "greeter") / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace('"tool_integration"', '"\\u001b[2J[red]"'))

    ended = somnus("check", "greeter", "--static")

    assert ended.status == 1
    assert "\x1b" not in ended.out
    assert "[2J[red]" in ended.out


def test_the_directory_is_by_default_the_present_one(somnus: Somnus, tmp_path: Path) -> None:
    ended = somnus("check", "--static", "--json")

    assert (ended.status, ended.error["code"]) == (2, "not_a_plugin")
    assert str(tmp_path) in ended.error["message"]
