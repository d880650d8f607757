"""The OpenAPI document as a page."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.pages.rendering import Pages
from somnus_plugins.web.attachment import ASSETS, HERE
from somnus_plugins.web.openapi import DocumentMerger
from somnus_plugins.web.reference import sections, type_name
from tests.unit.web.played import listing

DOCUMENT: dict[str, Any] = {
    "tags": [{"name": "notes", "description": "Notes <b>"}],
    "paths": {
        "/a": {
            "get": {
                "operationId": "a",
                "tags": ["notes"],
                "summary": "<script>alert(1)</script>",
                "description": "One\nline.\n\nTwo.",
                "parameters": [
                    {"name": "q", "in": "query", "required": True, "schema": {"$ref": "#/components/schemas/Q"}},
                    {"$ref": "#/components/parameters/Limit"},
                ],
                "responses": {"204": {"description": "Nothing."}},
            },
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
                "responses": {"200": {"content": {"text/plain": {"schema": {"type": "string"}}}}},
            },
        }
    },
    "components": {
        "schemas": {
            "Q": {"type": "string", "description": "Words."},
            "Body": {
                "type": "object",
                "required": ["x"],
                "properties": {"x": {"type": "integer"}, "y": {"$ref": "#/components/schemas/Body"}},
            },
            "Loop": {"$ref": "#/components/schemas/Loop"},
        },
        "parameters": {"Limit": {"name": "limit", "in": "query", "schema": {"type": "integer"}}},
    },
}


def test_operations_stand_below_their_tags() -> None:
    notes, other = sections(DOCUMENT)

    assert (notes.name, notes.description, [entry.method for entry in notes.entries]) == ("notes", "Notes <b>", ["GET"])
    assert (other.name, [entry.method for entry in other.entries]) == ("other", ["POST"])
    assert notes.entries[0].paragraphs == ("One line.", "Two.")


def test_parameters_bodies_and_answers_are_written_out() -> None:
    notes, other = sections(DOCUMENT)
    fields = notes.entries[0].fields + other.entries[0].fields

    assert [(field.name, field.place, field.required) for field in fields] == [
        ("q", "query", True),
        ("limit", "query", False),
        ("x", "application/json", True),
        ("y", "application/json", False),
    ]
    assert fields[0].description == "Words."
    assert notes.entries[0].answers == (("204", "", "nothing"),)
    assert other.entries[0].answers == (("200", "text/plain", "string"),)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "any"),
        (True, "any"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"type": "array", "items": {"type": "number"}}, "array of number"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "{a: string}"),
        ({"type": "object"}, "object"),
        ({"$ref": "#/components/schemas/Body"}, "{x: integer, y: Body}"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Body"}}, "array of {x: integer, y: Body}"),
        ({"anyOf": [{"$ref": "#/components/schemas/Body"}, {"type": "null"}]}, "{x: integer, y: Body} or null"),
        ({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {}}}}}, "{a: object}"),
        ({"$ref": "#/components/schemas/Loop"}, "any"),
        ({"type": 5, "properties": [], "anyOf": {}, "enum": 7}, "5"),
        ({"$ref": "#/nowhere/at/all"}, "any"),
    ],
)
def test_a_type_is_a_few_words(schema: Any, words: str) -> None:
    assert type_name(DOCUMENT, schema) == words
    assert len(type_name(DOCUMENT, {"$ref": "#/components/schemas/Body"})) < 200


def test_what_is_long_is_cut_and_says_so() -> None:
    keys = {f"k{number}": {"type": "string"} for number in range(50)}
    name = type_name(DOCUMENT, {"type": "object", "properties": keys})
    values = type_name(DOCUMENT, {"enum": ["x" * 1000, *range(50)]})

    assert name.endswith("k11: string, …}")
    assert "k12" not in name
    assert values.endswith(" | …")
    assert len(values) < 200


def knotted(fields: int) -> dict[str, Any]:
    """A document whose schemas have many keys, each of which leads to all the others."""
    schemas = {
        f"S{number}": {
            "type": "object",
            "required": [f"f{key}" for key in range(fields)],
            "properties": {f"f{key}": {"$ref": f"#/components/schemas/S{key}"} for key in range(fields)},
        }
        for number in range(fields)
    }
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    return {
        "paths": {"/x": {"post": {"requestBody": content, "responses": {"200": content}}}},
        "components": {"schemas": schemas},
    }


def test_a_document_is_read_in_proportion_to_its_size() -> None:
    def fastest(document: dict[str, Any]) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            sections(document)
            times.append(time.perf_counter() - began)
        return min(times)

    small, large = fastest(knotted(20)), fastest(knotted(160))
    (other,) = sections(knotted(160))

    assert large < 100 * small
    assert large < 1
    assert len(str(other)) < 200_000


KEYS = [
    "paths",
    "/x",
    "get",
    "parameters",
    "requestBody",
    "responses",
    "200",
    "content",
    "application/json",
    "schema",
    "type",
    "properties",
    "items",
    "anyOf",
    "enum",
    "required",
    "components",
    "schemas",
    "$ref",
    "name",
    "in",
    "description",
    "default",
    "mapping",
    "tags",
    "summary",
    "operationId",
    "S",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.sampled_from(["#/components/schemas/S", "#/components/responses/S", "#/paths", "object"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(operation=JSON, content=JSON, schema=JSON, rest=JSON)
def test_whatever_a_plugin_says_of_itself_the_document_can_be_read(
    operation: Any, content: Any, schema: Any, rest: Any
) -> None:
    good = {"responses": {"200": {"description": "", "content": {"text/plain": {"schema": schema}}}}}
    openapi = {
        "paths": {
            "/good": {"get": good},
            "/odd": {"get": operation, "put": {"parameters": content}, "post": {"requestBody": {"content": content}}},
            "/odder": rest,
        },
        "components": {"schemas": {"S": schema, "T": rest}, "responses": {"S": content}, "parameters": rest},
    }
    catalogue = Catalogue(1, [listing("notes", openapi=openapi)])
    document = DocumentMerger(
        lambda: {"paths": {}},
        lambda: catalogue,
        prefix="/plugins",
        api_prefix="/api",
        user_by_token=True,
        admin_by_token=True,
    )()

    assert json.dumps(document, allow_nan=False)
    assert sections(document)
    assert "/plugins/notes/good" in document["paths"]


def test_what_a_plugin_wrote_is_text_on_the_page() -> None:
    page = Pages(HERE / "templates").render(
        "reference.html",
        nonce="n",
        assets="/plugins/assets",
        files=ASSETS,
        home="/",
        openapi="/openapi.json",
        title="Somnus",
        version="1",
        sections=sections(DOCUMENT),
    )

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Notes &lt;b&gt;" in page
