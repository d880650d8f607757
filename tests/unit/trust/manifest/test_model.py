"""Every key of the manifest: what it takes, what it is without, and what it refuses."""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import pytest

from somnus_plugins.settings import LimitSettings
from somnus_plugins.trust.manifest import API_VERSION, Permissions, PluginType, parse_manifest, supports
from somnus_plugins.trust.manifest import model as model_module
from somnus_plugins.trust.manifest.model import Consciousness, Limits, Manifest, ProjectTable
from somnus_plugins.trust.manifest.shapes import Table, keys_of
from tests.unit.trust.documents import FULL, SMALLEST, accepted, refused, smallest_with

SOMNUS = "tool.somnus"
PERMISSIONS = "tool.somnus.permissions"

LIMITS = {
    "memory_mb": 256,
    "cpus": 0.5,
    "threads": 32,
    "open_files": 128,
    "disk_mb": 64,
    "call_timeout_s": 30,
    "concurrency": 16,
    "recursion_depth": 10,
    "result_mb": 16,
    "upload_mb": 16,
}


def test_the_limits_have_the_contract_s_defaults() -> None:
    assert dataclasses.asdict(Limits()) == LIMITS
    assert parse_manifest(SMALLEST).limits == parse_manifest(FULL).limits == Limits()


def test_nothing_is_permitted_that_is_not_named() -> None:
    record = parse_manifest(SMALLEST).to_record()["tool"]["somnus"]["permissions"]
    assert record.pop("files") == {"read": [], "write": []}
    assert record.pop("events") == {"publish": [], "subscribe": []}
    assert all(value in ("none", [], {}, False) for value in record.values())
    assert len(record) == len(keys_of(Permissions)) - 2


@pytest.mark.parametrize("word", [each.value for each in PluginType])
def test_each_of_the_eight_types_is_one(word: str) -> None:
    assert accepted(f"{SOMNUS}.type", word).type == word
    assert len(PluginType) == 8


TAKEN: list[tuple[str, Any]] = [
    ("project.description", "Ä sentence."),
    ("project.readme", "README.md"),
    ("project.readme", {"file": "README.md", "content-type": "text/markdown"}),
    ("project.readme", {"text": "hello", "content-type": "text/plain"}),
    ("project.requires-python", ">=3.11"),
    ("project.license", "Apache-2.0"),
    ("project.license", {"text": "MIT"}),
    ("project.license", {"file": "LICENSE"}),
    ("project.authors", [{"name": "Ada", "email": "ada@example.com"}, {"name": "Bob"}, {"email": "c@example.com"}]),
    ("project.keywords", ["search", "notes"]),
    ("project.dependencies", ["numpy>=2", "httpx; python_version < '4'"]),
    ("project.urls", {"Home page": "https://example.com", "Source": "https://example.com/git"}),
    ("project.dynamic", ["readme", "classifiers"]),
    (f"{SOMNUS}.publisher", "somnus"),
    (f"{SOMNUS}.requires", ["somnus/embedder", "a/b >=1"]),
    (f"{SOMNUS}.activation", ["startup", "event:memory.*"]),
    (f"{SOMNUS}.sleep_after_s", 0.5),
    (f"{SOMNUS}.sleep_after_s", 86_400),
    (f"{SOMNUS}.tags", ["a", "b-c"]),
    (f"{PERMISSIONS}.memory", "read"),
    (f"{PERMISSIONS}.share_memory", ["a/b:read", "c/d:write"]),
    (f"{PERMISSIONS}.files", {"read": ["/srv"], "write": ["{config.folder}"]}),
    (f"{PERMISSIONS}.network", ["*"]),
    (f"{PERMISSIONS}.commands", ["git", "rg"]),
    (f"{PERMISSIONS}.plugins", ["a/b"]),
    (f"{PERMISSIONS}.events", {"publish": ["notes.*"], "subscribe": ["*"]}),
    (f"{PERMISSIONS}.workspace", "write"),
    (f"{PERMISSIONS}.sessions", "write"),
    (f"{PERMISSIONS}.models", ["chat"]),
    (f"{PERMISSIONS}.agents", True),
    (f"{PERMISSIONS}.ui", True),
    (f"{PERMISSIONS}.consciousness", "read"),
    (f"{PERMISSIONS}.public_routes", True),
    (f"{PERMISSIONS}.background", True),
    (f"{PERMISSIONS}.secrets", {"A": {"value": True}}),
    (f"{PERMISSIONS}.secrets", {"A": {"hosts": ["a.example"], "send": "X: {}", "value": True}, "B": {"value": True}}),
    (f"{SOMNUS}.optional_permissions", {"memory": "write", "network": ["a.example"]}),
    (f"{SOMNUS}.limits", {"memory_mb": 1024, "cpus": 2, "call_timeout_s": 0.5}),
    (f"{SOMNUS}.consciousness", {"level_required": 1, "coherence_required": 0.25}),
]


@pytest.mark.parametrize(("path", "value"), TAKEN)
def test_a_key_takes_what_the_contract_says(path: str, value: Any) -> None:
    found = accepted(path, value)
    assert found != parse_manifest(SMALLEST)
    assert parse_manifest(SMALLEST).id.name == found.name


REFUSED: list[tuple[str, Any, str, str]] = [
    ("project.name", 1, "project.name", "1"),
    ("project.version", 1.0, "project.version", "1.0"),
    ("project.description", ["a"], "project.description", "a list of 1"),
    ("project.readme", 1, "project.readme", "1"),
    ("project.readme", {"path": "x"}, "project.readme.path", "an unknown key"),
    ("project.requires-python", "3.11", "project.requires-python", '"3.11"'),
    ("project.license", [], "project.license", "a list of 0"),
    ("project.license", {"text": "a", "file": "b"}, "project.license", "a table with 2 keys"),
    ("project.license", {"text": 1}, "project.license", "a table with 1 keys"),
    ("project.authors", [{"nick": "x"}], "project.authors[0].nick", "an unknown key"),
    ("project.authors", ["Ada"], "project.authors[0]", '"Ada"'),
    ("project.dependencies", ["numpy", "a b"], "project.dependencies[1]", '"a b"'),
    ("project.dependencies", ["numpy", "numpy"], "project.dependencies[1]", '"numpy"'),
    ("project.urls", {"Home": "nowhere"}, "project.urls.Home", '"nowhere"'),
    ("project.urls", "https://example.com", "project.urls", '"https://example.com"'),
    ("project.dynamic", ["version"], "project.dynamic", "version"),
    ("project.descripton", "x", "project.descripton", "an unknown key"),
    (f"{SOMNUS}.publisher", "Somnus", f"{SOMNUS}.publisher", '"Somnus"'),
    (f"{SOMNUS}.type", "tool", f"{SOMNUS}.type", '"tool"'),
    (f"{SOMNUS}.entry", "notes", f"{SOMNUS}.entry", '"notes"'),
    (f"{SOMNUS}.api", "1", f"{SOMNUS}.api", '"1"'),
    (f"{SOMNUS}.requires", "a/b", f"{SOMNUS}.requires", '"a/b"'),
    (f"{SOMNUS}.activation", [], f"{SOMNUS}.activation", "a list of 0"),
    (f"{SOMNUS}.activation", "startup", f"{SOMNUS}.activation", '"startup"'),
    (f"{SOMNUS}.activation", ["event:"], f"{SOMNUS}.activation[0]", '"event:"'),
    (f"{SOMNUS}.sleep_after_s", -1, f"{SOMNUS}.sleep_after_s", "-1"),
    (f"{SOMNUS}.sleep_after_s", "300", f"{SOMNUS}.sleep_after_s", '"300"'),
    (f"{SOMNUS}.sleep_after_s", True, f"{SOMNUS}.sleep_after_s", "true"),
    (f"{SOMNUS}.sleep_after_s", math.inf, f"{SOMNUS}.sleep_after_s", "inf"),
    (f"{SOMNUS}.sleep_after_s", math.nan, f"{SOMNUS}.sleep_after_s", "nan"),
    (f"{SOMNUS}.tags", ["a", "a"], f"{SOMNUS}.tags[1]", '"a"'),
    (f"{SOMNUS}.tags", [f"t{index}" for index in range(65)], f"{SOMNUS}.tags", "a list of 65"),
    (f"{PERMISSIONS}.memory", "readwrite", f"{PERMISSIONS}.memory", '"readwrite"'),
    (f"{PERMISSIONS}.memory", True, f"{PERMISSIONS}.memory", "true"),
    (f"{PERMISSIONS}.consciousness", "write", f"{PERMISSIONS}.consciousness", '"write"'),
    (f"{PERMISSIONS}.share_memory", ["a/b"], f"{PERMISSIONS}.share_memory[0]", '"a/b"'),
    (f"{PERMISSIONS}.files", ["/srv"], f"{PERMISSIONS}.files", "a list of 1"),
    (f"{PERMISSIONS}.files", {"read": "/srv"}, f"{PERMISSIONS}.files.read", '"/srv"'),
    (f"{PERMISSIONS}.files", {"raed": []}, f"{PERMISSIONS}.files.raed", "an unknown key"),
    (f"{PERMISSIONS}.network", ["a.example", 1], f"{PERMISSIONS}.network[1]", "1"),
    (f"{PERMISSIONS}.network", ["a.example", "a.example"], f"{PERMISSIONS}.network[1]", '"a.example"'),
    (f"{PERMISSIONS}.commands", ["/bin/sh"], f"{PERMISSIONS}.commands[0]", '"/bin/sh"'),
    (f"{PERMISSIONS}.plugins", ["b"], f"{PERMISSIONS}.plugins[0]", '"b"'),
    (f"{PERMISSIONS}.events", {"publish": ["*"]}, f"{PERMISSIONS}.events.publish[0]", '"*"'),
    (f"{PERMISSIONS}.models", ["*"], f"{PERMISSIONS}.models[0]", '"*"'),
    (f"{PERMISSIONS}.agents", "true", f"{PERMISSIONS}.agents", '"true"'),
    (f"{PERMISSIONS}.ui", 1, f"{PERMISSIONS}.ui", "1"),
    (f"{PERMISSIONS}.filesystem", "read", f"{PERMISSIONS}.filesystem", "an unknown key"),
    (f"{PERMISSIONS}.secrets", ["TOKEN"], f"{PERMISSIONS}.secrets", "a list of 1"),
    (f"{PERMISSIONS}.secrets", {"token": {"value": True}}, f"{PERMISSIONS}.secrets.token", '"token"'),
    (f"{PERMISSIONS}.secrets", {"T": {}}, f"{PERMISSIONS}.secrets.T", "no use of it"),
    (f"{PERMISSIONS}.secrets", {"T": {"send": "X: {}"}}, f"{PERMISSIONS}.secrets.T.hosts", "nothing"),
    (f"{PERMISSIONS}.secrets", {"T": {"value": True, "hosts": ["a"]}}, f"{PERMISSIONS}.secrets.T.send", "nothing"),
    (f"{PERMISSIONS}.secrets", {"T": {"value": 1}}, f"{PERMISSIONS}.secrets.T.value", "1"),
    (f"{PERMISSIONS}.secrets", {"T": True}, f"{PERMISSIONS}.secrets.T", "true"),
    (f"{PERMISSIONS}.secrets", {f"T{index}": {"value": True} for index in range(65)}, f"{PERMISSIONS}.secrets", "65"),
    (f"{SOMNUS}.optional_permissions", {"memory": 1}, f"{SOMNUS}.optional_permissions.memory", "1"),
    (f"{SOMNUS}.limits", {"memory": 1}, f"{SOMNUS}.limits.memory", "an unknown key"),
    (f"{SOMNUS}.limits", {"memory_mb": 0.5}, f"{SOMNUS}.limits.memory_mb", "0.5"),
    (f"{SOMNUS}.limits", {"threads": 10**30}, f"{SOMNUS}.limits.threads", "an integer of more than 64 bits"),
    (f"{SOMNUS}.limits", 1, f"{SOMNUS}.limits", "1"),
    (f"{SOMNUS}.consciousness", {"level_required": 1.1}, f"{SOMNUS}.consciousness.level_required", "1.1"),
]


@pytest.mark.parametrize(("path", "value", "key", "found"), REFUSED)
def test_a_key_refuses_everything_else_and_says_what_was_found(path: str, value: Any, key: str, found: str) -> None:
    problems = refused(path, value)
    assert key in {each["key"] for each in problems}
    said = next(each for each in problems if each["key"] == key)
    assert found in said["found"]
    assert said["allowed"]
    assert said["file"] == "pyproject.toml"


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        (f"{PERMISSIONS}.network", "a.example", "put it into [ ]"),
        (f"{PERMISSIONS}.agents", "true", "without quotes"),
        (f"{SOMNUS}.sleep_after_s", "300", "without quotes"),
        (f"{PERMISSIONS}.files", "/srv", f"write it as a table: [{PERMISSIONS}.files]"),
        (f"{SOMNUS}.tags", ["a", "a"], "remove the repetition"),
        (f"{PERMISSIONS}.secrets", {"T": {}}, "say what the secret is for"),
        ("project.dynamic", ["version"], "write version into [project]"),
        (f"{SOMNUS}.limits", {"memory": 1}, "memory_mb"),
        (f"{SOMNUS}.type", "api-extension", "api_extension"),
    ],
)
def test_a_usual_mistake_has_its_hint(path: str, value: Any, hint: str) -> None:
    (found,) = refused(path, value)
    assert hint in found["hint"]
    assert found["allowed"]


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_limit_ends_where_the_host_s_ceiling_could(name: str) -> None:
    field = next(each for each in dataclasses.fields(LimitSettings) if each.name == name)
    low, high = field.metadata["low"], field.metadata["high"]
    assert getattr(accepted(f"{SOMNUS}.limits.{name}", low).limits, name) == low
    assert getattr(accepted(f"{SOMNUS}.limits.{name}", high).limits, name) == high
    assert refused(f"{SOMNUS}.limits.{name}", high + 1)
    assert refused(f"{SOMNUS}.limits.{name}", low - 1)


def test_the_host_s_ceiling_wins() -> None:
    asked = Limits(memory_mb=10_000, threads=8)
    found = asked.within(LimitSettings(memory_mb=512, threads=64))
    assert (found.memory_mb, found.threads) == (512, 8)
    assert Limits().within(LimitSettings()) == Limits()


@pytest.mark.parametrize(
    ("api", "version", "supported"),
    [
        (">=1,<2", API_VERSION, True),
        (">=1,<2", "1.9", True),
        (">=1,<2", "2.0", False),
        (">=1.1", "1.0", False),
        ("~=1.0", "1.5", True),
        ("==1.*", "1.0", True),
        (">=1", "2.0a1", True),
    ],
)
def test_an_api_range_supports_the_versions_in_it(api: str, version: str, supported: bool) -> None:
    found = accepted(f"{SOMNUS}.api", api)
    assert supports(found, version) is supported
    assert supports(parse_manifest(FULL))


def test_secrets_know_their_names_and_keep_their_order() -> None:
    found = smallest_with(
        """
        [tool.somnus.permissions.secrets.B]
        value = true
        [tool.somnus.permissions.secrets.A]
        hosts = ["a.example"]
        send = "X-Key: {}"
        """
    )
    assert [each.name for each in found.permissions.secrets] == ["B", "A"]
    assert [each.value for each in found.permissions.secrets] == [True, False]


def test_both_permission_tables_are_visited_with_their_paths() -> None:
    found = smallest_with("[tool.somnus.optional_permissions]\nmemory = 'read'")
    tables = dict(found.permission_tables())
    assert list(tables) == ["tool.somnus.permissions", "tool.somnus.optional_permissions"]
    assert tables["tool.somnus.optional_permissions"].memory == "read"


def test_a_manifest_cannot_be_changed() -> None:
    found = parse_manifest(FULL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.publisher = "evil"  # type: ignore[misc]  # what is refused here
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.permissions.network = ("*",)  # type: ignore[misc]  # what is refused here


def test_every_table_is_a_frozen_dataclass_whose_keys_have_names_of_the_file() -> None:
    kinds = [
        each
        for _, each in inspect.getmembers(model_module, inspect.isclass)
        if issubclass(each, Table) and each is not Table
    ]
    assert {Manifest, ProjectTable, Permissions, Limits, Consciousness} <= set(kinds)
    assert all(each.__dataclass_params__.frozen for each in kinds)  # type: ignore[attr-defined]  # kept by dataclasses, unknown to types
    assert "requires-python" in keys_of(ProjectTable)
