"""One HTTP request or WebSocket between the wire and an ASGI application: the messages of both, translated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from somnus_plugins.errors import SomnusError
from somnus_plugins.wire.http import (
    CLOSED_ABNORMALLY,
    CLOSED_NORMALLY,
    SocketAccept,
    SocketBytes,
    SocketClose,
    SocketMessage,
    SocketText,
)
from somnus_plugins.wire.methods import HttpHead, HttpRequest, HttpResponse

__all__ = ["Delivery", "HttpExchange", "Items", "Message", "SocketExchange", "asgi_scope"]

Message = MutableMapping[str, Any]
Items = AsyncIterator[msgspec.Raw]
Delivery = Callable[[Any], Awaitable[None]]
"""Sends one item to the host, as soon as it has credit."""

ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
"""2.4: `send` raises OSError once the client is gone, so that nobody has to listen for a disconnect meanwhile."""

_chunk = msgspec.msgpack.Decoder(bytes).decode
_message = msgspec.msgpack.Decoder(SocketMessage).decode


def asgi_scope(request: HttpRequest, kind: str) -> dict[str, Any]:
    """The ASGI scope of a request.

    Args:
        request: As it came from the host.
        kind: `http` or `websocket`.
    """
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": ASGI,
        "http_version": request.http_version,
        "scheme": request.scheme,
        "path": request.root_path + request.path,
        "query_string": request.query,
        "root_path": request.root_path,
        "headers": request.headers,
        "client": request.client,
        "server": request.server,
        "state": {},
        "extensions": {},
    }
    scope |= {"method": request.method} if kind == "http" else {"subprotocols": request.subprotocols}
    return scope


class HttpExchange:
    """One request and its answer.

    Args:
        request: As it came from the host.
        items: Gives the chunks of the body, where it follows as a stream.
        deliver: Sends the items of a streamed answer.
    """

    __slots__ = ("_body", "_deliver", "_head", "_items", "_over", "answer", "streaming")

    def __init__(self, request: HttpRequest, items: Callable[[], Items], deliver: Delivery) -> None:
        self._body = request.body
        self._items = items() if request.body is None else None
        self._deliver = deliver
        self._head: HttpHead | None = None
        self._over = asyncio.Event()
        self.answer: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()
        """Done as soon as the application has sent its last byte, though it may go on with background tasks."""
        self.streaming = False
        """Whether a part of the answer has left."""

    async def receive(self) -> Message:
        """ASGI's `receive`: the body, then, once the answer is complete, the disconnect."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._items is not None:
            try:
                return {"type": "http.request", "body": _chunk(await anext(self._items)), "more_body": True}
            except StopAsyncIteration:
                self._items = None
                return {"type": "http.request", "body": b"", "more_body": False}
            except SomnusError:
                self._items = None
                self._over.set()
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI's `send`: keeps the head until it is known whether the answer is one piece or a stream.

        Raises:
            OSError: The client is gone.
        """
        if message["type"] == "http.response.start":
            self._head = HttpHead(message["status"], [(bytes(k), bytes(v)) for k, v in message.get("headers", ())])
            return
        if message["type"] != "http.response.body" or self._head is None:
            raise RuntimeError(f"ASGI message {message['type']} out of order")
        if self.answer.done():
            return
        body, more = bytes(message.get("body", b"")), message.get("more_body", False)
        if self.streaming or more:
            await self._send_piece(self._head, body)
        if not more:
            whole = (
                HttpResponse(0, [], b"")
                if self.streaming
                else HttpResponse(self._head.status, self._head.headers, body)
            )
            self.finish(whole)

    async def _send_piece(self, head: HttpHead, body: bytes) -> None:
        try:
            if not self.streaming:
                self.streaming = True
                await self._deliver(head)
            if body:
                await self._deliver(body)
        except SomnusError as error:
            raise ConnectionResetError("the client is gone") from error

    def finish(self, response: HttpResponse) -> None:
        """Complete the answer."""
        if not self.answer.done():
            self.answer.set_result(response)
        self._over.set()

    def fail(self, error: BaseException) -> None:
        """Break the answer off: its head has left, so there is no other way to say it."""
        if not self.answer.done():
            self.answer.set_exception(error)
        self._over.set()


class SocketExchange:
    """One WebSocket.

    Args:
        items: The client's messages.
        deliver: Sends the application's.
    """

    __slots__ = ("_connected", "_deliver", "_gone", "_items", "closed")

    def __init__(self, items: Items, deliver: Delivery) -> None:
        self._items = items
        self._deliver = deliver
        self._connected = False
        self._gone: Message | None = None
        self.closed = False
        """Whether there is nobody to send to any more: one of the two sides has closed."""

    async def receive(self) -> Message:
        """ASGI's `receive`: the connect, the client's messages, then the disconnect, for ever."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._gone is not None:
            return self._gone
        try:
            message = _message(await anext(self._items))
        except (StopAsyncIteration, SomnusError):
            message = SocketClose(CLOSED_ABNORMALLY)
        match message:
            case SocketText(text):
                return {"type": "websocket.receive", "text": text}
            case SocketBytes(data):
                return {"type": "websocket.receive", "bytes": data}
        code, reason = (message.code, message.reason) if isinstance(message, SocketClose) else (CLOSED_ABNORMALLY, "")
        self.closed = True
        self._gone = {"type": "websocket.disconnect", "code": code, "reason": reason}
        return self._gone

    async def send(self, message: Message) -> None:
        """ASGI's `send`.

        Raises:
            OSError: The client is gone.
        """
        match message:
            case {"type": "websocket.accept"}:
                headers = [(bytes(k), bytes(v)) for k, v in message.get("headers") or ()]
                await self._send(SocketAccept(message.get("subprotocol"), headers))
            case {"type": "websocket.send", "text": str(text)}:
                await self._send(SocketText(text))
            case {"type": "websocket.send", "bytes": data}:
                await self._send(SocketBytes(bytes(data)))
            case {"type": "websocket.close"}:
                await self.close(message.get("code") or CLOSED_NORMALLY, message.get("reason") or "")
            case _:
                raise RuntimeError(f"ASGI message {message['type']} out of order")

    async def close(self, code: int = CLOSED_NORMALLY, reason: str = "") -> None:
        """Close, if neither side has."""
        if not self.closed:
            await self._send(SocketClose(code, reason))
            self.closed = True

    async def _send(self, message: SocketMessage) -> None:
        if self.closed:
            raise ConnectionResetError("the client is gone")
        try:
            await self._deliver(message)
        except SomnusError as error:
            self.closed = True
            raise ConnectionResetError("the client is gone") from error
