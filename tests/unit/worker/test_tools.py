"""Arguments and results of tools: what fits, what does not, and what is said about it."""

from __future__ import annotations

import datetime
import enum
import typing
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict

import msgspec
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, PlainSerializer, field_validator

from somnus_plugins.errors import InvalidInput, InvalidPlugin, InvalidResult
from somnus_plugins.sdk import Call, Plugin, tool
from somnus_plugins.worker.inventory import Inventory
from somnus_plugins.worker.tools import ToolAdapter

UTC = datetime.UTC


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Model(BaseModel):
    name: str
    size: int = Field(1, ge=1, alias="bigness")


class Struct(msgspec.Struct):
    id: int
    tags: list[str] = []
    inner: Struct | None = None


@dataclass
class Data:
    struct: Struct
    path: Path = Path("/x")
    many: list[int] = field(default_factory=list)


class Record(TypedDict):
    a: int
    b: NotRequired[str]


class NewRecord(typing_extensions.TypedDict, total=False):
    a: int
    struct: Struct


class Everything(Plugin):
    """One parameter of each kind."""

    @tool
    async def takes_int(self, value: int) -> int:
        return value

    @tool
    async def takes_anything(self, value) -> Any:  # type: ignore[no-untyped-def]  # as authors write it
        return value

    @tool
    async def takes_optional(self, value: Optional[int] = None) -> int | None:  # noqa: UP045  # as authors write it
        return value

    @tool
    async def takes_model(self, value: Model) -> Model:
        return value

    @tool
    async def takes_struct(self, value: Struct) -> Struct:
        return value

    @tool
    async def takes_structs(self, value: list[Struct], other: dict[str, Struct] | None = None) -> list[Struct]:
        return [*value, *(other or {}).values()]

    @tool
    async def takes_data(self, value: Data) -> Data:
        return value

    @tool
    async def takes_record(self, value: Record) -> Record:
        return value

    @tool
    async def takes_new_record(self, value: NewRecord) -> NewRecord:
        return value

    @tool
    async def takes_colour(self, value: Colour) -> Colour:
        return value

    @tool
    async def takes_literal(self, value: Literal["a", 1]) -> Literal["a", 1]:
        return value

    @tool
    async def takes_time(self, value: datetime.datetime) -> datetime.datetime:
        return value

    @tool
    async def takes_path(self, value: Path) -> Path:
        return value

    @tool
    async def takes_uuid(self, value: uuid.UUID) -> uuid.UUID:
        return value

    @tool
    async def takes_bytes(self, value: bytes) -> bytes:
        return value

    @tool
    async def takes_set(self, value: set[int]) -> set[int]:
        return value

    @tool
    async def takes_bounded(
        self,
        value: Annotated[int, Field(ge=1, le=50)] = 5,
        other: int = Field(7, ge=1),
        third: list[int] = Field(default_factory=list),  # noqa: B008  # as pydantic has it
        fourth: Annotated[int, Field(default=9)] = 9,
    ) -> list[Any]:
        return [value, other, third, fourth]

    @tool
    async def takes_keyword_only(self, *, value: int, copy: str = "x", schema: str = "y", json: int = 1) -> list[Any]:
        return [value, copy, schema, json]

    @tool
    async def takes_nothing(self) -> None:
        return None

    @tool
    async def takes_call(self, call: Call | None, maybe: "Optional[Call]" = None, value: int = 3) -> int:  # noqa: UP037, UP045  # as authors write it
        return value

    @tool
    async def promises_nothing(self, value: Any):  # type: ignore[no-untyped-def]  # as authors write it
        return value

    @tool
    async def serializes(self) -> Annotated[int, PlainSerializer(lambda value: f"{value} mm")]:
        return 3

    @tool
    async def streams(self) -> AsyncIterator[Struct]:
        yield Struct(1)


INVENTORY = Inventory.of(Everything)


def adapter(name: str) -> ToolAdapter:
    return ToolAdapter(INVENTORY.tools[name], object.__new__(Everything))


def read(name: str, **arguments: Any) -> dict[str, Any]:
    return adapter(name).read(msgspec.Raw(msgspec.msgpack.encode(arguments)))


def written(name: str, value: Any) -> Any:
    return msgspec.msgpack.decode(adapter(name).write(value))


def problem(name: str, **arguments: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read(name, **arguments)
    (found,) = caught.value.data["problems"]
    assert found["path"] in caught.value.message
    return typing.cast("dict[str, str]", found)


SOME_ID = uuid.UUID(int=7)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        ("takes_int", 3, 3),
        ("takes_int", "3", 3),
        ("takes_anything", {"a": [1]}, {"a": [1]}),
        ("takes_optional", None, None),
        ("takes_model", {"name": "n", "bigness": 2}, Model(name="n", bigness=2)),
        ("takes_struct", {"id": 1}, Struct(1)),
        ("takes_struct", {"id": 1, "inner": {"id": 2}}, Struct(1, inner=Struct(2))),
        ("takes_structs", [{"id": 1}], [Struct(1)]),
        ("takes_data", {"struct": {"id": 1}, "path": "/y"}, Data(Struct(1), Path("/y"))),
        ("takes_record", {"a": 1}, {"a": 1}),
        ("takes_record", {"a": 1, "b": "x"}, {"a": 1, "b": "x"}),
        ("takes_new_record", {"struct": {"id": 1}}, {"struct": Struct(1)}),
        ("takes_colour", "red", Colour.RED),
        ("takes_literal", "a", "a"),
        ("takes_time", "2026-01-01T12:00:00Z", NOON),
        ("takes_time", NOON, NOON),
        ("takes_path", "/a/b", Path("/a/b")),
        ("takes_uuid", str(SOME_ID), SOME_ID),
        ("takes_bytes", b"\x00\xff", b"\x00\xff"),
        ("takes_bytes", "text", b"text"),
        ("takes_set", [1, 1, 2], {1, 2}),
    ],
)
def test_an_argument_becomes_what_its_annotation_says(name: str, sent: Any, expected: Any) -> None:
    (found,) = {k: v for k, v in read(name, value=sent).items() if k == "value"}.values()

    assert found == expected
    assert type(found) is type(expected)


def test_defaults_of_every_style_are_filled_in() -> None:
    assert read("takes_bounded") == {"value": 5, "other": 7, "third": [], "fourth": 9}
    assert read("takes_bounded", value=6, fourth=1)["value"] == 6


def test_a_default_that_can_change_is_new_for_each_call() -> None:
    first, second = read("takes_bounded"), read("takes_bounded")
    first["third"].append(1)

    assert second["third"] == []
    assert read("takes_bounded")["third"] == []


def test_parameters_may_have_names_that_pydantic_uses_itself() -> None:
    assert read("takes_keyword_only", value=1, copy="c", schema="s", json=2) == {
        "value": 1,
        "copy": "c",
        "schema": "s",
        "json": 2,
    }
    assert read("takes_keyword_only", value=1)["schema"] == "y"


def test_the_call_is_no_argument() -> None:
    made = adapter("takes_call")

    assert made.call_parameters == ("call", "maybe")
    assert read("takes_call") == {"value": 3}
    assert list(made.reader.json_schema()["properties"]) == ["value"]


@pytest.mark.parametrize(
    ("name", "arguments", "path", "allowed"),
    [
        ("takes_int", {"value": "x"}, "$.value", "a valid integer, unable to parse string as an integer"),
        ("takes_bounded", {"value": 99}, "$.value", "less than or equal to 50"),
        ("takes_bounded", {"other": 0}, "$.other", "greater than or equal to 1"),
        ("takes_literal", {"value": "b"}, "$.value", "'a' or 1"),
        ("takes_colour", {"value": "green"}, "$.value", "'red' or 'blue'"),
        ("takes_model", {"value": {"name": 3}}, "$.value.name", "a valid string"),
        ("takes_data", {"value": {"struct": {"id": 1}, "many": [1, "x"]}}, "$.value.many[1]", "integer"),
        ("takes_struct", {"value": {"id": "x"}}, "$.value", "Expected `int`, got `str`"),
        ("takes_structs", {"value": [{"id": 1}, {}]}, "$.value[1]", "missing required field `id`"),
        ("takes_record", {"value": {}}, "$.value.a", "a value, as there is no default"),
        ("takes_int", {}, "$.value", "a value, as there is no default"),
    ],
)
def test_a_problem_has_path_found_and_allowed(name: str, arguments: dict[str, Any], path: str, allowed: str) -> None:
    found = problem(name, **arguments)

    assert found["path"] == path
    assert allowed in found["allowed"]


def test_an_unknown_argument_is_named_with_the_nearest_and_all_there_are() -> None:
    found = problem("takes_bounded", valeu=1)

    assert found["found"] == "unknown argument 'valeu'"
    assert found["allowed"] == "value (the nearest), of value, other, third, fourth"


def test_an_argument_for_a_tool_that_takes_none_says_so() -> None:
    assert problem("takes_nothing", x=1)["allowed"] == "no argument at all"
    assert read("takes_nothing") == {}


def test_every_problem_is_listed_and_the_first_few_are_spoken() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("takes_set", value=["x"] * 200)

    assert len(caught.value.data["problems"]) == 50
    assert caught.value.message.count("found 'x'") == 5
    assert "and 45 more" in caught.value.message


def test_a_long_value_is_shortened_in_the_error() -> None:
    found = problem("takes_int", value="x" * 10_000)

    assert len(found["found"]) < 100
    assert "..." in found["found"]


def test_the_remedy_names_the_arguments() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("takes_int", other=1)

    assert caught.value.remedy == "Arguments of takes_int: value."
    assert caught.value.message.startswith("takes_int: ")


def test_bytes_that_are_no_message_are_invalid_input() -> None:
    with pytest.raises(InvalidInput) as caught:
        adapter("takes_int").read(msgspec.Raw(b"\xc1"))

    assert caught.value.data["problems"][0]["allowed"] == "an object"
    assert caught.value.code == "invalid_input"


# --- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "returned", "expected"),
    [
        ("takes_int", 3, 3),
        ("takes_model", Model(name="n", bigness=2), {"name": "n", "bigness": 2}),
        ("takes_model", {"name": "n"}, {"name": "n", "bigness": 1}),
        ("takes_struct", Struct(1, ["a"]), {"id": 1, "tags": ["a"], "inner": None}),
        ("takes_structs", [{"id": 1}], [{"id": 1, "tags": [], "inner": None}]),
        ("takes_data", Data(Struct(1)), {"struct": {"id": 1, "tags": [], "inner": None}, "path": "/x", "many": []}),
        ("takes_record", {"a": 1}, {"a": 1}),
        ("takes_colour", Colour.RED, "red"),
        ("takes_time", NOON, "2026-01-01T12:00:00Z"),
        ("takes_path", Path("/a"), "/a"),
        ("takes_uuid", SOME_ID, str(SOME_ID)),
        ("takes_bytes", b"\x00\xff", b"\x00\xff"),
        ("takes_set", {1}, [1]),
        ("takes_nothing", None, None),
        ("promises_nothing", {"when": NOON, "at": Path("/a"), "d": Decimal("1.5")}, None),
        ("serializes", 3, "3 mm"),
        ("streams", Struct(1), {"id": 1, "tags": [], "inner": None}),
    ],
)
def test_a_result_travels_as_builtins(name: str, returned: Any, expected: Any) -> None:
    found = written(name, returned)
    if name == "promises_nothing":
        expected = {"when": "2026-01-01T12:00:00Z", "at": "/a", "d": "1.5"}

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "returned", "path"),
    [
        ("takes_int", "x", "$"),
        ("takes_model", {"name": 3}, "$.name"),
        ("takes_structs", [Struct(1), 3], "$[1]"),
        ("takes_nothing", 3, "$"),
        ("takes_record", {"a": 1, "b": 2}, "$.b"),
    ],
)
def test_a_result_that_does_not_fit_is_refused_with_its_path(name: str, returned: Any, path: str) -> None:
    with pytest.raises(InvalidResult, match="does not fit its annotation") as caught:
        written(name, returned)

    assert caught.value.data["problems"][0]["path"] == path
    assert "change the annotation" in caught.value.remedy


def test_without_an_annotation_everything_sendable_is_sent() -> None:
    assert written("promises_nothing", [1, "two", None]) == [1, "two", None]
    with pytest.raises(InvalidResult, match=r"\$: object"):
        written("promises_nothing", object())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_any_builtin_comes_through_unchanged(value: Any) -> None:
    made = adapter("promises_nothing")

    assert made.read(msgspec.Raw(msgspec.msgpack.encode({"value": value}))) == {"value": value}
    assert msgspec.msgpack.decode(made.write(value)) == value


def test_not_a_number_and_infinity_travel() -> None:
    found = written("promises_nothing", [float("nan"), float("inf")])

    assert found[0] != found[0]
    assert found[1] == float("inf")


# --- what cannot be an adapter ---------------------------------------------------------------------------------------


class Odd(Plugin):
    """Annotations that have no schema."""

    @tool
    async def unknown(self, value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # the very mistake

    @tool
    async def no_schema(self, value: Odd) -> None: ...

    @tool
    async def no_result_schema(self) -> Odd: ...


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unknown", "tool unknown: an annotation cannot be resolved: name 'Missing' is not defined"),
        ("no_schema", "tool no_schema: an annotation has no schema"),
        ("no_result_schema", "tool no_result_schema: an annotation has no schema"),
    ],
)
def test_an_annotation_that_is_no_schema_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidPlugin) as caught:
        ToolAdapter(Inventory.of(Odd).tools[name], None)

    assert text in caught.value.message
    assert caught.value.remedy


class Raising(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def no_blanks(cls, name: str) -> str:
        if " " in name:
            raise ValueError("no blanks, please")
        return name


class Validating(Plugin):
    """A model with a rule of its own."""

    @tool
    async def named(self, value: Raising) -> str:
        return value.name


def test_a_rule_of_the_authors_own_speaks_in_its_words() -> None:
    made = ToolAdapter(Inventory.of(Validating).tools["named"], None)

    with pytest.raises(InvalidInput) as caught:
        made.read(msgspec.Raw(msgspec.msgpack.encode({"value": {"name": "a b"}})))
    assert caught.value.data["problems"] == [{"path": "$.value.name", "found": "'a b'", "allowed": "no blanks, please"}]


@pytest.mark.parametrize(
    ("name", "direct", "streams"),
    [("takes_int", True, False), ("streams", False, True), ("takes_nothing", True, False)],
)
def test_an_adapter_knows_how_its_method_is_run(name: str, direct: bool, streams: bool) -> None:
    made = adapter(name)

    assert (made.direct, made.streams) == (direct, streams)
    assert made.is_async
