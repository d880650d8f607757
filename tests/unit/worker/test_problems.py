"""A problem has a path, what was found, and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from somnus_plugins.worker.problems import path_text, problem_text, problems


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    folder: str
    size: int = 1


def error_of(kind: Any, value: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return caught.value


@pytest.mark.parametrize(
    ("location", "expected"),
    [((), "$"), (("a",), "$.a"), (("items", 3, "name"), "$.items[3].name"), ((0,), "$[0]")],
)
def test_a_path_is_written_as_in_json_path(location: tuple[str | int, ...], expected: str) -> None:
    assert path_text(location) == expected
    assert path_text(list(location)) == expected


def test_a_missing_value_is_found_as_nothing() -> None:
    found = problems(error_of(Strict, {}))

    assert found == [{"path": "$.folder", "found": "nothing", "allowed": "a value, as there is no default"}]
    assert problem_text(found) == "$.folder: found nothing; allowed: a value, as there is no default"


def test_an_unknown_name_of_the_outermost_object_is_held_against_the_known_ones() -> None:
    found = problems(error_of(Strict, {"folder": "x", "sise": 2}), ["folder", "size"])

    assert found[0]["found"] == "unknown argument 'sise'"
    assert found[0]["allowed"] == "size (the nearest), of folder, size"


def test_an_unknown_name_further_down_keeps_pydantics_words() -> None:
    found = problems(error_of(list[Strict], [{"folder": "x", "sise": 2}]), ["folder", "size"])

    assert found == [{"path": "$[0].sise", "found": "2", "allowed": "Extra inputs are not permitted"}]
    assert len(found) == 1


def test_a_list_of_wrong_items_is_cut() -> None:
    found = problems(error_of(list[int], ["x"] * 1_000))

    assert len(found) == 50
    assert problem_text(found).endswith("and 45 more")


def test_values_are_shortened() -> None:
    (found,) = problems(error_of(int, {"a": "b" * 1_000, "c": list(range(1_000))}))

    assert len(found["found"]) < 200
    assert found["allowed"] == "a valid integer"


def test_no_problems_are_no_text() -> None:
    assert problem_text([]) == ""
    assert problem_text([{"path": "$", "found": "1", "allowed": "2"}]) == "$: found 1; allowed: 2"
