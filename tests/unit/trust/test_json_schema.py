"""Words of a command line as values of a JSON Schema, and what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somnus_plugins.trust.json_schema import (
    allowed_values,
    check_value,
    convert_text,
    is_hidden,
    properties,
    required_keys,
    resolve,
    variants,
)
from somnus_plugins.trust.problems import Misfit, Place, Problems

ROOT: dict[str, Any] = {
    "$defs": {
        "Color": {"enum": ["red", "green", 3, None, True]},
        "Loop": {"$ref": "#/$defs/Loop"},
        "Wide": {"anyOf": [{"$ref": "#/$defs/Wide"}, {"$ref": "#/$defs/Wide"}]},
        "Tree": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"$ref": "#/$defs/Tree"}]}},
        "Hit": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "score": {"type": "number", "minimum": 0, "maximum": 1}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "a/b~c": {"type": "integer"},
    }
}

INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
STRING = {"type": "string"}
BOOLEAN = {"type": "boolean"}
OPTIONAL_STRING = {"anyOf": [{"type": "string"}, {"type": "null"}]}
COLOR = {"$ref": "#/$defs/Color"}
HIT = {"$ref": "#/$defs/Hit"}


def faults(schema: Any, value: Any) -> list[tuple[str, str, str]]:
    problems = Problems("x")
    check_value(schema, ROOT, value, Place(problems, "value"))
    return [(each.key, each.found, each.allowed) for each in problems.found]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (INTEGER, "5", 5),
        (INTEGER, "-5", -5),
        (INTEGER, "+5", 5),
        (INTEGER, str(2**64 - 1), 2**64 - 1),
        (NUMBER, "5", 5.0),
        (NUMBER, "-0.5e2", -50.0),
        (NUMBER, ".5", 0.5),
        (NUMBER, "5.", 5.0),
        (BOOLEAN, "true", True),
        (BOOLEAN, "No", False),
        (BOOLEAN, "on", True),
        (BOOLEAN, "0", False),
        (STRING, "5", "5"),
        (STRING, "", ""),
        (STRING, "null", "null"),
        (STRING, " as it is ", " as it is "),
        ({"type": "string", "format": "uri"}, "https://example.com", "https://example.com"),
        ({"type": "string", "format": "directory-path"}, "/srv", "/srv"),
        ({"type": "null"}, "null", None),
        (OPTIONAL_STRING, "null", None),
        (OPTIONAL_STRING, "x", "x"),
        ({"type": ["integer", "null"]}, "7", 7),
        ({"type": ["integer", "null"]}, "null", None),
        ({"anyOf": [STRING, INTEGER]}, "7", 7),
        ({"oneOf": [INTEGER, STRING]}, "seven", "seven"),
        ({"anyOf": [BOOLEAN, INTEGER]}, "1", 1),
        ({"anyOf": [BOOLEAN, INTEGER]}, "true", True),
        ({"anyOf": [{"type": "array", "items": INTEGER}, STRING]}, "1,2", [1, 2]),
        ({"anyOf": [{"type": "array", "items": INTEGER}, STRING]}, "a,b", "a,b"),
        ({"type": "array", "items": STRING}, "a, b,c", ["a", "b", "c"]),
        ({"type": "array", "items": STRING}, "", []),
        ({"type": "array", "items": STRING}, '["a,b", "c"]', ["a,b", "c"]),
        ({"type": "array", "items": COLOR}, "red,3", ["red", 3]),
        ({"type": "array"}, "1,x", [1, "x"]),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
        (HIT, '{"name": "x"}', {"name": "x"}),
        (COLOR, "green", "green"),
        (COLOR, "3", 3),
        (COLOR, "null", None),
        (COLOR, "true", True),
        ({"const": "x"}, "x", "x"),
        ({"allOf": [INTEGER]}, "5", 5),
        ({"$ref": "#/$defs/a~1b~0c"}, "5", 5),
        ({"$ref": "#/$defs/Color", "description": "beside"}, "red", "red"),
        ({}, "5", 5),
        ({}, "[1]", [1]),
        ({}, "text", "text"),
        (True, "5", 5),
        (None, "x", "x"),
        ({"type": "unheard of"}, "x", "x"),
        ({"$ref": "https://example.com/schema"}, "x", "x"),
        ({"$ref": "#/nowhere"}, "x", "x"),
        ({"$ref": "#/$defs/Loop"}, "x", "x"),
        ({"$ref": "#/$defs/Wide"}, "x", "x"),
    ],
)
def test_a_word_becomes_the_value_that_was_meant(schema: Any, text: str, value: Any) -> None:
    found = convert_text(schema, ROOT, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("schema", "text", "allowed"),
    [
        (INTEGER, "five", "a whole number"),
        (INTEGER, "5.0", "a whole number"),
        (INTEGER, "", "a whole number"),
        (INTEGER, "1_000", "a whole number"),
        (INTEGER, "\u0665", "a whole number"),
        (INTEGER, str(2**64), "a whole number"),
        (INTEGER, "9" * 5000, "a whole number"),
        ({"type": "integer", "minimum": 1, "maximum": 50}, "x", "a whole number from 1 to 50"),
        ({"type": "number", "exclusiveMinimum": 0}, "x", "a number more than 0"),
        ({"type": "number", "exclusiveMaximum": 1}, "x", "a number less than 1"),
        (NUMBER, "nan", "a number"),
        (NUMBER, "inf", "a number"),
        (NUMBER, "1e9999", "a number"),
        (NUMBER, ".", "a number"),
        (BOOLEAN, "maybe", "true or false"),
        (BOOLEAN, "2", "true or false"),
        ({"type": "array", "items": INTEGER}, "1,x", "a list; each entry: a whole number"),
        ({"type": "array", "items": INTEGER}, "[1", "a list; each entry: a whole number"),
        ({"type": "object"}, "[]", "a JSON object"),
        ({"type": "object"}, "{", "a JSON object"),
        ({"type": "object"}, "{" * 100_000, "a JSON object"),
        ({"type": "object"}, '{"a": NaN}', "a JSON object"),
        ({"type": "object"}, "\ud800", "a JSON object"),
        ({"type": "null"}, "", "null"),
        ({"type": ["integer", "null"]}, "x", "a whole number or null"),
        (COLOR, "blue", '"red", "green", 3, null or true'),
        ({"const": 5}, "6", "5"),
    ],
)
def test_a_word_without_meaning_is_refused_with_what_is_allowed(schema: Any, text: str, allowed: str) -> None:
    with pytest.raises(Misfit) as caught:
        convert_text(schema, ROOT, text)
    assert caught.value.allowed == allowed
    assert caught.value.found == ""


def test_a_word_that_is_too_long_is_refused() -> None:
    with pytest.raises(Misfit, match="at most 1048576 characters") as caught:
        convert_text(STRING, ROOT, "x" * (1024 * 1024 + 1))
    assert caught.value.found == "1048577 characters"
    assert len(convert_text(STRING, ROOT, "x" * 1024 * 1024)) == 1024 * 1024


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (INTEGER, "a whole number"),
        ({"type": "string", "format": "uri"}, "a URL"),
        ({"type": "string", "format": "directory-path"}, "a folder"),
        ({"type": "string", "format": "unheard of"}, "text"),
        ({"type": "string", "format": ["odd"]}, "text"),
        (OPTIONAL_STRING, "text or null"),
        ({"anyOf": [STRING, STRING]}, "text"),
        ({"type": "array"}, "a list"),
        ({"type": "array", "items": OPTIONAL_STRING}, "a list"),
        ({}, "any JSON value"),
        ({"type": "integer", "minimum": "low"}, "a whole number"),
        ({"type": "integer", "minimum": True}, "a whole number"),
    ],
)
def test_what_fits_is_said_in_words(schema: Any, text: str) -> None:
    assert allowed_values(schema, ROOT) == text
    assert allowed_values({"allOf": [schema]}, ROOT) == text


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (INTEGER, 5),
        (INTEGER, 5.0),
        (NUMBER, 5),
        (STRING, "x"),
        (BOOLEAN, False),
        (OPTIONAL_STRING, None),
        ({"type": "array", "items": INTEGER, "minItems": 1, "maxItems": 2}, [1, 2]),
        ({"type": "string", "minLength": 1, "maxLength": 3}, "abc"),
        ({"type": "string", "pattern": "(a+)+$"}, "a" * 40 + "b"),
        (HIT, {"name": "x", "score": 0.5}),
        ({"type": "object", "additionalProperties": INTEGER}, {"a": 1}),
        ({"type": "object"}, {"anything": "goes"}),
        ({"anyOf": [HIT, {"type": "array"}]}, []),
        (COLOR, "red"),
        (COLOR, 3.0),
        ({"minimum": 5}, "no number"),
        ({"type": "integer", "minimum": "odd"}, 1),
        ({"$ref": "#/$defs/Loop"}, object()),
        ({}, object()),
        (True, 1),
    ],
)
def test_what_fits_has_no_faults(schema: Any, value: Any) -> None:
    assert faults(schema, value) == []
    assert faults({"anyOf": [{"type": "null"}, schema]}, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "key", "found", "allowed"),
    [
        (INTEGER, "5", "value", '"5"', "a whole number"),
        (INTEGER, True, "value", "true", "a whole number"),
        (INTEGER, 5.5, "value", "5.5", "a whole number"),
        (NUMBER, True, "value", "true", "a number"),
        (BOOLEAN, 1, "value", "1", "true or false"),
        (STRING, None, "value", "null", "text"),
        (OPTIONAL_STRING, 1, "value", "1", "text or null"),
        ({"type": "integer", "minimum": 1}, 0, "value", "0", "a whole number from 1"),
        ({"type": "integer", "maximum": 1}, 2, "value", "2", "a whole number to 1"),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "value", "0", "a number more than 0"),
        ({"type": "number", "exclusiveMaximum": 1}, 1, "value", "1", "a number less than 1"),
        ({"type": "string", "minLength": 1}, "", "value", '""', "at least 1 characters"),
        ({"type": "string", "maxLength": 2}, "abc", "value", '"abc"', "at most 2 characters"),
        ({"type": "array", "minItems": 1}, [], "value", "a list of 0", "at least 1 entries"),
        ({"type": "array", "maxItems": 1}, [1, 2], "value", "a list of 2", "at most 1 entries"),
        ({"type": "array", "items": INTEGER}, [1, "x"], "value[1]", '"x"', "a whole number"),
        (HIT, {}, "value.name", "null", "text; this key is required"),
        (HIT, {"name": "x", "score": 2}, "value.score", "2", "a number from 0 to 1"),
        (HIT, {"name": "x", "colour": 2}, "value.colour", "2", "the keys name, score"),
        ({"type": "object", "additionalProperties": INTEGER}, {"a": "b"}, "value.a", '"b"', "a whole number"),
        ({"anyOf": [HIT, INTEGER]}, {"name": 1}, "value.name", "1", "text"),
        (COLOR, "blue", "value", '"blue"', '"red", "green", 3, null or true'),
        ({"enum": [1]}, True, "value", "true", "1"),
        ({"const": "a"}, "b", "value", '"b"', '"a"'),
    ],
)
def test_what_does_not_fit_is_found_where_it_stands(
    schema: Any, value: Any, key: str, found: str, allowed: str
) -> None:
    assert faults(schema, value) == [(key, found, allowed)]
    assert faults({"allOf": [schema]}, value) == [(key, found, allowed)]


def test_hidden_values_are_never_quoted() -> None:
    password = {"type": "string", "format": "password", "writeOnly": True, "minLength": 20}
    nested = {"type": "object", "properties": {"keys": {"type": "array", "items": password}}}
    assert is_hidden(password, ROOT)
    assert not is_hidden(STRING, ROOT)
    assert is_hidden({"anyOf": [password, {"type": "null"}]}, ROOT)
    assert faults(password, "hunter2") == [("value", "a hidden value", "at least 20 characters")]
    assert faults(nested, {"keys": ["hunter2"]}) == [("value.keys[0]", "a hidden value", "at least 20 characters")]
    with pytest.raises(Misfit) as caught:
        convert_text({"type": "integer", "writeOnly": True}, ROOT, "hunter2")
    assert caught.value.found == "a hidden value"


def test_a_schema_that_grows_without_end_is_given_up_in_time() -> None:
    value: Any = "leaf"
    for _ in range(25):
        value = [value, value]
    assert faults({"$ref": "#/$defs/Tree"}, [[[[]]]]) == []
    assert len(faults({"$ref": "#/$defs/Tree"}, value)) <= 100
    assert len(variants({"$ref": "#/$defs/Wide"}, ROOT)) <= 32


def test_a_value_deeper_than_the_limit_counts_as_fitting() -> None:
    value: Any = "wrong"
    for _ in range(200):
        value = [value]
    schema = {"$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}}}, "$ref": "#/$defs/T"}
    problems = Problems("x")
    check_value(schema, schema, value, Place(problems, "value"))
    assert problems.found == []
    check_value(schema, schema, [["wrong"]], Place(problems, "value"))
    assert [each.key for each in problems.found] == ["value[0][0]"]


def test_an_object_s_keys_are_found_through_references() -> None:
    assert list(properties(HIT, ROOT)) == ["name", "score"]
    assert required_keys(HIT, ROOT) == ("name",)
    assert resolve(HIT, ROOT)["type"] == "object"
    assert resolve({"$ref": "#/$defs/Color", "title": "C"}, ROOT)["title"] == "C"


@pytest.mark.parametrize("schema", [{}, {"properties": 1}, {"required": "name"}, {"required": [1]}, {"$ref": "x"}])
def test_odd_objects_have_no_keys(schema: Any) -> None:
    assert properties(schema, schema) == {}
    assert required_keys(schema, schema) == ()


def test_a_required_key_with_a_default_is_not_required() -> None:
    schema = {"properties": {"a": {"default": 1}, "b": {}}, "required": ["a", "b", "c"]}
    assert required_keys(schema, schema) == ("b", "c")
    assert required_keys({"$ref": "#", "x": 1}, schema) == ("b", "c")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=10,
)
KEYWORDS = st.sampled_from(
    [
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "default",
        "enum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minLength",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "type",
        "writeOnly",
    ]
)
WORDS = st.sampled_from(["string", "integer", "array", "object", "null", "#", "#/anyOf/0", "#/items"])
SCHEMAS: Any = st.recursive(
    st.one_of(JSON, WORDS),
    lambda inner: st.one_of(st.dictionaries(KEYWORDS, inner, max_size=4), st.lists(inner, max_size=3)),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(SCHEMAS, JSON, st.text(max_size=10))
def test_no_schema_and_no_value_raise_anything_else(schema: Any, value: Any, text: str) -> None:
    root = schema if isinstance(schema, dict) else {}
    problems = Problems("x")
    check_value(schema, root, value, Place(problems, "value"))
    assert all(each.found and each.allowed for each in problems.found)
    assert isinstance(required_keys(root, root), tuple)
    try:
        convert_text(schema, root, text)
    except Misfit as misfit:
        assert isinstance(misfit.allowed, str)  # noqa: PT017 - either outcome is right
