"""`contributions.json`: one form, hostile bytes, differences."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somnus_plugins.errors import InvalidManifest
from somnus_plugins.trust.contributions import (
    CONTRIBUTIONS_MAX_BYTES,
    CONTRIBUTIONS_MAX_ITEMS,
    check,
    compare,
    dump,
    is_same,
    load,
)
from somnus_plugins.wire.contributions import Contributions, Route, Schedule, Subscription, Tool

FINGERPRINT = "0123456789abcdef" * 4

QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}

NOTES = Contributions(
    fingerprint=FINGERPRINT,
    tools=(
        Tool(name="search", description="Find notes.", input_schema=QUERY, read_only=True, timeout_s=5),
        Tool(name="ingest", streams=True, kind="action"),
    ),
    routes=(
        Route(path="/search", methods=("GET",), name="search_page"),
        Route(path="/live", websocket=True),
        Route(path="/notes/{id:path}", methods=("DELETE", "GET")),
    ),
    openapi={"openapi": "3.1.0", "paths": {"/search": {"get": {}}}},
    subscriptions=(Subscription(pattern="memory.*", method="remember"), Subscription(pattern="a.b", method="remember")),
    schedules=(Schedule(method="tidy", every_s=900), Schedule(method="tidy", cron="0 7 * * *")),
    config_schema={"type": "object", "properties": {"folder": {"type": "string"}}, "required": ["folder"]},
)


def with_(**changes: Any) -> Contributions:
    return msgspec.structs.replace(NOTES, **changes)


def problems(content: bytes) -> list[dict[str, str]]:
    with pytest.raises(InvalidManifest) as caught:
        load(content, "notes/contributions.json")
    assert "dev" in caught.value.remedy
    assert {each["file"] for each in caught.value.data["problems"]} == {"notes/contributions.json"}
    return list(caught.value.data["problems"])


def file_with(**changes: Any) -> bytes:
    return json.dumps(json.loads(dump(NOTES)) | changes).encode()


def test_what_is_written_is_read_again() -> None:
    found = load(dump(NOTES))
    assert dump(found) == dump(NOTES)
    assert found.routes == NOTES.routes
    assert found.tools == tuple(reversed(NOTES.tools))
    assert found.config_schema == NOTES.config_schema
    assert load(dump(Contributions(fingerprint=FINGERPRINT))) == Contributions(fingerprint=FINGERPRINT)


def test_the_same_contributions_are_the_same_bytes_in_any_order() -> None:
    other = with_(
        tools=tuple(reversed(NOTES.tools)),
        subscriptions=tuple(reversed(NOTES.subscriptions)),
        schedules=tuple(reversed(NOTES.schedules)),
        openapi=dict(reversed(NOTES.openapi.items())),
    )
    assert dump(other) == dump(NOTES)
    assert dump(with_(routes=tuple(reversed(NOTES.routes)))) != dump(NOTES), "the first route that fits answers"


def test_the_file_is_text_that_people_can_compare() -> None:
    content = dump(NOTES)
    document = json.loads(content)
    assert content.endswith(b"}\n")
    assert content.count(b"\n") > 30
    assert list(document) == sorted(document)
    assert document["format"] == 1
    assert [each["name"] for each in document["tools"]] == ["ingest", "search"]


@pytest.mark.parametrize(
    ("content", "key", "found"),
    [
        (b"", "", "truncated"),
        (b"{", "", "truncated"),
        (b"nonsense", "", "malformed"),
        (b"\xff\xfe", "", "malformed"),
        (b'{"fingerprint": "\xff"}', "", ""),
        (b'{"openapi": {"a": ' + b"[" * 100_000, "", "recursion"),
        (b'{"fingerprint": ' * 50_000, "fingerprint", "object"),
        (b"[]", "", "array"),
        (b"{}", "", "fingerprint"),
        (b'{"fingerprint": 1}', "fingerprint", "int"),
        (b'{"fingerprint": "a", "format": 2}', "format", "2"),
        (b'{"fingerprint": "a", "tools": {}}', "tools", "object"),
        (b'{"fingerprint": "a", "tools": [{"name": 1}]}', "tools[0].name", "int"),
        (b'{"fingerprint": "a", "tools": [{"name": "a", "kind": "virus"}]}', "tools[0].kind", "virus"),
        (b'{"fingerprint": "a", "schedules": [{"method": "a", "every_s": 1e999}]}', "schedules[0].every_s", "range"),
        (b" " * (CONTRIBUTIONS_MAX_BYTES + 1), "", f"{CONTRIBUTIONS_MAX_BYTES + 1} bytes"),
    ],
)
def test_bytes_that_are_no_contributions_are_one_problem(content: bytes, key: str, found: str) -> None:
    (problem,) = problems(content)
    assert problem["key"] == key
    assert found in problem["found"]
    assert problem["allowed"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"fingerprint": "abc"}, "fingerprint"),
        ({"fingerprint": FINGERPRINT.upper()}, "fingerprint"),
        ({"tools": [{"name": ""}]}, "tools[0].name"),
        ({"tools": [{"name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"name": "../x"}]}, "tools[0].name"),
        ({"tools": [{"name": "x" * 65}]}, "tools[0].name"),
        ({"tools": [{"name": "a"}, {"name": "a"}]}, "tools[1]"),
        ({"tools": [{"name": "a", "timeout_s": 0}]}, "tools[0].timeout_s"),
        ({"tools": [{"name": "a", "timeout_s": -1}]}, "tools[0].timeout_s"),
        ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, "tools[0].input_schema"),
        ({"routes": [{"path": "search", "methods": ["GET"]}]}, "routes[0].path"),
        ({"routes": [{"path": "/a b", "methods": ["GET"]}]}, "routes[0].path"),
        ({"routes": [{"path": "/a\r\nX: y", "methods": ["GET"]}]}, "routes[0].path"),
        ({"routes": [{"path": "/a", "methods": ["get"]}]}, "routes[0].methods"),
        ({"routes": [{"path": "/a", "methods": []}]}, "routes[0].methods"),
        ({"routes": [{"path": "/a", "methods": ["GET"], "websocket": True}]}, "routes[0].methods"),
        ({"subscriptions": [{"pattern": "A", "method": "m"}]}, "subscriptions[0].pattern"),
        ({"subscriptions": [{"pattern": "a", "method": "m m"}]}, "subscriptions[0].method"),
        ({"subscriptions": [{"pattern": "a", "method": "m"}] * 2}, "subscriptions[1]"),
        ({"schedules": [{"method": "m"}]}, "schedules[0].every_s"),
        ({"schedules": [{"method": "m", "every_s": 1, "cron": "* * * * *"}]}, "schedules[0].every_s"),
        ({"schedules": [{"method": "m", "every_s": 0}]}, "schedules[0].every_s"),
        ({"schedules": [{"method": "m", "cron": "daily"}]}, "schedules[0].cron"),
        ({"schedules": [{"method": "1", "every_s": 1}]}, "schedules[0].method"),
        ({"tools": [{"name": f"t{n}"} for n in range(CONTRIBUTIONS_MAX_ITEMS + 1)]}, "tools"),
    ],
)
def test_well_typed_nonsense_is_named(changes: dict[str, Any], key: str) -> None:
    found = problems(file_with(**changes))
    assert [each["key"] for each in found] == [key]
    assert all(each["allowed"] and each["found"] for each in found)


def test_all_nonsense_is_named_at_once() -> None:
    content = file_with(fingerprint="", tools=[{"name": ""}], routes=[{"path": ""}])
    keys = [each["key"] for each in problems(content)]
    assert keys == ["fingerprint", "tools[0].name", "routes[0].path", "routes[0].methods"]


def test_two_equal_routes_are_fastapi_s_business() -> None:
    route = Route(path="/a", methods=("GET",))
    assert load(dump(with_(routes=(route, route)))).routes == (route, route)
    check(with_(routes=(route, route)))


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(InvalidManifest, match="fingerprint"):
        dump(with_(fingerprint=""))
    with pytest.raises(InvalidManifest, match="every_s"):
        dump(with_(schedules=(Schedule(method="a", every_s=float("nan")),)))


@pytest.mark.parametrize(
    "value",
    [{1: "a", "b": 2}, {"a": object()}, {"a": msgspec.msgpack.Ext(1, b"x")}, {"a": "x" * CONTRIBUTIONS_MAX_BYTES}],
    ids=["mixed keys", "an object", "an extension", "too much"],
)
def test_what_json_or_the_file_cannot_hold_is_refused(value: dict[Any, Any]) -> None:
    with pytest.raises(InvalidManifest) as caught:
        dump(with_(openapi={"paths": value}))
    (problem,) = caught.value.data["problems"]
    assert problem["allowed"] in ("values of JSON", f"at most {CONTRIBUTIONS_MAX_BYTES} bytes")
    assert len(problem["found"]) < 300


def test_a_plugin_is_the_same_when_its_fingerprint_is() -> None:
    assert is_same(FINGERPRINT, NOTES)
    assert not is_same("", NOTES)
    assert not is_same(FINGERPRINT[::-1], NOTES)


def test_nothing_differs_from_itself_or_from_another_order() -> None:
    assert not compare(NOTES, NOTES)
    assert not compare(NOTES, with_(tools=tuple(reversed(NOTES.tools))))
    assert compare(NOTES, NOTES).lines() == ()


def test_what_an_update_adds_removes_and_changes_is_listed() -> None:
    search = msgspec.structs.replace(NOTES.tools[0], description="Other.", read_only=False)
    new = with_(
        tools=(search, Tool(name="forget")),
        routes=(NOTES.routes[1], Route(path="/search", methods=("GET",), name="other")),
        subscriptions=(NOTES.subscriptions[0],),
        schedules=(Schedule(method="tidy", every_s=60), NOTES.schedules[1]),
        config_schema={
            "properties": {"folder": {"type": "string", "default": "/"}, "depth": {"type": "integer"}},
            "required": ["depth"],
        },
    )
    diff = compare(NOTES, new)
    assert diff
    assert diff.lines() == (
        "added tool forget",
        "removed tool ingest",
        "changed tool search: description, read_only",
        "removed route DELETE GET /notes/{id:path}",
        "changed route GET /search: name",
        "removed subscription a.b → remember",
        "added schedule tidy every 60 s",
        "removed schedule tidy every 900 s",
        "added settings depth",
        "changed settings folder: default, required",
    )
    assert diff.of("added") == ("forget", "tidy every 60 s", "depth")
    assert diff.of("removed", "tool") == ("ingest",)
    assert diff.of("changed", "subscription") == ()


def test_a_difference_reads_backwards_as_its_opposite() -> None:
    new = with_(tools=NOTES.tools[:1], config_schema=None)
    there, back = compare(NOTES, new), compare(new, NOTES)
    assert there.of("removed") == back.of("added") == ("ingest", "folder")
    assert there.of("added") == back.of("removed") == ()


@pytest.mark.parametrize("schema", [None, {}, {"properties": []}, {"properties": {"a": True}, "required": 1}])
def test_odd_settings_schemas_can_be_compared(schema: Any) -> None:
    new = with_(config_schema=schema)
    assert compare(new, new).lines() == ()
    assert "removed settings folder" in compare(NOTES, new).lines()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(dump(NOTES)) - 1), st.binary(max_size=3))
def test_a_damaged_file_is_read_or_refused(position: int, damage: bytes) -> None:
    content = dump(NOTES)
    try:
        found = load(content[:position] + damage + content[position + 1 :])
    except InvalidManifest:
        return
    assert load(dump(found)).fingerprint == found.fingerprint
    check(found)
