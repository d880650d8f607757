"""`check`: what is wrong, with place and remedy, without installing anything."""

from __future__ import annotations

import pytest

from tests.acceptance.cli.command import Command
from tests.acceptance.cli.plugins import CODE, write_plugin_directory


def test_a_good_plugin_is_accepted_and_left_as_it_was(somnus: Command) -> None:
    directory = write_plugin_directory(somnus.directory / "greeter")
    before = sorted(directory.rglob("*"))

    report = somnus.json("check", "greeter")

    assert (report["ok"], report["id"], report["started"]) == (True, "local/greeter", True)
    assert "added tool greet" in report["plan"]["adds"]
    assert {each["severity"] for each in report["findings"]} <= {"warning"}
    assert [each for each in sorted(directory.rglob("*")) if "__pycache__" not in each.parts] == before
    assert not somnus.home.exists()


def test_a_broken_manifest_is_reported_key_by_key(somnus: Command) -> None:
    manifest = write_plugin_directory(somnus.directory / "greeter") / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace('version = "0.1.0"', 'version = "new"\nauthor = "me"'))

    program, person = somnus.run("check", "greeter", "--json"), somnus.run("check", "greeter", "--static")

    places = {each["place"] for each in program.document["findings"]}
    assert (program.status, person.status) == (1, 1)
    assert program.document["ok"] is False
    assert places == {"pyproject.toml: project.version", "pyproject.toml: project.author"}
    assert "error pyproject.toml: project.author: found an unknown key" in person.out
    assert "not ok  2 errors, 0 warnings" in person.out


@pytest.mark.parametrize(
    ("code", "rule", "place"),
    [
        ("def x(:", "plugin_raised", "greeter/__init__.py:1"),
        ("\n\nraise SystemExit(3)", "plugin_raised", "greeter/__init__.py:3"),
        ("import nothing_of_this_name", "invalid_plugin", ""),
        ("Greeter = 3", "invalid_plugin", ""),
        ("import os\nos._exit(3)", "", ""),
    ],
    ids=["syntax", "exit", "import", "no class", "death"],
)
def test_code_that_does_not_start_is_an_error(somnus: Command, code: str, rule: str, place: str) -> None:
    write_plugin_directory(somnus.directory / "greeter", code=code)

    ended = somnus.run("check", "greeter", "--json")

    assert ended.status == 1
    first = ended.document["findings"][0]
    assert first["severity"] == "error"
    assert first["rule"] == (rule or first["rule"])
    assert first["place"] == place
    assert ended.document["plan"] is None


def test_static_does_not_run_the_code(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter", code="import nothing_of_this_name")

    report = somnus.json("check", "greeter", "--static")
    person = somnus.run("check", "greeter", "--static")

    assert (report["ok"], report["started"], report["plan"]) == (True, False, None)
    assert "not started" in person.out


def test_what_was_generated_before_is_compared_with_now(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter")
    somnus.json("install", "greeter", "--yes")
    fresh = somnus.json("check", "greeter")
    write_plugin_directory(somnus.directory / "greeter", code=CODE.replace("def refuse", "def deny"))

    stale = somnus.json("check", "greeter")

    assert "contributions-outdated" not in {each["rule"] for each in fresh["findings"]}
    assert "contributions-outdated" in {each["rule"] for each in stale["findings"]}
    assert stale["ok"] is True


def test_what_is_no_plugin_is_a_usage_error(somnus: Command) -> None:
    ended = somnus.run("check", ".", "--json")

    assert (ended.status, ended.error["code"]) == (2, "not_a_plugin")
    assert ended.error["remedy"]
