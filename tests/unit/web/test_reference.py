"""The OpenAPI document as a page."""

from __future__ import annotations

from typing import Any

import pytest

from somnus_plugins.pages.rendering import Pages
from somnus_plugins.web.attachment import ASSETS, HERE
from somnus_plugins.web.reference import sections, type_name

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
        ({"$ref": "#/components/schemas/Loop"}, "any"),
        ({"$ref": "#/nowhere/at/all"}, "any"),
    ],
)
def test_a_type_is_a_few_words(schema: Any, words: str) -> None:
    assert type_name(DOCUMENT, schema) == words
    assert len(type_name(DOCUMENT, {"$ref": "#/components/schemas/Body"})) < 200


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
