"""Tools over HTTP: a JSON object in, the result out, or what comes of it as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec

from somnus_plugins.errors import InvalidInput, InvalidResult, SomnusError, UsageError
from somnus_plugins.host.core import Terms
from somnus_plugins.pages.headers import API_HEADERS
from somnus_plugins.pages.problems import HttpProblem, Receive, Scope, Send, send_problem, send_whole
from somnus_plugins.pages.sessions import may_be_ambient
from somnus_plugins.web.visits import too_large

if TYPE_CHECKING:
    from somnus_plugins.host.catalogue import Listing
    from somnus_plugins.web.inbound import Inbound
    from somnus_plugins.web.served import ServedHost

__all__ = ["FORMATS", "ToolVisit", "read_body", "read_object", "written"]

JSON: Final = b"application/json"
EVENTS: Final = b"text/event-stream"
LINES: Final = b"application/x-ndjson"
KEEP_ALIVE_S: Final = 15.0
"""Seconds without an event after which an empty comment, or a line without progress, is sent, so that no proxy in
between gives up."""
WAITING_MAX: Final = 64
"""Items and progress reports that wait for a slow client; the plugin waits then."""
Event = tuple[str, Any]


def _as_event(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _json(value) + b"\n\n"


def _as_line(name: str, value: Any) -> bytes:
    return _json({name: value}) + b"\n"


FORMATS: Final[dict[bytes, Callable[[str, Any], bytes]]] = {EVENTS: _as_event, LINES: _as_line}
"""Media type of a streamed answer → how it writes one of `item`, `progress`, `result`, `error`."""


def _json(value: Any) -> bytes:
    """JSON of a result.

    Raises:
        InvalidResult: JSON cannot express it.
    """
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidResult(f"the tool's result cannot be written as JSON: {error}") from error


async def read_body(receive: Receive, announced: int, limit: int) -> bytes | HttpProblem | None:
    """The whole body; a problem where it is too large, None where the client has left."""
    chunks: list[bytes] = []
    count, more = 0, announced <= limit
    if not more:
        return too_large(limit)
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        count, more = count + len(chunks[-1]), message.get("more_body", False)
        if count > limit:
            return too_large(limit)
    return b"".join(chunks)


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object; no body is an empty one.

    Raises:
        InvalidInput: The body is something else.
    """
    if not body.strip():
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", remedy="Send a JSON object.") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"the body is a JSON {type(found).__name__}; allowed is an object", remedy="Send {…}.")
    return found


class ToolVisit:
    """One call of a tool over HTTP.

    Args:
        scope, receive, send: ASGI.
    """

    __slots__ = ("_receive", "_scope", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def serve(self, host: ServedHost, listing: Listing, inbound: Inbound, tool: str, user: str | None) -> None:
        """Call the tool and answer with its result, or with a problem."""
        try:
            problem = await self._serve(host, listing, inbound, tool, user)
        except SomnusError as error:
            problem = HttpProblem.of(error)
        if problem is not None:
            await send_problem(self._scope, self._send, problem)

    async def _serve(
        self, host: ServedHost, listing: Listing, inbound: Inbound, tool: str, user: str | None
    ) -> HttpProblem | None:
        noted = inbound.noted
        if not _is_json(noted.get(b"content-type", JSON)) and may_be_ambient(noted):
            # A form of another site can send any other type, and the browser adds the person's credentials.
            return HttpProblem.http(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "a tool takes a JSON object",
                "Send it as application/json.",
            )
        body = await read_body(self._receive, inbound.length, listing.upload_max_bytes)
        if not isinstance(body, bytes):
            return body
        terms = Terms(_timeout_s(self._scope["query_string"]), user)
        media_type = _wanted(noted.get(b"accept", b""))
        arguments = read_object(body)
        if media_type is None:
            calling = self._whole(host, listing.id, tool, arguments, terms)
        else:
            calling = self._streamed(host, listing.id, tool, arguments, terms, media_type)
        task = asyncio.get_running_loop().create_task(calling)
        leaving = asyncio.get_running_loop().create_task(_departure(self._receive))
        try:
            await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            return None
        finally:
            leaving.cancel()
            if task.cancel():
                await asyncio.wait((task,))

    async def _whole(self, host: ServedHost, plugin: str, tool: str, arguments: dict[str, Any], terms: Terms) -> None:
        result = await host.call(plugin, tool, arguments, timeout_s=terms.timeout_s, user=terms.user)
        await send_whole(self._send, 200, JSON, _json(result), API_HEADERS)

    async def _streamed(
        self, host: ServedHost, plugin: str, tool: str, arguments: dict[str, Any], terms: Terms, media_type: bytes
    ) -> None:
        """Begin with the first event, so that what fails at once still has a status of its own."""
        write = FORMATS[media_type]
        started = False
        async for event in _events(host, plugin, tool, arguments, terms):
            if event is not None and event[0] == "error" and not started:
                raise event[1]
            if not started:
                started = True
                headers = [(b"content-type", media_type), *API_HEADERS]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": written(write, event), "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})


def written(write: Callable[[str, Any], bytes], event: Event | None) -> bytes:
    """One event; None is what keeps the stream alive."""
    if event is None:
        return b":\n\n" if write is _as_event else write("progress", None)
    name, value = event
    try:
        return write(name, value.to_record() if isinstance(value, SomnusError) else value)
    except InvalidResult as error:
        return write("error", error.to_record())


async def _events(
    host: ServedHost, plugin: str, tool: str, arguments: dict[str, Any], terms: Terms
) -> AsyncIterator[Event | None]:
    """What happens in a call: items, progress, then the result or the error; None where nothing did for a while."""
    waiting: asyncio.Queue[Event | None] = asyncio.Queue(WAITING_MAX)

    def progress(done: float, total: float | None, message: str) -> None:
        if not waiting.full():
            waiting.put_nowait(("progress", {"done": done, "total": total, "message": message}))

    async def follow() -> None:
        try:
            conversation = await host.converse(plugin, "tool", tool, arguments, terms, progress=progress)
            try:
                async for item in conversation:
                    await waiting.put(("item", msgspec.msgpack.decode(item)))
                # Reports of progress are handed over in a turn of their own; they belong before the result.
                await asyncio.sleep(0)
                await waiting.put(("result", msgspec.msgpack.decode(await conversation.result())))
            finally:
                await conversation.close()
        except SomnusError as error:
            await waiting.put(("error", error))
        except msgspec.DecodeError as error:
            await waiting.put(("error", InvalidResult(f"the tool's result is none: {error}")))
        await waiting.put(None)

    following = asyncio.get_running_loop().create_task(follow())
    try:
        while True:
            try:
                event = await asyncio.wait_for(waiting.get(), KEEP_ALIVE_S)
            except TimeoutError:
                yield None
                continue
            if event is None:
                return
            yield event
    finally:
        if following.cancel():
            await asyncio.wait((following,))


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == JSON or kind.endswith(b"+json")


def _wanted(accept: bytes) -> bytes | None:
    """The first streamed media type that `Accept` names; None where the whole result is wanted."""
    for part in accept.split(b","):
        kind = part.partition(b";")[0].strip().lower()
        if kind in FORMATS:
            return kind
    return None


def _timeout_s(query: bytes) -> float | None:
    found = parse_qs(query.decode("latin-1")).get("timeout_s")
    if found is None:
        return None
    try:
        timeout_s = float(found[-1])
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s < float("inf"):
        raise UsageError(f"timeout_s is {found[-1][:100]!r}; allowed are seconds above 0")
    return timeout_s
