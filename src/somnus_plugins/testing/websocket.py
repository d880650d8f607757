"""`plugin.websocket`: the client's end of a WebSocket to a plugin."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import httpx
import msgspec

from somnus_plugins.errors import PeerClosed, ProtocolViolation
from somnus_plugins.testing.conversation import GroundedConversation
from somnus_plugins.testing.http import wire_request
from somnus_plugins.testing.memory import TEST_ADDRESS
from somnus_plugins.wire.http import (
    CLOSED_ABNORMALLY,
    CLOSED_NORMALLY,
    SocketAccept,
    SocketBytes,
    SocketClose,
    SocketMessage,
    SocketText,
)

if TYPE_CHECKING:
    from somnus_plugins.testing.subject import PluginUnderTest

__all__ = ["WebSocketUnderTest", "open_websocket"]

_message = msgspec.msgpack.Decoder(SocketMessage).decode


class WebSocketUnderTest:
    """An open WebSocket. Iterating over it gives the plugin's messages until the plugin closes.

    Args:
        talk: The call it runs in.
        accepted: The plugin's answer to the handshake.
    """

    def __init__(self, talk: GroundedConversation, accepted: SocketAccept) -> None:
        self._talk = talk
        self.subprotocol = accepted.subprotocol
        """What the plugin has chosen."""
        self.close_code: int | None = None
        """Status code of RFC 6455 with which it was closed; None while it is open."""

    async def send(self, message: str | bytes) -> None:
        """Send one message.

        Raises:
            PeerClosed: It is closed.
        """
        if self.close_code is not None:
            raise _closed(self.close_code)
        await self._talk.send(SocketText(message) if isinstance(message, str) else SocketBytes(message))

    async def receive(self) -> str | bytes:
        """The plugin's next message.

        Raises:
            PeerClosed: The plugin has closed, and with which code.
        """
        if self.close_code is not None:
            raise _closed(self.close_code)
        match await _next(self._talk):
            case SocketText(text):
                return text
            case SocketBytes(data):
                return data
            case SocketClose(code, reason):
                self.close_code = code
                raise _closed(code, reason)
        raise ProtocolViolation("the plugin accepted the WebSocket twice")

    async def close(self, code: int = CLOSED_NORMALLY, reason: str = "") -> None:
        """Close it, and wait until the plugin has noticed."""
        if self.close_code is None:
            self.close_code = code
            await self._talk.send(SocketClose(code, reason))
            await self._talk.end()
            await self._talk.result()

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except PeerClosed:
            raise StopAsyncIteration from None


@contextlib.asynccontextmanager
async def open_websocket(
    plugin: PluginUnderTest, path: str, subprotocols: tuple[str, ...], headers: Mapping[str, str]
) -> AsyncIterator[WebSocketUnderTest]:
    """Open a WebSocket for the time of a block; raises `PeerClosed` where the plugin refuses it."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    url = httpx.URL(TEST_ADDRESS).join(path)
    facts = {"scheme": "ws", "subprotocols": list(subprotocols)}
    asked = wire_request(plugin, "GET", url, [(b"host", url.netloc), *raw], **facts)
    talk = await plugin.converse("websocket", "", asked, sends=True)
    try:
        answer = await _next(talk)
        if not isinstance(answer, SocketAccept):
            raise PeerClosed(f"the plugin refused the WebSocket {path}: {answer}")
        socket = WebSocketUnderTest(talk, answer)
        yield socket
        await socket.close()
    finally:
        await talk.close()


async def _next(talk: GroundedConversation) -> SocketMessage:
    item = await anext(talk, None)
    return SocketClose(CLOSED_ABNORMALLY) if item is None else _message(item)


def _closed(code: int, reason: str = "") -> PeerClosed:
    return PeerClosed(f"the WebSocket is closed with code {code}" + (f": {reason}" if reason else ""))
