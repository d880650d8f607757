"""The grammar as JSON Schema and as rows of the reference."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from somnus_plugins.trust.manifest import manifest_reference, manifest_schema
from somnus_plugins.trust.manifest.model import Manifest, Permissions
from somnus_plugins.trust.manifest.shapes import keys_of
from tests.unit.trust.documents import FULL, SMALLEST


def fits(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """Just enough of JSON Schema to hold the exported one against real manifests."""
    if "$ref" in schema:
        return fits(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root)
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "object":
            known = schema.get("properties", {})
            others = schema["additionalProperties"]
            names = re.compile(schema.get("propertyNames", {}).get("pattern", ""))
            return all(name in value for name in schema.get("required", [])) and all(
                bool(names.search(name))
                and (name in known or others is not False)
                and fits(known.get(name, others), each, root)
                for name, each in value.items()
            )
        case "array":
            fitting = all(fits(schema["items"], each, root) for each in value)
            return fitting and schema.get("minItems", 0) <= len(value) <= schema["maxItems"]
        case "string":
            return bool(re.search(schema["pattern"], value)) and len(value) <= schema["maxLength"]
        case "boolean":
            return isinstance(value, bool)
        case _:
            return bool(schema["minimum"] <= value <= schema["maximum"])


def test_the_schema_is_json_of_its_dialect() -> None:
    schema = manifest_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["type", "entry", "api"]
    assert set(schema["$defs"]) == {
        "Permissions",
        "FileAccess",
        "EventAccess",
        "SecretGrant",
        "Limits",
        "Consciousness",
    }


@pytest.mark.parametrize("text", [FULL, SMALLEST])
def test_manifests_fit_the_schema(text: str) -> None:
    schema = manifest_schema()
    somnus = tomllib.loads(text)["tool"]["somnus"]
    assert fits(schema, somnus, schema)
    assert not fits(schema, {**somnus, "typo": 1}, schema)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("type", "tool"),
        ("publisher", "Somnus"),
        ("entry", "notes"),
        ("activation", []),
        ("activation", ["never"]),
        ("sleep_after_s", -1),
        ("permissions", {"memory": "all"}),
        ("permissions", {"network": ["https://a/b"]}),
        ("permissions", {"secrets": {"lower": {"value": True}}}),
        ("permissions", {"events": {"publish": ["*"]}}),
        ("limits", {"memory_mb": 1}),
        ("consciousness", {"level_required": 2}),
    ],
)
def test_an_editor_marks_a_mistake(key: str, value: Any) -> None:
    schema = manifest_schema()
    somnus = tomllib.loads(SMALLEST)["tool"]["somnus"]
    assert not fits(schema, {**somnus, key: value}, schema)
    assert fits(schema, somnus, schema)


def test_every_key_has_a_description_and_a_default_or_is_required() -> None:
    schema = manifest_schema()
    for table in (schema, *schema["$defs"].values()):
        assert table["description"]
        assert table["additionalProperties"] is False
        for name, each in table["properties"].items():
            assert each["description"], name
            assert "default" in each or "$ref" in each or name in [*table["required"], "send"], name
    assert schema["properties"]["publisher"]["default"] == "local"
    assert schema["properties"]["activation"]["default"] == ["on_call"]
    assert schema["$defs"]["Limits"]["properties"]["memory_mb"]["default"] == 256


def test_the_reference_has_a_row_for_every_key() -> None:
    rows = {each.path: each for each in manifest_reference()}
    assert {f"tool.somnus.{name}" for name in keys_of(Manifest)} <= rows.keys()
    assert {f"tool.somnus.permissions.{name}" for name in keys_of(Permissions)} <= rows.keys()
    assert {f"tool.somnus.optional_permissions.{name}" for name in keys_of(Permissions)} <= rows.keys()
    assert {"project.requires-python", "tool.somnus.permissions.secrets.NAME.send"} <= rows.keys()
    assert len(rows) == len(manifest_reference())


def test_a_row_says_everything_about_its_key() -> None:
    rows = {each.path: each for each in manifest_reference()}
    assert all(each.allowed and each.description.endswith(".") for each in rows.values())
    memory = rows["tool.somnus.limits.memory_mb"]
    assert (memory.default, memory.required) == (256, False)
    assert memory.allowed == "a whole number from 16 to 1048576"
    assert rows["tool.somnus.type"].required
    assert rows["tool.somnus.permissions"].default is None
    assert json.dumps([each.default for each in rows.values()])
