"""JSON Schemas are whole documents of the 2020-12 dialect, with every Struct in its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonschema
import msgspec
import pytest
from pydantic import BaseModel, Field, TypeAdapter

from somnus_plugins.worker.annotations import STRUCT, lend_schemas
from somnus_plugins.worker.schemas import json_schema, place_structs


class Leaf(msgspec.Struct):
    id: int
    when: datetime | None = None


class Tree(msgspec.Struct):
    leaf: Leaf
    above: Tree | None = None


class Model(BaseModel):
    size: int = Field(1, ge=1)
    marker: Any = object()


@dataclass
class Box:
    trees: list[Tree]
    model: Model


def schema_of(annotation: Any, mode: Any = "validation") -> dict[str, Any]:
    lend_schemas(annotation)
    return json_schema(TypeAdapter(annotation), mode)


@pytest.mark.parametrize("annotation", [int, Model, Leaf, Tree, list[Leaf], dict[str, Tree], Box, Tree | Box | None])
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_schema_is_a_valid_document(annotation: Any, mode: str) -> None:
    document = schema_of(annotation, mode)

    jsonschema.Draft202012Validator.check_schema(document)
    assert STRUCT not in msgspec.json.encode(document).decode()


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (Leaf, {"id": 1}, {"id": "x"}),
        (list[Leaf], [{"id": 1}], [{}]),
        (Tree, {"leaf": {"id": 1}, "above": {"leaf": {"id": 2}}}, {"leaf": {"id": 1}, "above": {"leaf": {}}}),
        (Box, {"trees": [{"leaf": {"id": 1}}], "model": {}}, {"trees": [{}], "model": {}}),
        (Box, {"trees": [], "model": {"size": 1}}, {"trees": [], "model": {"size": 0}}),
    ],
)
def test_a_schema_says_what_is_taken(annotation: Any, good: Any, bad: Any) -> None:
    validator = jsonschema.Draft202012Validator(schema_of(annotation))

    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_a_struct_that_appears_twice_is_defined_once() -> None:
    document = schema_of(dict[str, Leaf] | list[Leaf])

    assert list(document["$defs"]) == ["Leaf"]
    assert msgspec.json.encode(document).count(b'"#/$defs/Leaf"') == 2


def test_a_default_that_json_has_no_word_for_is_left_out_silently() -> None:
    document = schema_of(Model)

    assert "default" not in document["properties"]["marker"]
    assert document["properties"]["size"]["default"] == 1


def test_definitions_go_where_the_document_keeps_them() -> None:
    lend_schemas(Leaf)
    marked = TypeAdapter(list[Leaf]).json_schema()
    document = place_structs({"paths": marked}, "#/components/schemas/{name}", ("components", "schemas"))

    assert document["paths"]["items"]["$ref"] == "#/components/schemas/Leaf"
    assert document["components"]["schemas"]["Leaf"]["required"] == ["id"]


def test_a_document_without_structs_is_left_as_it_is() -> None:
    document = {"type": "object", "properties": {"a": [1, {"b": None}]}}

    assert place_structs(document, "#/{name}", ("$defs",)) is document
    assert "$defs" not in document


def test_a_definition_that_is_there_is_not_replaced() -> None:
    lend_schemas(Leaf)
    marked = TypeAdapter(list[Leaf]).json_schema() | {"$defs": {"Leaf": {"const": "taken"}}}

    assert place_structs(marked, "#/$defs/{name}", ("$defs",))["$defs"]["Leaf"] == {"const": "taken"}
    assert marked["items"]["$ref"] == "#/$defs/Leaf"
