"""Every lint against its own samples, and all of them together."""

from __future__ import annotations

import pkgutil
import re
from typing import Any

import pytest

from somnus_plugins.trust.manifest import lints, parse_manifest
from somnus_plugins.trust.manifest.lints import LINTS, Lint, LintSeverity, PluginFacts, run_lints
from somnus_plugins.wire.contributions import Contributions, Route, Subscription, Tool
from tests.unit.trust.documents import FULL, SMALLEST, smallest_with

EVERY_LINT = pytest.mark.parametrize("lint", LINTS, ids=[each.id for each in LINTS])


def ids_found(toml: str = "", **facts: object) -> set[str]:
    manifest = smallest_with(toml)
    return {each.id for each in run_lints(manifest, PluginFacts(**facts))}  # type: ignore[arg-type]  # each test gives facts of the right type


def test_every_module_of_the_folder_is_a_rule_that_runs() -> None:
    modules = {each.name for each in pkgutil.iter_modules(lints.__path__)} - {"lint"}
    assert modules == {each.id.replace("-", "_") for each in LINTS}
    assert len(LINTS) == len({each.id for each in LINTS})
    assert [each.id for each in LINTS] == sorted(each.id for each in LINTS)


@EVERY_LINT
def test_a_rule_explains_itself(lint: Lint) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", lint.id)
    assert lint.message.endswith(".")
    assert lint.remedy.endswith(".")
    assert lint.message != lint.remedy
    assert lint.bad != lint.good


@EVERY_LINT
def test_a_rule_finds_its_bad_sample_and_leaves_the_good_one(lint: Lint) -> None:
    found = list(lint.check(smallest_with(lint.bad.toml), lint.bad.facts))
    assert found
    assert all(key and what for key, what in found)
    assert list(lint.check(smallest_with(lint.good.toml), lint.good.facts)) == []


@EVERY_LINT
def test_a_finding_carries_the_rule_s_words(lint: Lint) -> None:
    found = run_lints(smallest_with(lint.bad.toml), lint.bad.facts)
    mine = next(each for each in found if each.id == lint.id)
    assert (mine.severity, mine.message, mine.remedy) == (lint.severity, lint.message, lint.remedy)
    assert mine.to_record()["id"] == lint.id
    assert str(mine).startswith(f"{lint.severity.value}: {mine.key}: {lint.message}")


@EVERY_LINT
def test_a_rule_is_silent_about_what_nobody_looked_at(lint: Lint) -> None:
    known = bool(lint.bad.toml) or lint.bad.facts == PluginFacts()
    found = list(lint.check(smallest_with(""), PluginFacts()))
    assert not found or known
    assert lint.id not in {"entry-missing", "readme-missing", "tests-missing"} or not found


def test_the_contract_s_manifest_has_no_errors() -> None:
    files = frozenset({"pyproject.toml", "notes/__init__.py", "README.md", "tests/test_notes.py"})
    schema: dict[str, Any] = {"properties": {"folder": {}, "base_url": {}}}
    contributions = Contributions(fingerprint="0" * 64, tools=(Tool(name="search"),), config_schema=schema)
    facts = PluginFacts(files=files, python_version="3.11.7", contributions=contributions)
    found = run_lints(parse_manifest(FULL), facts)
    assert [each for each in found if each.severity is LintSeverity.ERROR] == []
    assert {each.id for each in found} == {"license-missing"}


def test_errors_come_before_warnings() -> None:
    found = run_lints(parse_manifest(SMALLEST), PluginFacts(files=frozenset()))
    severities = [each.severity for each in found]
    assert severities == sorted(severities, key=lambda each: each is not LintSeverity.ERROR)
    assert found[0].id == "entry-missing"
    assert severities.count(LintSeverity.ERROR) == 1


@pytest.mark.parametrize("file", ["notes.py", "notes/__init__.py", "src/notes.py", "src/notes/__init__.py"])
def test_the_entry_may_be_a_module_or_a_package_with_or_without_src(file: str) -> None:
    assert "entry-missing" not in ids_found(files=frozenset({file}))
    assert "entry-missing" in ids_found(files=frozenset({f"other/{file}"}))


def test_optional_permissions_are_looked_at_too() -> None:
    toml = """
    [tool.somnus.optional_permissions]
    network = ["*"]
    commands = ["bash"]
    public_routes = true
    files = { write = ["/"] }
    [tool.somnus.optional_permissions.secrets.TOKEN]
    value = true
    """
    found = {each.id: each.key for each in run_lints(smallest_with(toml), PluginFacts())}
    expected = {"network-any", "command-interpreter", "public-routes", "files-wide", "secret-seen"}
    assert expected <= found.keys()
    assert all(found[each].startswith("tool.somnus.optional_permissions.") for each in expected)


@pytest.mark.parametrize(
    "command",
    [
        "sh",
        "bash",
        "zsh",
        "python",
        "python3",
        "python3.12",
        "node",
        "env",
        "xargs",
        "sudo",
        "ssh",
        "perl5",
        "npx",
        "uvx",
    ],
)
def test_a_program_that_runs_programs_is_an_interpreter(command: str) -> None:
    assert "command-interpreter" in ids_found(f'[tool.somnus.permissions]\ncommands = ["{command}"]')
    assert "command-interpreter" not in ids_found(f'[tool.somnus.permissions]\ncommands = ["x{command}x"]')


@pytest.mark.parametrize(
    "path", ["/", "/home", "/home/ada", "/root", "/etc", "/usr", "/usr/local", "/etc/cron.d", "/tmp"]
)
def test_writing_to_a_folder_of_the_system_or_a_home_is_wide(path: str) -> None:
    assert "files-wide" in ids_found(f'[tool.somnus.permissions]\nfiles = {{ write = ["{path}"] }}')
    assert "files-wide" not in ids_found('[tool.somnus.permissions]\nfiles = { write = ["{config.folder}"] }')


@pytest.mark.parametrize(
    ("path", "wide"), [("/", True), ("/home/ada", True), ("/usr/share/dict", False), ("/srv", False)]
)
def test_reading_may_go_further_than_writing(path: str, wide: bool) -> None:
    found = ids_found(f'[tool.somnus.permissions]\nfiles = {{ read = ["{path}"] }}')
    assert ("files-wide" in found) is wide
    assert "network-any" not in found


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("tool_integration", "tool"),
        ("tool_integration", "action"),
        ("agent_action", "action"),
        ("memory_extension", "embedder"),
        ("memory_extension", "ranker"),
        ("memory_extension", "consolidator"),
        ("workflow_node", "node"),
        ("research_module", "source"),
        ("creative_engine", "generator"),
    ],
)
def test_each_type_is_kept_by_what_it_promises(type_: str, kind: str) -> None:
    toml = f'[tool.somnus]\ntype = "{type_}"'
    kept = Contributions(fingerprint="", tools=(Tool(name="x", kind=kind),))  # type: ignore[arg-type]  # one of the kinds above
    assert "type-mismatch" not in ids_found(toml, contributions=kept)
    assert "type-mismatch" in ids_found(toml, contributions=Contributions(fingerprint="", routes=(Route(path="/"),)))


def test_a_subscription_needs_its_permission() -> None:
    contributions = Contributions(fingerprint="", subscriptions=(Subscription(pattern="memory.*", method="on_it"),))
    assert "event-unpermitted" in ids_found(contributions=contributions)
    granted = '[tool.somnus.permissions]\nevents = { subscribe = ["*"] }'
    assert "event-unpermitted" not in ids_found(granted, contributions=contributions)


def test_a_secret_s_setting_must_exist_too() -> None:
    toml = """
    [tool.somnus.permissions]
    network = ["*"]
    [tool.somnus.permissions.secrets.TOKEN]
    hosts = ["{config.base_url}"]
    send = "X-Key: {}"
    """
    found = ids_found(toml, contributions=Contributions(fingerprint="", tools=(Tool(name="a"),)))
    assert "config-unknown" in found
    assert "secret-host" not in found


@pytest.mark.parametrize(
    ("name", "files", "missing"),
    [
        ("README.rst", {"README.rst"}, False),
        ("docs/index.md", {"docs/index.md"}, False),
        ("docs/index.md", {"docs/other.md"}, True),
    ],
)
def test_the_readme_may_have_the_name_that_the_manifest_says(name: str, files: set[str], missing: bool) -> None:
    found = ids_found(f'[project]\nreadme = "{name}"', files=frozenset(files))
    assert ("readme-missing" in found) is missing
    assert "readme-missing" not in ids_found('[project]\nreadme = { text = "x" }', files=frozenset())
