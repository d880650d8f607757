"""One WebSocket between a client and a plugin."""

from __future__ import annotations

import asyncio
import enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from somnus_plugins.errors import HostError, InvalidResult, NotReady, SomnusError
from somnus_plugins.host.core import Conversation, Terms
from somnus_plugins.pages.problems import HttpProblem, Receive, Scope, Send, send_problem
from somnus_plugins.web.outbound import handshake_headers
from somnus_plugins.web.visits import IdleTimer
from somnus_plugins.wire.http import (
    CLOSED_BY_ERROR,
    CLOSED_NORMALLY,
    SocketAccept,
    SocketBytes,
    SocketClose,
    SocketMessage,
    SocketText,
)

if TYPE_CHECKING:
    from somnus_plugins.host.catalogue import Listing
    from somnus_plugins.web.inbound import Inbound
    from somnus_plugins.web.served import ServedHost

__all__ = ["SocketVisit", "sendable_code"]

GOING_AWAY: Final = 1001
NO_STATUS: Final = 1005
RESTARTING: Final = 1012
FAREWELL_S: Final = 10.0
"""Seconds a plugin has for going on after its client has left."""
REASON_MAX_BYTES: Final = 123
"""Longest reason of a close frame (RFC 6455, section 5.5)."""
_message = msgspec.msgpack.Decoder(SocketMessage).decode


def sendable_code(code: int) -> int:
    """The close code, if an application may send it (RFC 6455, section 7.4); else that of an error."""
    reserved = code in (1004, 1005, 1006) or code not in range(1000, 1015)
    return CLOSED_BY_ERROR if reserved and code not in range(3000, 5000) else code


class _Phase(enum.Enum):
    CONNECTING = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


class SocketVisit:
    """One WebSocket.

    Args:
        scope, receive, send: ASGI.
        idle_s: Seconds without a message after which it is closed with 1001.
    """

    __slots__ = ("_close", "_idle_s", "_phase", "_receive", "_scope", "_send", "_task", "_timer")

    def __init__(self, scope: Scope, receive: Receive, send: Send, idle_s: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._phase = _Phase.CONNECTING
        self._close: tuple[int, str] | None = None
        self._timer: IdleTimer | None = None
        self._task: asyncio.Task[Any] | None = asyncio.current_task()

    async def serve(self, host: ServedHost, listing: Listing, inbound: Inbound, rest: str, user: str | None) -> None:
        """Have the plugin serve it; arguments as for a `Visit`."""
        await self._receive()  # websocket.connect
        request = inbound.request(self._scope, rest, None)
        upward: asyncio.Task[None] | None = None
        self._allow(self._idle_s)
        try:
            conversation = await host.converse(listing.id, "websocket", "", request, Terms(None, user), sends=True)
            try:
                upward = asyncio.get_running_loop().create_task(self._upward(conversation))
                await self._downward(conversation)
            finally:
                await conversation.close()
        except SomnusError as error:
            await self._fail(error)
        except msgspec.DecodeError as error:
            await self._fail(InvalidResult(f"the plugin sent what is no message: {error}"))
        except asyncio.CancelledError:
            if self._close is None or self._task is None or self._task.uncancel() > 0:
                raise
            await self._end(*self._close)
        except OSError:
            # The client left while something was sent to it.
            self._phase = _Phase.CLOSED
        finally:
            self._allow(None)
            if upward is not None:
                upward.cancel()

    async def _downward(self, conversation: Conversation) -> None:
        """The plugin's messages, until it closes."""
        async for item in conversation:
            self._moved()
            match _message(item):
                case SocketAccept(subprotocol, headers) if self._phase is _Phase.CONNECTING:
                    kept = handshake_headers(headers)
                    if subprotocol is not None and subprotocol not in (self._scope.get("subprotocols") or ()):
                        raise InvalidResult(
                            f"the plugin chose {subprotocol[:100]!r}, a subprotocol that nobody offered"
                        )
                    self._phase = _Phase.OPEN
                    await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": kept})
                case SocketText(text) if self._phase is _Phase.OPEN:
                    await self._send({"type": "websocket.send", "text": text})
                case SocketBytes(data) if self._phase is _Phase.OPEN:
                    await self._send({"type": "websocket.send", "bytes": data})
                case SocketClose(code, reason):
                    await self._end(sendable_code(code), reason)
                    return
                case other if self._phase is not _Phase.CLOSED:
                    raise InvalidResult(f"the plugin sent {type(other).__name__} out of order")
        await conversation.result()
        await self._end(CLOSED_NORMALLY, "")

    async def _upward(self, conversation: Conversation) -> None:
        """The client's messages, until it leaves. The plugin's reading sets the pace."""
        try:
            while True:
                message = await self._receive()
                self._moved()
                if message["type"] == "websocket.disconnect":
                    self._phase = _Phase.CLOSED
                    self._allow(FAREWELL_S)
                    code, reason = message.get("code") or NO_STATUS, message.get("reason") or ""
                    await conversation.send(SocketClose(code, reason))
                    conversation.end()
                    return
                text = message.get("text")
                await conversation.send(SocketBytes(message["bytes"]) if text is None else SocketText(text))
        except SomnusError:
            # The plugin has closed or ended; the other direction says which.
            return

    def _allow(self, idle_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if idle_s is not None:
            self._timer = IdleTimer(idle_s, lambda: self._cut(GOING_AWAY, "nothing was said for too long"))

    def _moved(self) -> None:
        if self._timer is not None:
            self._timer.moved()

    def _cut(self, code: int, reason: str) -> None:
        if self._close is None and self._task is not None:
            self._close = code, reason
            self._task.cancel()

    async def _fail(self, error: SomnusError) -> None:
        code = RESTARTING if isinstance(error, NotReady | HostError) else CLOSED_BY_ERROR
        await self._end(code, error.message, HttpProblem.of(error))

    async def _end(self, code: int, reason: str, problem: HttpProblem | None = None) -> None:
        """Close, or where it was never accepted, refuse; nothing where the client has left."""
        before, self._phase = self._phase, _Phase.CLOSED
        if before is _Phase.OPEN:
            cut = reason.encode("utf-8", "replace")[:REASON_MAX_BYTES].decode("utf-8", "ignore")
            await self._send({"type": "websocket.close", "code": code, "reason": cut})
        elif before is _Phase.CONNECTING:
            refusal = HttpProblem.http(HTTPStatus.FORBIDDEN, "refused", "the plugin does not take this connection")
            await send_problem(self._scope, self._send, problem or refusal)
