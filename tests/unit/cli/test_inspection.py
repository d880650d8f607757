"""Looking at a plugin without starting it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from somnus_plugins.cli.inspection import Finding, Inspection, inspect_directory
from somnus_plugins.errors import NotAPlugin
from tests.acceptance.cli.plugins import write_plugin_directory

pytestmark = pytest.mark.anyio


def of(found: Inspection, rule: str) -> list[Finding]:
    return [each for each in found.findings if each.rule == rule]


async def test_a_plugin_is_read_and_its_code_is_not_run(tmp_path: Path) -> None:
    directory = write_plugin_directory(tmp_path / "greeter", code="raise SystemExit('it ran')")

    found = await inspect_directory(directory, start=False)

    assert (found.ok, found.started, found.id, found.version) == (True, False, "local/greeter", "0.1.0")
    assert found.plan is None
    assert found.log == ()


async def test_the_rules_see_which_files_there_are(tmp_path: Path) -> None:
    directory = write_plugin_directory(tmp_path / "greeter")
    bare = await inspect_directory(directory, start=False)
    (directory / "README.md").write_text("It greets.\n")
    (directory / "tests").mkdir()
    (directory / "tests" / "test_it.py").write_text("")
    whole = await inspect_directory(directory, start=False)

    assert of(bare, "readme-missing")
    assert of(bare, "tests-missing")
    assert of(whole, "readme-missing") == of(whole, "tests-missing") == []


@pytest.mark.parametrize("folder", [".venv", ".git", "node_modules", "__pycache__"])
async def test_files_that_are_not_the_plugin_s_do_not_count(tmp_path: Path, folder: str) -> None:
    directory = write_plugin_directory(tmp_path / "greeter")
    (directory / folder / "tests").mkdir(parents=True)
    (directory / folder / "tests" / "test_it.py").write_text("")

    found = await inspect_directory(directory, start=False)

    assert len(of(found, "tests-missing")) == 1
    assert found.ok


async def test_every_problem_of_a_manifest_is_a_finding_with_its_place(tmp_path: Path) -> None:
    manifest = write_plugin_directory(tmp_path / "greeter") / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace("tool_integration", "tool") + "memory = 3\n")

    found = await inspect_directory(manifest.parent, start=True)

    assert not found.ok
    assert [each.place for each in found.findings] == [
        "pyproject.toml: tool.somnus.type",
        "pyproject.toml: tool.somnus.permissions.memory",
    ]
    assert all(each.rule == "invalid_manifest" and "allowed: " in each.message for each in found.findings)


async def test_generated_contributions_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    directory = write_plugin_directory(tmp_path / "greeter")
    (directory / "contributions.json").write_text(json.dumps({"format": 1, "fingerprint": "short"}))

    found = await inspect_directory(directory, start=False)

    assert not found.ok
    assert found.findings[0].place == "contributions.json: fingerprint"


async def test_errors_stand_before_warnings(tmp_path: Path) -> None:
    directory = write_plugin_directory(tmp_path / "greeter")
    (directory / "contributions.json").write_text("{")

    found = await inspect_directory(directory, start=False)

    severities = [each.severity for each in found.findings]
    assert severities == sorted(severities)
    assert severities[0] == "error"


async def test_a_directory_without_a_manifest_is_no_plugin(tmp_path: Path) -> None:
    with pytest.raises(NotAPlugin) as caught:
        await inspect_directory(tmp_path, start=False)

    assert caught.value.exit_code == 2
