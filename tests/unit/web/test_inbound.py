"""What of a request reaches a plugin."""

from __future__ import annotations

from typing import Any

import pytest

from somnus_plugins.web.inbound import DROPPED, NOTED, ORDINARY, PASSED_AND_NOTED, Inbound


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/app/plugins/notes/a b",
        "query_string": b"q=1",
        "headers": list(headers),
        "http_version": "1.1",
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
        **more,
    }


@pytest.mark.parametrize(
    "name",
    [
        b"cookie",
        b"authorization",
        b"proxy-authorization",
        b"connection",
        b"keep-alive",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-real-ip",
        b"x-somnus-csrf",
        b"x-somnus-anything",
        b"remote-user",
        b"x-auth-request-user",
        b"cf-access-jwt-assertion",
        b"sec-websocket-key",
    ],
)
def test_credentials_and_hops_are_left_out(name: bytes) -> None:
    inbound = Inbound(scope((name, b"secret"), (b"x-mine", b"1")))

    assert inbound.headers == [(b"x-mine", b"1")]
    assert b"x-mine" not in inbound.noted


@pytest.mark.parametrize(
    "name", [b"user-agent", b"range", b"host", b"origin", b"x-api-key", b"content-type", b"baggage"]
)
def test_everything_else_is_passed_on_in_order(name: bytes) -> None:
    inbound = Inbound(scope((b"x-first", b"1"), (name, b"v"), (b"x-last", b"2")))

    assert inbound.headers == [(b"x-first", b"1"), (name, b"v"), (b"x-last", b"2")]
    assert (name in inbound.noted) is (name in PASSED_AND_NOTED)


def test_the_tables_do_not_contradict_each_other() -> None:
    assert ORDINARY & DROPPED == PASSED_AND_NOTED & DROPPED == ORDINARY & PASSED_AND_NOTED == set()
    assert NOTED <= DROPPED
    assert all(name == name.lower() for name in ORDINARY | DROPPED | PASSED_AND_NOTED)


def test_a_header_that_is_said_twice_is_no_longer_what_either_said() -> None:
    inbound = Inbound(
        scope((b"host", b"good.example"), (b"host", b"evil.example"), (b"cookie", b"a=1"), (b"cookie", b"b=2"))
    )

    assert inbound.noted[b"host"] not in (b"good.example", b"evil.example")
    assert inbound.noted[b"cookie"] == b"a=1; b=2"


@pytest.mark.parametrize(
    ("headers", "has_body", "length"),
    [
        ((), False, 0),
        (((b"content-length", b"0"),), False, 0),
        (((b"content-length", b"17"),), True, 17),
        (((b"transfer-encoding", b"chunked"),), True, 0),
        (((b"content-length", b"1"), (b"content-length", b"2")), True, 0),
        (((b"content-length", b"-5"),), True, 0),
    ],
)
def test_whether_a_body_follows_is_read_from_the_headers(
    headers: tuple[tuple[bytes, bytes], ...], has_body: bool, length: int
) -> None:
    inbound = Inbound(scope(*headers))

    assert inbound.has_body(scope(*headers)) is has_body
    assert inbound.length == length


@pytest.mark.parametrize(("version", "has_body"), [("1.0", False), ("1.1", False), ("2", True), ("3", True)])
def test_without_a_length_the_version_says_whether_a_body_may_follow(version: str, has_body: bool) -> None:
    given = scope(http_version=version)
    empty = scope((b"content-length", b"0"), http_version=version)

    assert Inbound(given).has_body(given) is has_body
    assert not Inbound(empty).has_body(empty)


def test_a_request_stands_below_the_mount() -> None:
    made = Inbound(scope()).request(scope(), "a b", b"body")

    assert (made.path, made.root_path) == ("/a b", "/app/plugins/notes")
    assert (made.query, made.body, made.method) == (b"q=1", b"body", "GET")
    assert made.subprotocols == []


@pytest.mark.parametrize("path", ["/plugins/notes", "/plugins/notes/"])
def test_the_mount_itself_is_the_root(path: str) -> None:
    made = Inbound(scope()).request(scope(path=path), "", None)

    assert (made.path, made.root_path) == ("/", "/plugins/notes")
    assert made.body is None
