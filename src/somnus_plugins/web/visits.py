"""One HTTP request while a plugin answers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from somnus_plugins.errors import InvalidResult, SomnusError
from somnus_plugins.host.core import Conversation, Terms
from somnus_plugins.pages.problems import HttpProblem, Receive, Scope, Send, send_problem
from somnus_plugins.web.outbound import outbound_headers
from somnus_plugins.web.redirects import REDIRECTS, check_redirect
from somnus_plugins.wire.methods import HttpHead, HttpResponse

if TYPE_CHECKING:
    from somnus_plugins.host.catalogue import Listing
    from somnus_plugins.web.inbound import Inbound
    from somnus_plugins.web.served import ServedHost

__all__ = ["IdleTimer", "Visit", "too_large"]

WATCH_AFTER_S: Final = 0.05
"""Seconds until somebody listens for the client's departure. Most answers are complete before, and a task for each of
them would cost more than they do."""
BODILESS: Final = frozenset({204, 205, 304})

_response = msgspec.msgpack.Decoder(HttpResponse).decode
_head = msgspec.msgpack.Decoder(HttpHead).decode
_chunk = msgspec.msgpack.Decoder(bytes).decode

GONE: Final = "gone"
IDLE: Final = "idle"


def too_large(limit: int) -> HttpProblem:
    """The body exceeds what the plugin takes."""
    return HttpProblem.http(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"the body is larger than the {limit} bytes this plugin takes",
        "The plugin's own limit is `upload_mb`; the host's ceiling is in [limits] of config.toml.",
        ((b"connection", b"close"),),
    )


class IdleTimer:
    """Calls back when nothing has moved for a while. `moved` costs one assignment.

    Args:
        limit_s: Seconds.
        on_idle: Called once.
    """

    __slots__ = ("_handle", "_limit_s", "_loop", "_moved", "_on_idle")

    def __init__(self, limit_s: float, on_idle: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_s = limit_s
        self._on_idle = on_idle
        self._moved = self._loop.time()
        self._handle = self._loop.call_at(self._moved + limit_s, self._look)

    def moved(self) -> None:
        """Something was sent or received."""
        self._moved = self._loop.time()

    def _look(self) -> None:
        due = self._moved + self._limit_s
        if self._loop.time() >= due:
            self._on_idle()
        else:
            self._handle = self._loop.call_at(due, self._look)

    def cancel(self) -> None:
        """No longer."""
        self._handle.cancel()


class Visit:
    """One request, from the first byte of its body to the last of the answer.

    The client's departure, a body that is too large and a stream that stands still cancel the task that serves the
    request, and with it the call in the plugin.

    Args:
        scope, receive, send: ASGI.
        idle_s: Seconds a streamed answer may stand still.
    """

    __slots__ = ("_fault", "_idle_s", "_receive", "_root", "_scope", "_send", "_started", "_task", "_watcher")

    def __init__(self, scope: Scope, receive: Receive, send: Send, idle_s: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._root = ""
        self._fault: HttpProblem | str | None = None
        self._started = False
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None

    async def serve(self, host: ServedHost, listing: Listing, inbound: Inbound, rest: str, user: str | None) -> None:
        """Have the plugin answer.

        Args:
            host: Where the plugin is.
            listing: The plugin.
            inbound: The request's headers.
            rest: Path below the mount, without the slash it begins with.
            user: On whose behalf.
        """
        limit, body, more = listing.upload_max_bytes, b"", False
        if inbound.has_body(self._scope):
            if inbound.length > limit:
                await send_problem(self._scope, self._send, too_large(limit))
                return
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            if len(body) > limit:
                await send_problem(self._scope, self._send, too_large(limit))
                return
        request = inbound.request(self._scope, rest, None if more else body)
        self._root = request.root_path
        timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._watch)
        try:
            conversation = await host.converse(listing.id, "http", "", request, Terms(None, user), sends=more)
            try:
                if more:
                    self._watch(self._upload(conversation, body, limit))
                await self._answer(conversation)
            finally:
                await conversation.close()
        except SomnusError as error:
            await self._explain(HttpProblem.of(error))
        except msgspec.DecodeError as error:
            await self._explain(HttpProblem.of(InvalidResult(f"the plugin's answer is none: {error}")))
        except asyncio.CancelledError:
            if self._fault is None or self._task is None or self._task.uncancel() > 0:
                raise
            if isinstance(self._fault, HttpProblem):
                await self._explain(self._fault)
        except OSError:
            # The client left while something was sent to it: there is nobody to tell.
            self._started = True
        finally:
            timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    # -- the answer --------------------------------------------------------------------------------------------------

    async def _answer(self, conversation: Conversation) -> None:
        items = aiter(conversation)
        first = await anext(items, None)
        if first is not None:
            await self._stream(conversation, _head(first), items)
            return
        answer = _response(await conversation.result())
        status, body = answer.status, b"" if answer.status in BODILESS else answer.body
        length = None if answer.status in BODILESS or self._scope["method"] == "HEAD" else len(body)
        headers = self._headers(status, answer.headers, length)
        self._started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _headers(
        self, status: int, headers: list[tuple[bytes, bytes]], length: int | None = None
    ) -> list[tuple[bytes, bytes]]:
        found = outbound_headers(status, headers, length)
        if status in REDIRECTS:
            check_redirect(found, self._scope, self._root)
        return found

    async def _stream(self, conversation: Conversation, head: HttpHead, items: AsyncIterator[msgspec.Raw]) -> None:
        headers = self._headers(head.status, head.headers)
        timer = IdleTimer(self._idle_s, lambda: self._cut(IDLE))
        self._started = True
        try:
            await self._send({"type": "http.response.start", "status": head.status, "headers": headers})
            async for item in items:
                await self._send({"type": "http.response.body", "body": _chunk(item), "more_body": True})
                timer.moved()
            await conversation.result()
        finally:
            timer.cancel()
        await self._send({"type": "http.response.body", "body": b""})

    async def _explain(self, problem: HttpProblem) -> None:
        """Tell the client. An answer that has begun is left incomplete: the server then ends the connection, which is
        the only way to say that what came is not all."""
        if not self._started:
            self._started = True
            await send_problem(self._scope, self._send, problem)

    # -- the client --------------------------------------------------------------------------------------------------

    def _watch(self, work: Any = None) -> None:
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(work or self._listen())
        elif work is not None:
            self._watcher.cancel()
            self._watcher = asyncio.get_running_loop().create_task(work)

    def _cut(self, fault: HttpProblem | str) -> None:
        if self._fault is None and self._task is not None:
            self._fault = fault
            self._task.cancel()

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._cut(GONE)

    async def _upload(self, conversation: Conversation, body: bytes, limit: int) -> None:
        """Send the body on as it comes; the plugin's reading sets the pace."""
        count, more = len(body), True
        try:
            await conversation.send(body)
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self._cut(GONE)
                    return
                body, more = message.get("body", b""), message.get("more_body", False)
                count += len(body)
                if count > limit:
                    self._cut(too_large(limit))
                    return
                if body:
                    await conversation.send(body)
            conversation.end()
        except SomnusError:
            # The plugin answers without the rest of the body, or has ended; its answer says which.
            return
        await self._listen()
