"""A plugin's settings and a tool's arguments, against what the plugin announced."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, DirectoryPath, Field, HttpUrl, SecretStr

from somnus_plugins.errors import InvalidConfig, InvalidInput
from somnus_plugins.trust.config import check, convert, convert_arguments, missing


class Account(BaseModel):
    name: str
    age: int = 0


class NotesSettings(BaseModel):
    folder: DirectoryPath
    base_url: HttpUrl | None = None
    depth: Annotated[int, Field(ge=1, le=10)] = 3
    ratio: float = 0.5
    recursive: bool = True
    suffixes: list[str] = [".md"]
    mode: Literal["fast", "exact"] = "fast"
    account: Account | None = None
    token: SecretStr | None = None
    labels: dict[str, int] = {}


SETTINGS = NotesSettings.model_json_schema()


class SearchArguments(BaseModel, extra="forbid"):
    query: str
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    tags: list[str] = []
    exact: bool = False
    filter: dict[str, Any] = {}


ARGUMENTS = SearchArguments.model_json_schema()


@pytest.mark.parametrize(
    ("schema", "values", "names"),
    [
        (None, {}, ()),
        ({}, {}, ()),
        (SETTINGS, {}, ("folder",)),
        (SETTINGS, {"depth": 3}, ("folder",)),
        (SETTINGS, {"folder": "/srv"}, ()),
        (SETTINGS, {"folder": None}, ()),
        ({"required": ["b", "a"], "properties": {}}, {}, ("b", "a")),
    ],
)
def test_a_plugin_needs_setup_while_required_settings_have_no_value(
    schema: Any, values: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert missing(schema, values) == names
    assert missing(schema, dict.fromkeys(names, 1) | values) == ()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("folder", "/srv/notes", "/srv/notes"),
        ("base_url", "https://example.com", "https://example.com"),
        ("base_url", "null", None),
        ("depth", "7", 7),
        ("ratio", "1", 1.0),
        ("recursive", "off", False),
        ("suffixes", ".md,.txt", [".md", ".txt"]),
        ("mode", "exact", "exact"),
        ("account", '{"name": "ada"}', {"name": "ada"}),
        ("account", "null", None),
        ("token", "hunter2", "hunter2"),
        ("labels", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_setting_is_read_as_its_class_wants_it(key: str, text: str, value: Any) -> None:
    found = convert(SETTINGS, key, text)
    assert found == value
    check(SETTINGS, {key: found})


@pytest.mark.parametrize(
    ("key", "text", "place", "allowed"),
    [
        ("depth", "deep", "depth", "a whole number from 1 to 10"),
        ("depth", "11", "depth", "a whole number from 1 to 10"),
        ("ratio", "half", "ratio", "a number"),
        ("recursive", "perhaps", "recursive", "true or false"),
        ("mode", "slow", "mode", '"fast" or "exact"'),
        ("account", "ada", "account", "a JSON object or null"),
        ("account", '{"age": 1}', "account.name", "text; this key is required"),
        ("account", '{"name": "a", "age": "old"}', "account.age", "a whole number"),
        ("labels", '{"a": "b"}', "labels.a", "a whole number"),
        ("suffixes", "[1]", "suffixes[0]", "text"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_can(key: str, text: str, place: str, allowed: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        convert(SETTINGS, key, text)
    (problem,) = caught.value.data["problems"]
    assert (problem["key"], problem["allowed"], problem["file"]) == (place, allowed, "settings")
    assert "somnus-plugins config" in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "near"), [("foldr", "folder"), ("base-url", "base_url"), ("Depth", "depth"), ("zzz", "")]
)
def test_an_unknown_setting_names_the_nearest(key: str, near: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        convert(SETTINGS, key, "1")
    (problem,) = caught.value.data["problems"]
    assert problem["found"] == "an unknown key"
    assert problem.get("hint", "") == (f"the nearest known key is {near}" if near else "")
    assert "folder" in problem["allowed"]


def test_a_plugin_without_settings_has_no_setting() -> None:
    with pytest.raises(InvalidConfig, match="no key"):
        convert(None, "folder", "/srv")
    with pytest.raises(InvalidConfig, match="no key"):
        check(None, {"folder": "/srv"})
    check(None, {})


def test_all_wrong_settings_are_listed_at_once() -> None:
    with pytest.raises(InvalidConfig) as caught:
        check(SETTINGS, {"folder": 1, "depth": 0, "mode": "fast", "extra": True, "account": {"name": "x"}})
    assert [each["key"] for each in caught.value.data["problems"]] == ["folder", "depth", "extra"]
    assert caught.value.exit_code == 2
    check(SETTINGS, {"mode": "fast"})


def test_a_secret_setting_is_not_shown() -> None:
    with pytest.raises(InvalidConfig) as caught:
        check(SETTINGS, {"token": ["hunter2"]})
    assert "hunter2" not in caught.value.message
    assert caught.value.data["problems"][0]["found"] == "a hidden value"


def test_other_keys_are_welcome_where_the_author_says_so() -> None:
    open_schema = {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}}
    assert convert(open_schema, "anything", "5") == 5
    check({"additionalProperties": True}, {"anything": object()})
    with pytest.raises(InvalidConfig, match="a whole number"):
        convert(open_schema, "anything", "x")


@pytest.mark.parametrize(
    ("pairs", "arguments"),
    [
        (["query=sleep"], {"query": "sleep"}),
        (["query="], {"query": ""}),
        (["query=a=b"], {"query": "a=b"}),
        (["query=5", "limit=5"], {"query": "5", "limit": 5}),
        (["query=x", "tags=a,b", "exact=yes"], {"query": "x", "tags": ["a", "b"], "exact": True}),
        (["query=x", "tags=a", "tags=b,c"], {"query": "x", "tags": ["a", "b", "c"]}),
        (["query=x", 'filter={"a": [1]}'], {"query": "x", "filter": {"a": [1]}}),
    ],
)
def test_words_become_a_tool_s_arguments(pairs: list[str], arguments: dict[str, Any]) -> None:
    found = convert_arguments(ARGUMENTS, pairs)
    assert found == arguments
    assert SearchArguments(**found).model_dump(exclude_unset=True) == arguments


@pytest.mark.parametrize(
    ("pairs", "key", "said"),
    [
        ([], "query", "text"),
        (["limit=5"], "query", "this key is required"),
        (["query=x", "limit=many"], "limit", "a whole number from 1 to 50"),
        (["query=x", "limit=51"], "limit", "a whole number from 1 to 50"),
        (["query=x", "limt=5"], "limt", "the nearest known key is limit"),
        (["query=x", "query=y"], "query", "each argument once"),
        (["query=x", "limit"], "", "key=value"),
        (["query=x", "=5"], "", "key=value"),
    ],
)
def test_words_that_are_no_arguments_are_refused_by_name(pairs: list[str], key: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        convert_arguments(ARGUMENTS, pairs)
    (problem,) = caught.value.data["problems"]
    assert problem["key"] == key
    assert said in caught.value.message
    assert caught.value.exit_code == 2


def test_all_wrong_arguments_are_listed_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        convert_arguments(ARGUMENTS, iter(["limit=x", "nonsense", "exact=perhaps"]))
    keys = [each["key"] for each in caught.value.data["problems"]]
    assert keys == ["limit", "", "exact", "query"]
    assert "somnus-plugins info" in caught.value.remedy


def test_a_tool_without_a_schema_takes_nothing() -> None:
    assert convert_arguments({}, []) == {}
    with pytest.raises(InvalidInput, match="no key"):
        convert_arguments({}, ["a=b"])
    assert convert_arguments({"additionalProperties": True}, ["a=b", "c=1"]) == {"a": "b", "c": 1}
