"""A description holds everything that is said about a plugin while it sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import jsonschema
import msgspec
import pytest
from fastapi import APIRouter
from pydantic import BaseModel, Field

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk import Call, Event, Plugin, cron, every, get, on, post, tool, websocket
from somnus_plugins.wire.contributions import Contributions, Route, Schedule, Subscription, Tool
from somnus_plugins.worker.describe import describe

from .serving import loaded_of


class Settings(BaseModel):
    """Where to look."""

    folder: str
    depth: int = Field(3, ge=1)


class Hit(msgspec.Struct):
    id: int


class Note(BaseModel):
    text: str


router = APIRouter(prefix="/more")


@router.get("/{name}")
async def more(name: str) -> Note:
    """More of it."""
    return Note(text=name)


class Notes(Plugin):
    """Index a folder."""

    config: Settings
    router = router

    @tool(read_only=True, idempotent=True, title="Find notes", timeout_s=9)
    async def search(self, query: str, call: Call, limit: Annotated[int, Field(ge=1, le=50)] = 5) -> list[Hit]:
        """Find notes by meaning.

        The best come first.
        """
        return []

    @tool
    async def ingest(self) -> AsyncIterator[Note]:
        yield Note(text="a")

    @tool
    def nothing(self, value):  # type: ignore[no-untyped-def]  # as authors write it
        return value

    @get("/search")
    async def page(self, q: str, call: Call) -> list[Hit]:
        """Search page."""
        return []

    @post("/notes", status_code=201, tags=["notes"])
    async def add(self, note: Note) -> Note:
        return note

    @get("/hidden", include_in_schema=False)
    async def hidden(self) -> None: ...

    @websocket("/live")
    async def live(self) -> None: ...

    @on("memory.*")
    async def remember(self, event: Event) -> None: ...

    @every("15m")
    async def tick(self) -> None: ...

    @cron("0 7 * * 1-5")
    async def morning(self) -> None: ...


@pytest.fixture(scope="module")
def described() -> Contributions:
    return describe(loaded_of(Notes, folder="x"))


def test_it_is_the_same_after_a_journey_as_json(described: Contributions) -> None:
    assert msgspec.json.decode(msgspec.json.encode(described), type=Contributions) == described
    assert described.fingerprint == loaded_of(Notes, folder="x").announcement.fingerprint


def test_a_tool_is_described_by_its_docstring_and_flags(described: Contributions) -> None:
    found = described.tools[0]

    assert (found.name, found.title, found.kind) == ("search", "Find notes", "tool")
    assert found.description == "Find notes by meaning.\n\nThe best come first."
    assert (found.read_only, found.idempotent, found.timeout_s, found.streams) == (True, True, 9.0, False)


def test_arguments_have_a_schema_without_the_call(described: Contributions) -> None:
    schema = described.tools[0].input_schema

    assert list(schema["properties"]) == ["query", "limit"]
    assert schema["required"] == ["query"]
    assert schema["properties"]["limit"] == {
        "default": 5,
        "maximum": 50,
        "minimum": 1,
        "title": "Limit",
        "type": "integer",
    }
    assert schema["additionalProperties"] is False


def test_a_result_has_a_schema(described: Contributions) -> None:
    schema = described.tools[0].output_schema

    assert schema is not None
    assert jsonschema.Draft202012Validator(schema).is_valid([{"id": 1}])
    assert not jsonschema.Draft202012Validator(schema).is_valid([{}])


def test_a_stream_has_the_schema_of_one_item(described: Contributions) -> None:
    found = described.tools[1]

    assert found.streams
    assert found.output_schema is not None
    assert found.output_schema["properties"] == {"text": {"title": "Text", "type": "string"}}
    assert found.input_schema["properties"] == {}


def test_a_method_without_annotations_promises_nothing(described: Contributions) -> None:
    found = described.tools[2]

    assert found.output_schema is None
    assert found.input_schema["properties"]["value"] == {"title": "Value"}
    assert found.description == ""


def test_routes_are_listed_in_the_order_in_which_they_are_tried(described: Contributions) -> None:
    assert described.routes == (
        Route(path="/search", methods=("GET",), name="page"),
        Route(path="/notes", methods=("POST",), name="add"),
        Route(path="/hidden", methods=("GET",), name="hidden"),
        Route(path="/live", name="live", websocket=True),
        Route(path="/more/{name}", methods=("GET",), name="more"),
    )
    assert describe(loaded_of(Notes, folder="x")).routes == described.routes


def test_openapi_is_the_one_fastapi_makes(described: Contributions) -> None:
    document = described.openapi

    assert list(document["paths"]) == ["/search", "/notes", "/more/{name}"]
    assert document["info"] == {"title": "somnus/notes", "version": "1.2.3", "description": "Index a folder."}
    assert document["paths"]["/notes"]["post"]["responses"]["201"]
    assert document["paths"]["/search"]["get"]["description"] == "Search page."


def test_openapi_has_the_schema_of_a_struct_and_no_parameter_for_the_call(described: Contributions) -> None:
    page = described.openapi["paths"]["/search"]["get"]

    assert [each["name"] for each in page["parameters"]] == ["q"]
    answer = page["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["items"] == {"$ref": "#/components/schemas/Hit"}
    assert described.openapi["components"]["schemas"]["Hit"]["required"] == ["id"]


def test_events_and_times_are_listed(described: Contributions) -> None:
    assert described.subscriptions == (Subscription(pattern="memory.*", method="remember"),)
    assert described.schedules == (
        Schedule(method="tick", every_s=900.0),
        Schedule(method="morning", cron="0 7 * * 1-5"),
    )


def test_settings_have_a_schema(described: Contributions) -> None:
    schema = described.config_schema

    assert schema is not None
    assert schema["required"] == ["folder"]
    assert schema["description"] == "Where to look."
    assert schema["properties"]["depth"]["minimum"] == 1


def test_without_fitting_settings_the_description_is_the_same(described: Contributions) -> None:
    loaded = loaded_of(Notes)

    assert loaded.plugin is None
    assert describe(loaded) == described


def test_a_plugin_of_nothing_is_described_as_nothing() -> None:
    class Empty(Plugin): ...

    found = describe(loaded_of(Empty))

    assert found == Contributions(fingerprint=found.fingerprint)
    assert found.config_schema is None


def test_a_plugin_of_one_tool_has_no_openapi() -> None:
    class Small(Plugin):
        @tool
        async def echo(self, text: str) -> str:
            return text

    found = describe(loaded_of(Small))

    assert (found.routes, found.openapi) == ((), {})
    assert [type(each) for each in found.tools] == [Tool]


@pytest.mark.parametrize("expression", ["61 * * * *", "* * * * 9", "a b c d e", "* 25 * * *"])
def test_a_cron_expression_out_of_range_is_refused(expression: str) -> None:
    class Odd(Plugin):
        @cron(expression)
        async def morning(self) -> None: ...

    with pytest.raises(InvalidPlugin, match="morning: @cron") as caught:
        describe(loaded_of(Odd))
    assert repr(expression) in caught.value.message


def method_of(kind: type[Any]) -> Any:
    async def search(self: Any, value: Any) -> None: ...

    search.__annotations__["value"] = kind
    return search


class Unwritable:
    """A type of the author's own that nobody can read."""


def test_a_tool_without_a_schema_is_named() -> None:
    kind = type("Odd", (Plugin,), {"search": tool(method_of(Unwritable))})

    with pytest.raises(InvalidPlugin, match="tool search: an annotation has no schema") as caught:
        describe(loaded_of(kind))
    assert caught.value.remedy


def test_a_tool_whose_schema_json_cannot_say_is_named() -> None:
    kind = type("Odd", (Plugin,), {"search": tool(method_of(Callable[[], int]))})  # type: ignore[arg-type]  # the mistake

    with pytest.raises(InvalidPlugin, match="tool search: an annotation has no JSON Schema"):
        describe(loaded_of(kind))
    assert kind.__name__ == "Odd"


def test_a_schema_that_holds_an_object_is_refused() -> None:
    class Odd(Plugin):
        config: Settings

    Odd.__annotations__["config"] = Annotated[int, Field(json_schema_extra={"x": object()})]  # type: ignore[dict-item]  # the very mistake

    with pytest.raises(InvalidPlugin, match=r"Odd\.config: an annotation has no JSON Schema"):
        describe(loaded_of(Odd))
    assert "config" in Odd.__annotations__
