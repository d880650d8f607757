"""`plugin.http`: an httpx client whose transport speaks the wire's HTTP to a plugin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import httpx
import msgspec

from somnus_plugins.errors import SomnusError
from somnus_plugins.testing.conversation import GroundedConversation
from somnus_plugins.testing.memory import TEST_ADDRESS
from somnus_plugins.web.inbound import Inbound
from somnus_plugins.web.outbound import outbound_headers
from somnus_plugins.wire.methods import HttpHead, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from somnus_plugins.testing.subject import PluginUnderTest

__all__ = ["WireTransport", "client_for", "wire_request"]

WHOLE_BODY_MAX_BYTES: Final = 256 * 1024
"""A larger body, and one of unknown length, follows the request in pieces."""

_head = msgspec.msgpack.Decoder(HttpHead).decode
_response = msgspec.msgpack.Decoder(HttpResponse).decode
_piece = msgspec.msgpack.Decoder(bytes).decode


def client_for(plugin: PluginUnderTest) -> httpx.AsyncClient:
    """A client whose paths begin below the plugin's mount."""
    return httpx.AsyncClient(transport=WireTransport(plugin), base_url=TEST_ADDRESS)


class WireTransport(httpx.AsyncBaseTransport):
    """Carries requests to a plugin.

    Args:
        plugin: Answers them.
    """

    def __init__(self, plugin: PluginUnderTest) -> None:
        self._plugin = plugin

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; raises what a call of the plugin does, where there is no answer."""
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        asked = wire_request(self._plugin, request.method, request.url, headers)
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


def wire_request(
    plugin: PluginUnderTest, method: str, url: httpx.URL, headers: list[tuple[bytes, bytes]], **facts: Any
) -> HttpRequest:
    """A request below the plugin's mount as its host would send it, without a body.

    Args:
        plugin: Whose mount.
        method: Upper case.
        url: Its path begins below the mount, or, after a redirect, with it.
        headers: Names in lower case; those that are not for plugins are left out.
        facts: More for the ASGI scope.
    """
    mount = f"/plugins/{plugin.manifest.name}"
    rest = unquote(url.raw_path.partition(b"?")[0].decode("ascii"))
    rest = rest.removeprefix(mount if rest.startswith(f"{mount}/") else "").removeprefix("/")
    scope = {
        "method": method,
        "scheme": "http",
        "path": f"{mount}/{rest}",
        "query_string": url.query,
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": (url.host, 80),
        **facts,
    }
    return Inbound(scope).request(scope, rest, None)


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
        return httpx.Response(
            head.status, headers=outbound_headers(head.status, head.headers), stream=_Pieces(talk, upload)
        )
    whole = _response(await talk.result())
    await _end(talk, upload)
    headers = outbound_headers(whole.status, whole.headers, len(whole.body))
    return httpx.Response(whole.status, headers=headers, content=whole.body)


async def _end(talk: GroundedConversation, upload: asyncio.Task[None] | None) -> None:
    if upload is not None:
        upload.cancel()
        await asyncio.wait([upload])
    await talk.close()


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
