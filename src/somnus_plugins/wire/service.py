"""The calls of the other side that this side serves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any, Final

from somnus_plugins.errors import InvalidResult, Overloaded, PeerClosed, PluginError, PluginRaised, SomnusError
from somnus_plugins.wire.calls import SENDS, TAKES, send_item
from somnus_plugins.wire.codec import ENCODE_ERRORS, encode_frame
from somnus_plugins.wire.connection import Connection, Side
from somnus_plugins.wire.frames import (
    PROGRESS_MAX_CHARS,
    Cancel,
    Credit,
    Failure,
    Progress,
    Request,
    Response,
    record,
)
from somnus_plugins.wire.streams import Inbox, Outbox

__all__ = ["Handler", "Incoming", "Service"]

EAGER: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
"""A handler that never waits then runs without a turn of the loop."""


class Incoming:
    """A call of the other side, as its handler sees it."""

    __slots__ = (
        "_connection",
        "header",
        "id",
        "inbox",
        "method",
        "outbox",
        "payload",
        "received",
        "settled",
        "target",
        "task",
    )

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection = connection
        self.id = request.id
        self.method = request.method
        self.target = request.target
        self.header = request.header
        self.payload = request.payload
        self.received = monotonic()
        self.inbox: Inbox | None = None
        self.outbox: Outbox | None = None
        self.task: asyncio.Task[None] | None = None
        self.settled = False
        """It has been cancelled or its answer is on the way; neither is interrupted."""
        if request.streams:
            self._open(request.streams)

    def _open(self, streams: int) -> None:
        connection, call_id, window = self._connection, self.id, self._connection.limits.window_bytes
        if streams & SENDS:
            self.inbox = Inbox(window, lambda count: connection.send(Credit(call_id, count)))
        if streams & TAKES:
            self.outbox = Outbox(window)

    @property
    def streams_in(self) -> bool:
        """Whether the caller sends items."""
        return self.inbox is not None

    @property
    def wants_items(self) -> bool:
        """Whether the caller takes items."""
        return self.outbox is not None

    def items(self) -> Inbox:
        """The caller's items; empty where it sends none."""
        if self.inbox is None:
            self.inbox = Inbox(0, lambda count: None)
            self.inbox.end()
        return self.inbox

    async def send(self, item: Any) -> None:
        """Send one item to the caller, as soon as it has credit.

        Raises:
            PeerClosed: The caller is gone or takes no items.
            InvalidResult: The item cannot be encoded or is too large.
        """
        if self.outbox is None:
            raise PeerClosed("the caller takes no items")
        await send_item(self._connection, self.id, item, self.outbox)

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Tell the caller how far the call has come; dropped where the connection is busy or the call has ended."""
        if self._connection.writable.is_set() and (self.task is None or not self.task.done()):
            self._connection.send(Progress(self.id, done, total, message[:PROGRESS_MAX_CHARS]))


Handler = Callable[[Incoming], Awaitable[Any]]
"""Serves one call and returns its result; errors of the tree travel, any other becomes `plugin_raised`."""


class Service:
    """Takes requests, runs the handler for each in a task of its own, and answers."""

    def __init__(self, connection: Connection, handler: Handler) -> None:
        self.open: dict[int, Incoming] = {}
        self.last_id = 0
        """Highest id the other side has used: ids only grow, so one that is at most this is past or open."""
        self._connection = connection
        self._handler = handler
        self._others = 0 if connection.side is Side.HOST else 1
        connection.receivers |= {Request: self._on_request, Cancel: self._on_cancel}
        connection.enders.append(self._on_end)

    def is_past(self, call_id: int) -> bool:
        """Whether the other side started this call and it has ended here: late frames of it are no fault."""
        return 0 < call_id <= self.last_id and call_id % 2 == self._others and call_id not in self.open

    def _on_request(self, request: Request) -> None:
        call_id, connection = request.id, self._connection
        if call_id <= self.last_id or call_id % 2 != self._others:
            connection.strike("request with an id that is taken or not its own")
            return
        self.last_id = call_id
        if len(self.open) >= connection.limits.incoming_max:
            connection.idle += 1
            connection.send(Failure(call_id, record(Overloaded("too many calls at the same time"))))
            return
        incoming = self.open[call_id] = Incoming(connection, request)
        incoming.task = asyncio.Task(self._serve(incoming), loop=connection.loop, **EAGER)

    async def _serve(self, incoming: Incoming) -> None:
        call_id, connection = incoming.id, self._connection
        frame: Response | Failure
        try:
            frame = Response(call_id, await self._handler(incoming))
        except asyncio.CancelledError:
            frame = Failure(call_id, record(PluginError("the call was cancelled")))
        except SomnusError as error:
            frame = Failure(call_id, record(error))
        except Exception as error:  # noqa: BLE001  # the handler runs code of others; their words must not cross as they are
            name = type(error).__name__
            frame = Failure(call_id, record(PluginRaised(name, data={"class": name})))
            connection.loop.call_exception_handler({"message": "a handler raised", "exception": error})
        if incoming.outbox is not None:
            incoming.outbox.close()
        if incoming.inbox is not None:
            incoming.inbox.end(PeerClosed("the call has ended"))
        if connection.closed is None:
            await self._answer(incoming, frame)
        self.open.pop(call_id, None)
        connection.expect_late()

    async def _answer(self, incoming: Incoming, frame: Response | Failure) -> None:
        try:
            body = encode_frame(frame)
        except ENCODE_ERRORS as error:
            body = encode_frame(Failure(frame.id, record(InvalidResult(f"the result cannot be sent: {error}"))))
        if not self._connection.send_now(body, len(self.open)):
            incoming.settled = True
            try:
                await self._connection.send_body(body, InvalidResult)
            except SomnusError as error:
                self._connection.send(Failure(frame.id, record(error)))

    def _on_cancel(self, cancel: Cancel) -> None:
        incoming = self.open.get(cancel.id)
        if incoming is not None:
            # Not now: a task that is cancelled before its first step never runs, and so would never answer.
            self._connection.idle += 1
            self._connection.loop.call_soon(self._cancel, incoming)
        elif self.is_past(cancel.id):
            self._connection.late()
        else:
            self._connection.strike("cancel of no call")

    def _cancel(self, incoming: Incoming) -> None:
        if incoming.task is not None and not incoming.settled:
            incoming.settled = True
            incoming.task.cancel()

    def _on_end(self, reason: SomnusError) -> None:
        for incoming in list(self.open.values()):
            if incoming.inbox is not None:
                incoming.inbox.end(reason)
            if incoming.outbox is not None:
                incoming.outbox.close()
            if incoming.task is not None:
                # A task that is cancelled before its first step does not remove itself.
                incoming.task.add_done_callback(partial(self._forget, incoming.id))
            self._cancel(incoming)

    def _forget(self, call_id: int, task: asyncio.Task[None]) -> None:
        self.open.pop(call_id, None)
