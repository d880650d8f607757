"""One document from many."""

from __future__ import annotations

import json
from typing import Any

import pytest

from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.web.gates import Area, Clearance, ways
from somnus_plugins.web.openapi import DEPTH_MAX, DocumentMerger, admin_fragment, plugin_fragment
from somnus_plugins.wire.contributions import Tool
from tests.unit.web.played import listing

BASE: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Mine"},
    "paths": {"/mine": {"get": {"operationId": "mine"}}},
    "components": {"schemas": {"Hit": {"title": "my own Hit"}}},
}
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "theirs"},
    "servers": [{"url": "http://evil.example"}],
    "paths": {
        "/search": {
            "servers": [{"url": "http://evil.example"}],
            "get": {
                "operationId": "search",
                "tags": ["a", "b"],
                "servers": [{"url": "http://evil.example"}],
                "security": [],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Hit"}}}}
                },
            },
        }
    },
    "components": {
        "schemas": {
            "Hit": {
                "type": "object",
                "properties": {
                    "next": {"$ref": "#/components/schemas/Hit"},
                    "$ref": {"type": "string"},
                    "default": {"$ref": "#/components/schemas/Odd name"},
                },
                "example": {"$ref": "#/components/schemas/Hit"},
                "discriminator": {"propertyName": "k", "mapping": {"x": "#/components/schemas/Hit"}},
            },
            "Odd name": {"$ref": "http://evil.example/schema.json"},
        }
    },
}
FIND = Tool(
    name="find",
    description="Find.\n\nMore words.",
    input_schema={
        "type": "object",
        "required": ["query"],
        "properties": {"query": {"$ref": "#/$defs/Query"}},
        "$defs": {"Query": {"type": "string"}},
    },
    output_schema={"type": "array", "items": {"$ref": "#/$defs/Hit"}, "$defs": {"Hit": {"type": "object"}}},
)


def references(node: Any) -> list[str]:
    """Every reference of a document, examples left out."""
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for key, each in node.items() if key != "example" for found in references(each)]


def target(document: Any, reference: str) -> Any:
    for key in reference.removeprefix("#/").split("/"):
        document = document[key]
    return document


def merged(*listings: Any, base: dict[str, Any] | None = None) -> dict[str, Any]:
    catalogue = Catalogue(1, listings)
    return merger(lambda: catalogue, base or BASE)()


def merger(catalogue: Any, base: dict[str, Any] = BASE) -> DocumentMerger:
    return DocumentMerger(
        lambda: base, catalogue, prefix="/plugins", api_prefix="/api/v1", user_by_token=True, admin_by_token=True
    )


def test_paths_operations_and_components_are_put_into_the_plugins_own_space() -> None:
    document = merged(listing("my-notes", openapi=OPENAPI))
    operation = document["paths"]["/plugins/my-notes/search"]["get"]

    assert operation["operationId"] == "my-notes_search"
    assert operation["tags"] == ["my-notes"]
    assert {"MyNotes_Hit", "MyNotes_Odd_name", "Hit"} <= set(document["components"]["schemas"])
    assert document["components"]["schemas"]["Hit"] == {"title": "my own Hit"}
    assert [tag["name"] for tag in document["tags"]] == ["somnus", "my-notes"]


def test_every_reference_leads_somewhere_within_the_document() -> None:
    document = merged(listing("notes", openapi=OPENAPI, tools=[FIND]))
    found = references(document)

    assert len(found) > 10
    assert all(target(document, reference) is not None for reference in found)


def test_names_that_look_like_keywords_stay_names_and_data_stays_data() -> None:
    hit = merged(listing("notes", openapi=OPENAPI))["components"]["schemas"]["Notes_Hit"]

    assert hit["properties"]["$ref"] == {"type": "string"}
    assert hit["properties"]["default"] == {"$ref": "#/components/schemas/Notes_Odd_name"}
    assert hit["example"] == {"$ref": "#/components/schemas/Hit"}
    assert hit["discriminator"]["mapping"] == {"x": "#/components/schemas/Notes_Hit"}


def test_nothing_sends_a_reader_to_another_server() -> None:
    document = merged(listing("notes", openapi=OPENAPI))

    assert "evil.example" not in json.dumps(document)
    assert "servers" not in document["paths"]["/plugins/notes/search"]["get"]


def test_two_plugins_with_the_same_names_do_not_meet() -> None:
    document = merged(listing("one", openapi=OPENAPI), listing("two", openapi=OPENAPI))
    operations = [each["get"]["operationId"] for path, each in document["paths"].items() if path.endswith("/search")]

    assert sorted(operations) == ["one_search", "two_search"]
    assert {"One_Hit", "Two_Hit"} <= set(document["components"]["schemas"])


def test_a_tool_is_an_operation_with_its_schemas() -> None:
    document = merged(listing("notes", tools=[FIND]))
    operation = document["paths"]["/plugins/notes/tools/find"]["post"]
    schemas = document["components"]["schemas"]

    assert (operation["operationId"], operation["summary"]) == ("notes_tools_find", "Find.")
    assert schemas["Notes_find_input"]["properties"]["query"] == {"$ref": "#/components/schemas/Notes_find_input_Query"}
    assert schemas["Notes_find_output_Hit"] == {"type": "object"}
    assert set(operation["responses"]["200"]["content"]) == {
        "application/json",
        "text/event-stream",
        "application/x-ndjson",
    }
    assert operation["requestBody"]["required"] is True


def test_a_recursive_tool_schema_leads_to_itself() -> None:
    tree = Tool(name="tree", input_schema={"type": "object", "properties": {"child": {"$ref": "#"}}})
    schemas = merged(listing("notes", tools=[tree]))["components"]["schemas"]

    assert schemas["Notes_tree_input"]["properties"]["child"] == {"$ref": "#/components/schemas/Notes_tree_input"}
    assert "Notes_tree_output" in schemas


def test_public_routes_ask_for_no_token_and_others_do() -> None:
    private = plugin_fragment(listing("a", openapi=OPENAPI), "/p", by_token=True)
    public = plugin_fragment(listing("a", openapi=OPENAPI, public_routes=True, tools=[FIND]), "/p", by_token=True)
    by_login = plugin_fragment(listing("a", openapi=OPENAPI, tools=[FIND]), "/p", by_token=False)

    assert private.paths["/p/a/search"]["get"]["security"] == [{"SomnusToken": []}]
    assert "security" not in public.paths["/p/a/search"]["get"]
    assert public.paths["/p/a/tools/find"]["post"]["security"] == [{"SomnusToken": []}]
    assert "security" not in by_login.paths["/p/a/tools/find"]["post"]


@pytest.mark.parametrize(
    "openapi",
    [
        {"paths": []},
        {"paths": {"/x": None}, "components": 7},
        {"paths": {"/x": {"get": "no"}}, "components": {"schemas": [1]}},
        {"paths": {"/x": {"$ref": "#/paths/~1y", "get": {"parameters": {"$ref": 5}}}}},
    ],
)
def test_a_fragment_that_is_no_document_does_no_harm(openapi: dict[str, Any]) -> None:
    document = merged(listing("notes", openapi=openapi))

    assert document["paths"]["/mine"] == BASE["paths"]["/mine"]
    assert json.dumps(document)


@pytest.mark.parametrize(
    "odd",
    [
        {"requestBody": {"content": {"application/json": 5}}},
        {"responses": {"200": {"content": []}}},
        {"responses": []},
        {"parameters": [5]},
        {"parameters": {"name": "x"}},
        {"summary": {"a": 1}},
        "no",
    ],
)
def test_an_operation_of_another_shape_is_left_out_and_the_others_stay(odd: Any) -> None:
    openapi = {"paths": {"/x": {"get": odd, "post": {"summary": "Good."}}}}
    fragment = plugin_fragment(listing("notes", openapi=openapi), "/p", by_token=False)

    assert list(fragment.paths["/p/notes/x"]) == ["post"]
    assert fragment.paths["/p/notes/x"]["post"]["summary"] == "Good."


def test_data_that_nests_too_deep_is_cut() -> None:
    deep: Any = 1
    for _ in range(DEPTH_MAX * 2):
        deep = [deep]
    schemas = {"Deep": {"default": deep, "example": {"a": 1}}}
    copied = plugin_fragment(listing("notes", openapi={"components": {"schemas": schemas}}), "/p", by_token=False)
    found = copied.components["schemas"]["Notes_Deep"]

    assert str(found["default"]).count("[") <= DEPTH_MAX + 1
    assert found["example"] == {"a": 1}


def test_what_nests_too_deep_is_cut() -> None:
    deep: dict[str, Any] = {}
    for _ in range(DEPTH_MAX * 2):
        deep = {"items": deep}
    schemas = merged(listing("notes", openapi={"components": {"schemas": {"Deep": deep}}}))["components"]["schemas"]

    assert str(schemas["Notes_Deep"]).count("items") <= DEPTH_MAX + 1
    assert "items" in schemas["Notes_Deep"]


def test_the_document_is_made_anew_only_when_something_changed() -> None:
    catalogues = [Catalogue(1, [listing("one", openapi=OPENAPI)])]
    document = merger(lambda: catalogues[-1])
    first, again = document(), document()
    catalogues.append(Catalogue(2))
    gone = document()

    assert first is again
    assert "/plugins/one/search" in first["paths"]
    assert not [path for path in gone["paths"] if path.startswith("/plugins")]
    assert "/mine" in gone["paths"]


def test_the_applications_own_document_is_not_changed() -> None:
    before = json.dumps(BASE)
    merged(listing("one", openapi=OPENAPI), base=BASE)

    assert json.dumps(BASE) == before
    assert "/plugins/one/search" not in BASE["paths"]


def test_every_way_of_the_api_is_described() -> None:
    fragment = admin_fragment("/api/v1", by_token=True)
    described = {(method.upper(), path) for path, item in fragment.paths.items() for method in item}

    assert described == {(way.method, "/api/v1" + way.path) for way in ways(Area.API)}
    for way in ways(Area.API):
        operation = fragment.paths["/api/v1" + way.path][way.method.lower()]
        assert ("security" in operation) is (way.gate is not Clearance.PUBLIC)
        assert operation["summary"]
