"""From bytes to a manifest, or to all of its problems."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somnus_plugins.errors import InvalidManifest
from somnus_plugins.trust.manifest import Manifest, PluginType, parse_manifest
from somnus_plugins.trust.manifest.parser import MANIFEST_MAX_BYTES, manifest_from_tables
from somnus_plugins.trust.problems import PROBLEMS_MAX
from tests.unit.trust.documents import FULL, SMALLEST, laid_over, problems_of, refused


def test_the_smallest_manifest_has_every_default() -> None:
    found = parse_manifest(SMALLEST)
    assert str(found.id) == "local/notes"
    assert (found.name, found.version, found.description) == ("notes", "0.1.0", "")
    assert found.type is PluginType.TOOL_INTEGRATION
    assert (found.entry.module, found.entry.attribute) == ("notes", "Notes")
    assert [str(each) for each in found.activation] == ["on_call"]
    assert found.sleep_after_s == 300
    assert found.permissions == found.optional_permissions
    assert (found.requires, found.tags) == ((), ())


def test_the_contract_s_manifest_reads_as_it_says() -> None:
    found = parse_manifest(FULL.encode())
    permissions = found.permissions
    assert str(found.id) == "somnus/notes"
    assert [str(each) for each in found.requires] == ["somnus/embedder >=1.0"]
    assert permissions.memory == "write"
    assert [str(each) for each in permissions.share_memory] == ["somnus/journal:read"]
    assert permissions.files.read == ("{config.folder}",)
    assert permissions.network == ("api.example.com", "{config.base_url}")
    assert permissions.commands == ("git",)
    assert [str(each) for each in permissions.plugins] == ["somnus/embedder"]
    assert (permissions.events.publish, permissions.events.subscribe) == (("notes.*",), ("memory.stored",))
    assert (permissions.workspace, permissions.sessions, permissions.consciousness) == ("read", "read", "read")
    assert permissions.models == ("chat", "embed")
    assert not permissions.agents
    (secret,) = permissions.secrets
    assert (secret.name, secret.hosts, secret.value) == ("EXAMPLE_TOKEN", ("api.example.com",), False)
    assert secret.send is not None
    assert secret.send.value("s3") == "Bearer s3"


def test_text_and_bytes_give_equal_manifests_that_can_be_hashed() -> None:
    assert parse_manifest(FULL) == parse_manifest(FULL.encode())
    assert hash(parse_manifest(FULL)) == hash(parse_manifest(FULL.encode()))
    assert parse_manifest(FULL) != parse_manifest(SMALLEST)


@pytest.mark.parametrize("text", [SMALLEST, FULL])
def test_a_record_reads_as_the_manifest_it_came_from(text: str) -> None:
    found = parse_manifest(text)
    record = json.loads(json.dumps(found.to_record()))
    assert manifest_from_tables(record) == found
    assert record["tool"]["somnus"]["limits"]["memory_mb"] == 256


def test_all_problems_come_at_once_in_the_file_s_terms() -> None:
    found = {
        each["key"]: each
        for each in problems_of(
            """
            surprise = 1
            [project]
            name = "notes"
            version = "one"
            summary = "?"
            [tool.somnus]
            type = "tool_integrations"
            entry = "notes"
            api = ">=1,<2"
            permission = { memory = "read" }
            [tool.somnus.permissions]
            memory = true
            network = "example.com"
            [tool.somnus.permissions.events]
            publish = ["system.*"]
            subscribes = []
            [tool.somnus.limits]
            memory_mb = 0
            """
        )
    }
    assert set(found) == {
        "surprise",
        "project.version",
        "project.summary",
        "tool.somnus.type",
        "tool.somnus.entry",
        "tool.somnus.permission",
        "tool.somnus.permissions.memory",
        "tool.somnus.permissions.network",
        "tool.somnus.permissions.events.publish[0]",
        "tool.somnus.permissions.events.subscribes",
        "tool.somnus.limits.memory_mb",
    }
    assert found["tool.somnus.permission"]["hint"] == "the nearest known key is permissions"
    assert found["tool.somnus.permissions.events.subscribes"]["hint"] == "the nearest known key is subscribe"
    assert found["tool.somnus.type"]["hint"] == "the nearest is tool_integration"
    assert found["tool.somnus.permissions.memory"]["found"] == "true"
    assert found["tool.somnus.permissions.memory"]["allowed"] == "none, read or write"
    assert found["tool.somnus.limits.memory_mb"]["allowed"] == "a whole number from 16 to 1048576"
    assert all(each["file"] == "pyproject.toml" for each in found.values())


def test_the_caller_names_the_file() -> None:
    with pytest.raises(InvalidManifest, match=r"notes/pyproject\.toml") as caught:
        parse_manifest("", "notes/pyproject.toml")
    assert {each["file"] for each in caught.value.data["problems"]} == {"notes/pyproject.toml"}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ["project", "tool.somnus"]),
        ("[project]\nname = 'a'\nversion = '1'", ["tool.somnus"]),
        ("[tool.other]\nx = 1", ["project", "tool.somnus"]),
        ("project = 1\ntool = 2", ["project", "tool.somnus"]),
        ("[project]\n[tool]\nsomnus = []", ["project.name", "project.version", "tool.somnus"]),
        (
            "[project]\n[tool.somnus]",
            ["project.name", "project.version", "tool.somnus.api", "tool.somnus.entry", "tool.somnus.type"],
        ),
    ],
)
def test_what_is_missing_is_named(text: str, keys: list[str]) -> None:
    found = problems_of(text)
    assert sorted(each["key"] for each in found) == keys
    assert all(each["allowed"] for each in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project", "at the end of the file"),
        ("a = 1\nb = \n", "in line 2, column 5"),
        ("a = 1\na = 2\n", "line 2"),
        ("a = '''", "a mistake"),
        ("a = " + "[" * 5000, "deep nesting in line 1"),
        ("a = " + "9" * 5000, "a mistake"),
        ("a = 2030-13-45", "line 1"),
        ("\ufeff" + SMALLEST, "line 1, column 1"),
        (b"a = '\xff'\n", "not UTF-8 in line 1"),
        (b"a = 1\nb = '\xc3'\n", "not UTF-8 in line 2"),
        ("a = '\ud800" + "x" * MANIFEST_MAX_BYTES, f"{MANIFEST_MAX_BYTES + 8} bytes"),
        (b"#" * (MANIFEST_MAX_BYTES + 1), f"{MANIFEST_MAX_BYTES + 1} bytes"),
    ],
)
def test_what_is_not_toml_is_one_problem_that_says_where(text: str | bytes, said: str) -> None:
    (found,) = problems_of(text)
    assert said in found["found"]
    assert found["key"] == ""


def test_the_largest_file_is_still_read() -> None:
    comment = "#" * (MANIFEST_MAX_BYTES - len(SMALLEST))
    assert parse_manifest(SMALLEST + comment) == parse_manifest(SMALLEST)
    assert problems_of(SMALLEST + comment + "#")


def test_tables_of_other_tools_are_left_alone() -> None:
    more = "[tool.ruff]\nline-length = 120\n[build-system]\nrequires = []\n[dependency-groups]\ndev = ['pytest']\n"
    assert parse_manifest(SMALLEST + more) == parse_manifest(SMALLEST)
    assert problems_of(SMALLEST + "[tools.ruff]\nx = 1")[0]["hint"] == "the nearest known key is tool"


def test_a_misspelt_tool_table_is_a_missing_one() -> None:
    found = problems_of(SMALLEST.replace("tool.somnus", "tool.somnos"))
    assert [each["key"] for each in found] == ["tool.somnus"]
    assert "[tool.somnus]" in found[0]["hint"]


def test_keys_of_the_standard_that_mean_nothing_here_are_allowed() -> None:
    more = {
        "classifiers": ["Private :: Do Not Upload"],
        "maintainers": [{"name": "Ada"}],
        "optional-dependencies": {"dev": ["pytest"]},
        "scripts": {"notes": "notes:main"},
        "gui-scripts": {},
        "entry-points": {"group": {"a": "b:c"}},
        "license-files": ["LICENSE"],
        "import-names": ["notes"],
    }
    tables = laid_over(tomllib.loads(SMALLEST), {"project": more})
    assert manifest_from_tables(tables) == parse_manifest(SMALLEST)


def test_a_hostile_number_of_unknown_keys_is_cut_off_quickly() -> None:
    text = SMALLEST + "\n".join(f"unknown_key_number_{index} = 0" for index in range(8_000))
    found = problems_of(text)
    assert len(found) == PROBLEMS_MAX
    assert found[0]["key"] == "tool.somnus.unknown_key_number_0"


@pytest.mark.parametrize(
    "text",
    [
        "[" + ".".join(["a"] * 50_000) + "]",
        "a." * 50_000 + "b = 1",
        "a . " * 50_000 + "b = 1",
        "'a b'." * 40_000 + "b = 1",
        '"a\\".b". ' * 20_000 + "b = 1",
        "x = { " + "a." * 50_000 + "b = 1 }",
        "x = [" + "{ a = [" * 100,
    ],
    ids=["header", "key", "blanks", "quoted", "escaped", "inline", "brackets"],
)
def test_what_would_keep_the_standard_parser_busy_is_refused_at_once(text: str) -> None:
    (found,) = problems_of("\n" + text)
    assert found["found"] == "deep nesting in line 2"
    assert "at most 32" in found["allowed"]


@pytest.mark.parametrize(
    "text",
    [
        "x = '" + "a." * 1000 + "'",
        'x = "' + "[" * 1000 + '\\"' + "a." * 1000 + '"',
        'x = """' + "a." * 1000 + '\n"" ' + "[" * 100 + '"""""',
        "x = '''" + "{" * 1000 + "\n'' ''''",
        "# " + "[" * 1000 + "a." * 1000,
        "x = [" + "'1.2.3', " * 1000 + "]",
        "x = [" + "1.5, " * 1000 + "]",
        "\n".join(f"a{index}.b.c = 1" for index in range(1000)),
        "\n".join(f"[tool.a{index}.b.c]" for index in range(1000)),
    ],
)
def test_what_only_looks_deep_is_read(text: str) -> None:
    assert parse_manifest(f"{SMALLEST}\n[tool.other]\n{text}") == parse_manifest(SMALLEST)
    assert parse_manifest(f"[tool.other]\n{text}\n{SMALLEST}") == parse_manifest(SMALLEST)


def test_sleeping_never_needs_the_permission_to_stay_awake() -> None:
    (found,) = refused("tool.somnus.sleep_after_s", 0)
    assert found["key"] == "tool.somnus.sleep_after_s"
    assert found["hint"] == "sleep_after_s = 0 needs permissions.background = true"
    awake = {"sleep_after_s": 0, "permissions": {"background": True}}
    tables = laid_over(tomllib.loads(SMALLEST), {"tool": {"somnus": awake}})
    assert manifest_from_tables(tables).sleep_after_s == 0


def test_an_optional_permission_does_not_allow_to_sleep_never() -> None:
    somnus = {"sleep_after_s": 0, "optional_permissions": {"background": True}}
    with pytest.raises(InvalidManifest, match="background"):
        manifest_from_tables(laid_over(tomllib.loads(SMALLEST), {"tool": {"somnus": somnus}}))


def test_a_plugin_cannot_require_itself() -> None:
    (found,) = refused("tool.somnus.requires", ["local/notes >=1"])
    assert found["found"] == "local/notes"
    assert found["allowed"] == "other plugins"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["read", "on_call", ">=1", "a/b", "*", "{config.x}", "/", "notes:Notes", "event:*", "Authorization: {}"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)),
    max_leaves=8,
)
SOMNUS_KEYS = sorted(parse_manifest(FULL).to_record()["tool"]["somnus"])
PERMISSION_KEYS = sorted(parse_manifest(FULL).to_record()["tool"]["somnus"]["permissions"])


def outcome(document: Any) -> Manifest | list[dict[str, str]]:
    try:
        return parse_manifest(document) if isinstance(document, str) else manifest_from_tables(document)
    except InvalidManifest as error:
        return list(error.data["problems"])


def read_or_refused(document: Any) -> None:
    found = outcome(document)
    assert found
    assert not isinstance(found, Manifest) or outcome(found.to_record()) == found


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(SOMNUS_KEYS), VALUES, max_size=4))
def test_any_values_of_somnus_keys_are_read_or_refused(somnus: dict[str, Any]) -> None:
    read_or_refused(laid_over(tomllib.loads(FULL), {"tool": {"somnus": somnus}}))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(PERMISSION_KEYS), VALUES, max_size=4))
def test_any_values_of_permissions_are_read_or_refused(permissions: dict[str, Any]) -> None:
    read_or_refused(laid_over(tomllib.loads(FULL), {"tool": {"somnus": {"permissions": permissions}}}))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "version", "license", "readme", "urls", "dynamic"]), VALUES))
def test_any_values_of_the_project_are_read_or_refused(project: dict[str, Any]) -> None:
    read_or_refused(laid_over(tomllib.loads(FULL), {"project": project}))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_raise_nothing_but_invalid_manifest(content: bytes) -> None:
    assert problems_of(content)
    assert problems_of(SMALLEST.encode() + b"\n=" + content)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(FULL) - 1), st.text(max_size=4))
def test_a_damaged_manifest_is_read_or_refused(position: int, damage: str) -> None:
    read_or_refused(FULL[:position] + damage + FULL[position + 1 :])
