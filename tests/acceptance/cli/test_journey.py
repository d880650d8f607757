"""From an empty folder to a plugin that is installed, used and gone, as a person goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.cli.command import Command
from tests.acceptance.cli.plugins import write_plugin_directory


def test_what_is_created_is_accepted_installed_and_answers(somnus: Command) -> None:
    created = somnus.json("create", "--name", "MyPlugin", "--type", "tool_integration", "--minimal")
    checked = somnus.json("check", created["directory"])
    installed = somnus.json("install", created["directory"], "--yes")
    listed = somnus.json("list")

    assert created["name"] == "my-plugin"
    assert checked["ok"] is True
    assert [each for each in checked["findings"] if each["severity"] == "error"] == []
    assert installed["plugin"]["id"] == "local/my-plugin"
    assert [each["mount"] for each in listed] == ["my-plugin"]
    assert listed[0]["sandbox_level"] == "none"
    assert listed[0]["tools"]


def test_a_plugin_is_configured_turned_off_looked_at_and_taken_out(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter")
    somnus.json("install", "greeter", "--yes", "--as", "g")

    config = somnus.json("config", "g", "greeting=Good day", "password=hunter2")
    greeted = somnus.json("call", "g", "greet", "name=Ann")
    off = somnus.json("disable", "greeter")
    refused = somnus.run("call", "g", "greet", "name=Ann", "--json")
    on = somnus.json("enable", "g")
    logged = somnus.json("logs", "g")
    gone = somnus.json("uninstall", "local/greeter", "--yes")

    assert config["values"] == {"greeting": "Good day", "password": "••••••"}
    assert greeted == {"text": "Good day Ann", "times": 1}
    assert (off["state"], off["desired"]) == ("stopped", "disabled")
    assert (refused.status, refused.error["code"]) == (1, "not_ready")
    assert on["desired"] == "enabled"
    assert "greeting Ann" in [line["message"] for line in logged]
    assert gone["id"] == "local/greeter"
    assert somnus.json("list") == []
    assert (somnus.directory / "greeter" / "pyproject.toml").exists()


def test_a_setting_is_read_by_its_schema_and_taken_back(somnus: Command) -> None:
    write_plugin_directory(somnus.directory / "greeter")
    somnus.json("install", "greeter", "--yes")

    unknown = somnus.run("config", "greeter", "greting=x", "--json")
    somnus.json("config", "greeter", "greeting=Hey")
    back = somnus.json("config", "greeter", "--unset", "greeting")

    assert (unknown.status, unknown.error["code"]) == (2, "invalid_config")
    assert "greeting" in unknown.error["message"] + unknown.error["remedy"]
    assert back["values"] == {}
    assert set(back["schema"]["properties"]) == {"greeting", "password"}


@pytest.mark.parametrize("kind", ["agent_action", "nonsense"])
def test_a_type_without_a_template_is_a_usage_error(somnus: Command, kind: str) -> None:
    ended = somnus.run("create", "--name", "x-y", "--type", kind, "--json")

    assert (ended.status, ended.error["code"]) == (2, "usage")
    assert "api_extension" in ended.error["message"]
    assert not (somnus.directory / "x-y").exists()


def test_people_read_what_programs_are_told(greeter: Command) -> None:
    listed, info, config = (greeter.run(*words.split()) for words in ("list", "info greeter", "config greeter"))

    assert [each.status for each in (listed, info, config)] == [0, 0, 0]
    assert "confinement none: plugins can read and change what you can" in listed.out
    assert "greet name=<text> [times=<a whole number from 1 to 5>]  read only" in info.out
    assert "GET /plugins/greeter/hello" in info.out
    assert 'greeting  "Hello"' in config.out
    assert max(len(line) for each in (listed, info, config) for line in each.out.splitlines()) <= 80
    assert "\x1b" not in listed.out + info.out + config.out


def test_the_home_holds_what_a_person_decided(greeter: Command) -> None:
    registry = json.loads((greeter.home / "registry.json").read_text())
    view = greeter.json("info", "local/greeter")

    assert [each["id"] for each in registry["plugins"]] == ["local/greeter"]
    assert view["directory"] == str(Path(greeter.directory / "greeter").resolve())
    assert view["plugin"]["word"] == "asleep"
