"""Annotations are resolved, and pydantic is taught the types it does not know."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, NotRequired, Required, TypedDict, TypeVar

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk import Call, Plugin
from somnus_plugins.worker.annotations import (
    call_parameters,
    lend_schemas,
    resolved_hints,
    resolved_setting,
    without_none,
)

T = TypeVar("T")


class Leaf(msgspec.Struct):
    id: int
    raw: bytes = b""


class Tree(msgspec.Struct):
    leaves: list[Leaf]
    above: Tree | None = None


class Pair(msgspec.Struct, Generic[T]):
    first: T
    second: T


@dataclass
class Box:
    leaf: Leaf


class Row(TypedDict):
    leaf: Leaf
    note: NotRequired[str]


class Partial(TypedDict, total=False):
    leaf: Required[Leaf]
    note: str


class Point(NamedTuple):
    leaf: Leaf
    x: int = 0


def adapter(annotation: Any) -> TypeAdapter[Any]:
    lend_schemas(annotation)
    return TypeAdapter(annotation)


LEAF = {"id": 1}


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (Leaf, LEAF, Leaf(1)),
        (Leaf, Leaf(2), Leaf(2)),
        (Leaf, {"id": 1, "raw": b"\xff"}, Leaf(1, b"\xff")),
        (Tree, {"leaves": [LEAF], "above": {"leaves": []}}, Tree([Leaf(1)], Tree([]))),
        (list[Leaf], [LEAF], [Leaf(1)]),
        (dict[str, Leaf | None], {"a": LEAF, "b": None}, {"a": Leaf(1), "b": None}),
        (Annotated[Leaf, "note"], LEAF, Leaf(1)),
        (Pair[int], {"first": 1, "second": 2}, Pair(1, 2)),
        (Box, {"leaf": LEAF}, Box(Leaf(1))),
        (list[Box], [{"leaf": LEAF}], [Box(Leaf(1))]),
        (Row, {"leaf": LEAF}, {"leaf": Leaf(1)}),
        (Row, {"leaf": LEAF, "note": "x"}, {"leaf": Leaf(1), "note": "x"}),
        (Partial, {"leaf": LEAF}, {"leaf": Leaf(1)}),
        (Point, {"leaf": LEAF}, Point(Leaf(1))),
    ],
)
def test_structs_are_read_wherever_they_stand(annotation: Any, given: Any, expected: Any) -> None:
    found = adapter(annotation).validate_python(given)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "given", "text"),
    [
        (Leaf, {"id": "x"}, "Expected `int`, got `str`"),
        (Leaf, {}, "missing required field `id`"),
        (Pair[int], {"first": 1, "second": "x"}, "Expected `int`"),
        (Row, {"leaf": {}}, "missing required field"),
        (Row, {}, "Field required"),
        (Partial, {}, "Field required"),
    ],
)
def test_what_does_not_fit_a_struct_is_a_validation_error(annotation: Any, given: Any, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter(annotation).validate_python(given)

    assert text in str(caught.value)
    assert caught.value.error_count() == 1


def test_structs_are_written_as_builtins_with_their_bytes() -> None:
    made = adapter(list[Leaf])

    assert made.dump_python([Leaf(1, b"\xff")]) == [{"id": 1, "raw": b"\xff"}]
    assert made.dump_json([Leaf(1)]) == b'[{"id":1,"raw":""}]'


def test_lending_twice_changes_nothing() -> None:
    lend_schemas(Leaf)
    hook = vars(Leaf)["__get_pydantic_core_schema__"]
    lend_schemas(list[Leaf])

    assert vars(Leaf)["__get_pydantic_core_schema__"] is hook
    assert adapter(Leaf).validate_python(LEAF) == Leaf(1)


@pytest.mark.parametrize("annotation", [int, Any, None, "text", typing.Literal["a"], typing.Callable[..., int], T])
def test_other_annotations_are_left_alone(annotation: Any) -> None:
    lend_schemas(annotation)

    assert not hasattr(annotation, "__get_pydantic_core_schema__")
    assert without_none(annotation) == annotation


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [(int | None, int), (typing.Optional[int], int), (int, int), (int | str | None, int | str | None), (None, None)],  # noqa: UP045  # as authors write it
)
def test_none_is_taken_from_one_type(annotation: Any, expected: Any) -> None:
    assert without_none(annotation) == expected
    assert without_none(expected) == expected


def test_the_parameters_for_the_call_are_found() -> None:
    def method(self: Any, call: Call, other: Call | None, third: typing.Optional[Call], query: str) -> Call: ...  # type: ignore[empty-body]  # noqa: UP045  # as authors write it

    hints = resolved_hints(method, "method")  # type: ignore[arg-type]  # a function is one

    assert call_parameters(hints) == ("call", "other", "third")
    assert hints["query"] is str


def test_metadata_of_annotations_is_kept() -> None:
    def method(self: Any, query: Annotated[str, "note"]) -> None: ...

    hints = resolved_hints(method, "method")  # type: ignore[arg-type]  # a function is one

    assert hints["query"] == Annotated[str, "note"]
    assert hints["return"] is type(None)


@pytest.mark.parametrize("annotation", ["Missing", "list[", "int.nothing"])
def test_an_annotation_that_cannot_be_resolved_is_refused(annotation: str) -> None:
    def method(self: Any, query: int) -> None: ...

    method.__annotations__["query"] = annotation
    with pytest.raises(InvalidPlugin, match="tool search: an annotation cannot be resolved") as caught:
        resolved_hints(method, "tool search")  # type: ignore[arg-type]  # a function is one
    assert "TYPE_CHECKING" in caught.value.remedy


class Base(Plugin):
    config: Leaf


class Heir(Base):
    config: Box  # type: ignore[assignment]  # an author may


def test_the_nearest_annotation_of_an_attribute_counts() -> None:
    assert resolved_setting(Base, "config") is Leaf
    assert resolved_setting(Heir, "config") is Box


def test_an_attribute_that_nobody_annotates_has_none() -> None:
    assert resolved_setting(Base, "nothing") is None
    assert resolved_setting(Plugin, "config") is Any
