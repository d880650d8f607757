"""`plugin.http`: an httpx client whose transport speaks the wire's HTTP to a plugin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import httpx
import msgspec

from somnus_plugins.errors import SomnusError
from somnus_plugins.testing.conversation import GroundedConversation
from somnus_plugins.wire.methods import HttpHead, HttpResponse

if TYPE_CHECKING:
    from somnus_plugins.testing.subject import PluginUnderTest

__all__ = ["WireTransport", "client_for"]

NOT_FOR_PLUGINS: Final = frozenset({b"authorization", b"connection", b"cookie", b"proxy-authorization"})
"""Request headers that no plugin sees."""
NOT_FROM_PLUGINS: Final = frozenset({b"clear-site-data", b"connection", b"service-worker-allowed", b"set-cookie"})
"""Answer headers that no client sees; nor those that begin with `access-control-`."""
WHOLE_BODY_MAX_BYTES: Final = 256 * 1024
"""A larger body, and one of unknown length, follows the request in pieces."""

_head = msgspec.msgpack.Decoder(HttpHead).decode
_response = msgspec.msgpack.Decoder(HttpResponse).decode
_piece = msgspec.msgpack.Decoder(bytes).decode


def client_for(plugin: PluginUnderTest) -> httpx.AsyncClient:
    """A client whose paths begin below the plugin's mount."""
    return httpx.AsyncClient(transport=WireTransport(plugin), base_url="http://plugin.test")


class WireTransport(httpx.AsyncBaseTransport):
    """Carries requests to a plugin.

    Args:
        plugin: Answers them.
    """

    def __init__(self, plugin: PluginUnderTest) -> None:
        self._plugin = plugin

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; raises what a call of the plugin does, where there is no answer."""
        headers = [(key.lower(), value) for key, value in request.headers.raw if key.lower() not in NOT_FOR_PLUGINS]
        path = unquote(request.url.raw_path.partition(b"?")[0].decode("ascii"))
        asked = self._plugin.handshake(request.method, path, request.url.query, headers)
        root, below = asked.root_path, path.removeprefix(asked.root_path)
        if below.startswith("/") and path.startswith(root):
            asked.path = below
        length = request.headers.get("content-length", "" if "transfer-encoding" in request.headers else "0")
        sends = not length or int(length) > WHOLE_BODY_MAX_BYTES
        asked.body = None if sends else await request.aread()
        talk = await self._plugin.converse("http", "", asked, sends=sends)
        upload = asyncio.create_task(_send_body(request, talk)) if sends else None
        try:
            return await _answer(talk, upload)
        except BaseException:
            await _end(talk, upload)
            raise


async def _send_body(request: httpx.Request, talk: GroundedConversation) -> None:
    """Send what the request holds; a plugin that answers before it has read all of it is right to do so."""
    with contextlib.suppress(SomnusError):
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("plugin.http sends bodies of an asynchronous client only")
        async for piece in request.stream:
            await talk.send(piece)
        await talk.end()


async def _answer(talk: GroundedConversation, upload: asyncio.Task[None] | None) -> httpx.Response:
    first = await anext(talk, None)
    if first is not None:
        head = _head(first)
        return httpx.Response(head.status, headers=_for_clients(head.headers), stream=_Pieces(talk, upload))
    whole = _response(await talk.result())
    await _end(talk, upload)
    return httpx.Response(whole.status, headers=_for_clients(whole.headers), content=whole.body)


async def _end(talk: GroundedConversation, upload: asyncio.Task[None] | None) -> None:
    if upload is not None:
        upload.cancel()
        await asyncio.wait([upload])
    await talk.close()


def _for_clients(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [
        (key, value)
        for key, value in headers
        if key.lower() not in NOT_FROM_PLUGINS and not key.lower().startswith(b"access-control-")
    ]


class _Pieces(httpx.AsyncByteStream):
    """The body of an answer as it comes; closed before its end, the plugin is told."""

    def __init__(self, talk: GroundedConversation, upload: asyncio.Task[None] | None) -> None:
        self._talk = talk
        self._upload = upload

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._talk:
            yield _piece(piece)
        await self._talk.result()

    async def aclose(self) -> None:
        await _end(self._talk, self._upload)
