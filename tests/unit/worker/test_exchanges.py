"""The messages of ASGI and those of the wire, translated one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import PeerClosed
from somnus_plugins.wire.http import SocketAccept, SocketBytes, SocketClose, SocketText
from somnus_plugins.wire.methods import HttpHead, HttpResponse
from somnus_plugins.worker.exchanges import HttpExchange, SocketExchange, asgi_scope

from .serving import request_of

pytestmark = pytest.mark.anyio
START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}


async def raws(items: Iterable[Any], error: Exception | None = None) -> AsyncIterator[msgspec.Raw]:
    for item in items:
        yield msgspec.Raw(msgspec.msgpack.encode(item))
    if error is not None:
        raise error


def body(data: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Sent:
    """Takes what is delivered; refuses once the caller is gone."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.gone = False

    async def __call__(self, item: Any) -> None:
        if self.gone:
            raise PeerClosed("gone")
        self.items.append(item)


def http(sent: Sent, chunks: AsyncIterator[msgspec.Raw] | None = None, **facts: Any) -> HttpExchange:
    if chunks is not None:
        facts["body"] = None
    return HttpExchange(request_of("POST", "/x", **facts), lambda: chunks or raws(()), sent)


# --- scope -----------------------------------------------------------------------------------------------------------


def test_a_scope_has_the_whole_path_and_the_root_below_which_it_stands() -> None:
    scope = asgi_scope(request_of("GET", "/a b/ü?q=1"), "http")

    assert scope["path"] == "/plugins/notes/a b/ü"
    assert "raw_path" not in scope  # how the path was written is not known here
    assert (scope["root_path"], scope["query_string"]) == ("/plugins/notes", b"q=1")
    assert (scope["type"], scope["method"], scope["http_version"]) == ("http", "GET", "1.1")


def test_a_websocket_scope_has_sub_protocols_and_no_method() -> None:
    scope = asgi_scope(request_of("GET", "/x", scheme="ws", subprotocols=["chat"]), "websocket")

    assert scope["subprotocols"] == ["chat"]
    assert scope["scheme"] == "ws"
    assert "method" not in scope


def test_every_scope_has_a_state_of_its_own() -> None:
    first, second = asgi_scope(request_of("GET", "/"), "http"), asgi_scope(request_of("GET", "/"), "http")
    first["state"]["a"] = 1

    assert second["state"] == {}
    assert second["extensions"] == {}


# --- the request -----------------------------------------------------------------------------------------------------


async def test_a_complete_body_is_one_message() -> None:
    exchange = http(Sent(), body=b"all of it")

    assert await exchange.receive() == {"type": "http.request", "body": b"all of it", "more_body": False}
    assert not exchange.answer.done()


async def test_a_body_in_pieces_is_one_message_each_and_an_empty_last_one() -> None:
    exchange = http(Sent(), raws([b"a", b"b"]))
    messages = [await exchange.receive() for _ in range(3)]

    assert [each["body"] for each in messages] == [b"a", b"b", b""]
    assert [each["more_body"] for each in messages] == [True, True, False]


async def test_after_the_body_there_is_nothing_until_the_answer_is_complete() -> None:
    exchange = http(Sent(), body=b"")
    await exchange.receive()
    waiting = asyncio.create_task(exchange.receive())
    await exchange.send(START)
    assert not waiting.done()

    await exchange.send(body(b"x"))

    assert await waiting == {"type": "http.disconnect"}
    assert await exchange.receive() == {"type": "http.disconnect"}


async def test_a_body_that_is_cut_off_is_a_disconnect() -> None:
    exchange = http(Sent(), raws([b"a"], PeerClosed("gone")))

    assert (await exchange.receive())["body"] == b"a"
    assert await exchange.receive() == {"type": "http.disconnect"}


# --- the answer ------------------------------------------------------------------------------------------------------


async def test_an_answer_in_one_piece_is_one_response() -> None:
    sent = Sent()
    exchange = http(sent)
    await exchange.send(START)
    assert not exchange.answer.done()

    await exchange.send(body(b"x"))

    assert await exchange.answer == HttpResponse(200, [(b"a", b"b")], b"x")
    assert sent.items == []
    assert not exchange.streaming


async def test_an_answer_in_pieces_is_a_head_then_bytes_then_an_empty_response() -> None:
    sent = Sent()
    exchange = http(sent)
    for message in (START, body(b"a", more=True), body(b"", more=True), body(b"b", more=True), body()):
        await exchange.send(message)

    assert sent.items == [HttpHead(200, [(b"a", b"b")]), b"a", b"b"]
    assert await exchange.answer == HttpResponse(0, [], b"")
    assert exchange.streaming


async def test_bytes_of_the_last_piece_are_sent_too() -> None:
    sent = Sent()
    exchange = http(sent)
    for message in (START, body(b"a", more=True), body(b"z")):
        await exchange.send(message)

    assert sent.items[1:] == [b"a", b"z"]
    assert (await exchange.answer).body == b""


async def test_an_answer_without_a_body_message_key_is_empty() -> None:
    exchange = http(Sent())
    await exchange.send({"type": "http.response.start", "status": 204})
    await exchange.send({"type": "http.response.body"})

    assert await exchange.answer == HttpResponse(204, [], b"")
    assert exchange.answer.done()


async def test_what_is_sent_after_the_answer_is_dropped() -> None:
    sent = Sent()
    exchange = http(sent)
    for message in (START, body(b"x"), body(b"y")):
        await exchange.send(message)

    assert (await exchange.answer).body == b"x"
    assert sent.items == []


async def test_a_client_that_is_gone_is_an_os_error_for_the_application() -> None:
    sent = Sent()
    exchange = http(sent)
    await exchange.send(START)
    await exchange.send(body(b"a", more=True))
    sent.gone = True

    with pytest.raises(OSError, match="the client is gone"):
        await exchange.send(body(b"b", more=True))
    assert sent.items == [HttpHead(200, [(b"a", b"b")]), b"a"]


@pytest.mark.parametrize("message", [body(b"x"), {"type": "websocket.send", "text": "x"}, {"type": "nonsense"}])
async def test_messages_out_of_order_are_refused(message: dict[str, Any]) -> None:
    exchange = http(Sent())

    with pytest.raises(RuntimeError, match=r"out of order"):
        await exchange.send(message)
    assert not exchange.answer.done()


async def test_an_answer_that_breaks_off_carries_its_error() -> None:
    exchange = http(Sent())
    exchange.fail(PeerClosed("broken off"))

    with pytest.raises(PeerClosed, match="broken off"):
        await exchange.answer
    await exchange.receive()
    assert await exchange.receive() == {"type": "http.disconnect"}


async def test_the_first_end_of_an_answer_counts() -> None:
    exchange = http(Sent())
    exchange.finish(HttpResponse(200, [], b"first"))
    exchange.finish(HttpResponse(200, [], b"second"))
    exchange.fail(ValueError())

    assert (await exchange.answer).body == b"first"
    assert exchange.answer.exception() is None


# --- WebSockets ------------------------------------------------------------------------------------------------------


async def test_a_client_connects_speaks_and_closes() -> None:
    items = raws([SocketText("hey"), SocketBytes(b"\x00"), SocketClose(4001, "bye")])
    exchange = SocketExchange(items, Sent())
    messages = [await exchange.receive() for _ in range(5)]

    assert messages[0] == {"type": "websocket.connect"}
    assert messages[1] == {"type": "websocket.receive", "text": "hey"}
    assert messages[2] == {"type": "websocket.receive", "bytes": b"\x00"}
    assert messages[3] == messages[4] == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
    assert exchange.closed


@pytest.mark.parametrize("error", [None, PeerClosed("gone")])
async def test_a_stream_that_ends_without_a_close_was_cut_off(error: Exception | None) -> None:
    exchange = SocketExchange(raws([], error), Sent())
    await exchange.receive()

    assert await exchange.receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert exchange.closed


async def test_an_acceptance_from_the_clients_side_makes_no_sense() -> None:
    exchange = SocketExchange(raws([SocketAccept()]), Sent())
    await exchange.receive()

    assert (await exchange.receive())["code"] == 1006
    assert exchange.closed


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "websocket.accept"}, SocketAccept(None, [])),
        (
            {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"a", b"b")]},
            SocketAccept("chat", [(b"a", b"b")]),
        ),
        ({"type": "websocket.send", "text": "hey"}, SocketText("hey")),
        ({"type": "websocket.send", "text": "hey", "bytes": None}, SocketText("hey")),
        ({"type": "websocket.send", "bytes": b"\x00"}, SocketBytes(b"\x00")),
        ({"type": "websocket.send", "bytes": b"\x00", "text": None}, SocketBytes(b"\x00")),
        ({"type": "websocket.close"}, SocketClose(1000, "")),
        ({"type": "websocket.close", "code": 4001, "reason": "bye"}, SocketClose(4001, "bye")),
        ({"type": "websocket.close", "code": 4001, "reason": None}, SocketClose(4001, "")),
    ],
)
async def test_a_message_of_the_application_is_one_item(message: dict[str, Any], expected: Any) -> None:
    sent = Sent()
    exchange = SocketExchange(raws([]), sent)

    await exchange.send(message)

    assert sent.items == [expected]
    assert exchange.closed == isinstance(expected, SocketClose)


async def test_after_a_close_nothing_is_sent_and_a_second_close_is_silent() -> None:
    sent = Sent()
    exchange = SocketExchange(raws([]), sent)
    await exchange.close(4001)
    await exchange.close()

    with pytest.raises(OSError, match="the client is gone"):
        await exchange.send({"type": "websocket.send", "text": "late"})
    assert sent.items == [SocketClose(4001, "")]


async def test_a_host_that_is_gone_is_an_os_error_and_a_close() -> None:
    sent = Sent()
    sent.gone = True
    exchange = SocketExchange(raws([]), sent)

    with pytest.raises(OSError, match="the client is gone"):
        await exchange.send({"type": "websocket.accept"})
    assert exchange.closed


async def test_a_message_that_is_none_is_refused() -> None:
    exchange = SocketExchange(raws([]), Sent())

    with pytest.raises(RuntimeError, match=r"http\.response\.start out of order"):
        await exchange.send({"type": "http.response.start"})
    assert not exchange.closed
