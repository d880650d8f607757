"""Validators that are written down against those that pydantic derives."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from somnus_plugins.worker.plain import plain_arguments, plain_value

UNSET = object()
PLAIN = [
    str,
    int,
    float,
    bool,
    bytes,
    dict,
    list,
    Any,
    None,
    dict[str, Any],
    dict[str, int],
    dict[int, str],
    list[int],
    list[dict[str, float]],
    int | None,
    str | None,
]
DERIVED = [Annotated[int, Field(ge=1)], int | str, tuple[int, ...], set[int], object, complex, list[complex]]
VALUES = [
    None,
    True,
    0,
    1,
    -1,
    2**70,
    1.0,
    1.5,
    float("inf"),
    "",
    "5",
    "5.5",
    "true",
    "x",
    "é",
    b"",
    b"x",
    b"\xff",
    [],
    [1],
    ["1"],
    ["x"],
    [1.5],
    [{}],
    [{"a": 1}],
    {},
    {"a": 1},
    {"a": "1"},
    {"a": "x"},
    {1: "a"},
    {"1": "a"},
    (1, 2),
    {1},
    object,
]


def outcome(validate: Any, value: Any) -> Any:
    """The result with its type, or the kinds of what is wrong."""
    try:
        result = validate(value)
    except ValidationError as error:
        return [(each["type"], each["loc"]) for each in error.errors()]
    return type(result), result


@pytest.mark.parametrize("annotation", PLAIN, ids=str)
def test_a_written_validator_does_what_the_derived_one_does(annotation: Any) -> None:
    written = plain_value(annotation)
    derived = TypeAdapter(annotation)

    assert written is not None
    for value in VALUES:
        found, expected = outcome(written.validate_python, value), outcome(derived.validate_python, value)
        assert repr(found) == repr(expected), value


@pytest.mark.parametrize("annotation", DERIVED, ids=str)
def test_what_is_more_than_builtins_is_left_to_pydantic(annotation: Any) -> None:
    assert plain_value(annotation) is None
    assert plain_arguments({"given": (annotation, UNSET)}, UNSET) is None


def test_arguments_have_defaults_and_no_strangers() -> None:
    written = plain_arguments({"name": (str, UNSET), "times": (int, 1), "note": (str | None, None)}, UNSET)

    assert written is not None
    assert written.validate_python({"name": "Ada"}) == {"name": "Ada", "times": 1, "note": None}
    assert outcome(written.validate_python, {"times": "2"}) == [("missing", ("name",))]
    assert outcome(written.validate_python, {"name": "Ada", "nme": 1}) == [("extra_forbidden", ("nme",))]


def test_a_default_that_could_be_changed_is_left_to_pydantic() -> None:
    assert plain_arguments({"items": (list[int], [])}, UNSET) is None
    assert plain_arguments({"items": (list[int], UNSET)}, UNSET) is not None
