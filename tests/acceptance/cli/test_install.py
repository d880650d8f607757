"""Installing: what it would do, who agrees, what it did."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.acceptance.cli.command import Command
from tests.acceptance.cli.plugins import CODE, write_plugin_directory


def test_without_a_terminal_and_a_yes_the_plan_comes_back_with_three(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter")

    ended = somnus.run("install", "greeter", "--json")
    silent = somnus.run("install", "greeter")

    assert ended.status == silent.status == 3
    assert ended.error["code"] == "consent_required"
    plan = ended.error["data"]["plan"]
    assert (plan["id"], plan["mount"], plan["sandbox_level"]) == ("local/greeter", "greeter", "none")
    assert "added tool greet" in plan["adds"]
    assert silent.document == ended.document
    assert "say --yes" in silent.err
    assert somnus.json("list") == []


def test_a_dry_run_shows_the_plan_and_changes_nothing(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")

    person, program = somnus.run("install", "greeter", "--dry-run"), somnus.json("install", "greeter", "--dry-run")

    assert person.status == 0
    assert "local/greeter as greeter: install 0.1.0" in person.out
    assert "+ tool greet" in person.out
    assert program["plugin"] is None
    assert program["plan"]["version"] == "0.1.0"
    assert somnus.json("list") == []
    assert not (directory / "contributions.json").exists()


def test_an_update_says_what_changes(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter")
    somnus.json("install", "greeter", "--yes")
    write_plugin_directory(
        somnus.directory / "greeter", version="0.2.0", code=CODE.replace("async def refuse", "async def deny")
    )

    updated = somnus.json("install", "greeter", "--yes")

    assert updated["plan"]["replaces"] == "0.1.0"
    assert sorted(updated["plan"]["adds"]) == ["added tool deny", "removed tool refuse"]
    assert updated["plugin"]["version"] == "0.2.0"
    assert updated["plugin"]["generation"] == 2


def test_a_mount_belongs_to_one_plugin(somnus: Command) -> None:
    for name in ("one", "two"):
        write_plugin_directory(somnus.directory / name)
    somnus.json("install", "one", "--yes", "--as", "g")

    ended = somnus.run("install", "two", "--yes", "--as", "g", "--json")

    assert (ended.status, ended.error["code"]) == (2, "name_taken")
    assert "local/one" in ended.error["message"]


def test_a_broken_manifest_is_told_problem_by_problem(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")
    manifest = directory / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace("tool_integration", "tool").replace("entry =", "entri ="))

    person, program = somnus.run("install", "greeter", "--yes"), somnus.run("install", "greeter", "--yes", "--json")

    assert person.status == program.status == 2
    assert program.error["code"] == "invalid_manifest"
    assert {each["key"] for each in program.error["data"]["problems"]} >= {"tool.somnus.type", "tool.somnus.entri"}
    assert 'pyproject.toml:tool.somnus.type: found "tool"; allowed: ' in person.err
    assert "Traceback" not in person.err


def test_a_directory_without_a_manifest_is_no_plugin(somnus: Command) -> None:
    ended = somnus.run("install", ".", "--yes", "--json")

    assert (ended.status, ended.error["code"]) == (2, "not_a_plugin")
    assert "create" in ended.error["remedy"]


def test_a_person_at_a_terminal_reads_the_plan_and_agrees(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter")
    inner, outer = pty.openpty()
    words = [sys.executable, "-m", "somnus_plugins", "install", "greeter"]
    environment = somnus.environment() | {"TERM": "xterm", "NO_COLOR": "1"}

    with subprocess.Popen(words, stdin=outer, stdout=outer, stderr=outer, cwd=somnus.directory, env=environment) as ran:
        os.close(outer)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(inner, 65536)
        os.write(inner, b"y\n")
        while b"asleep" not in seen:
            seen += os.read(inner, 65536)
        status = ran.wait(timeout=30)
    os.close(inner)

    assert status == 0
    assert b"+ tool greet" in seen
    assert [each["id"] for each in somnus.json("list")] == ["local/greeter"]
