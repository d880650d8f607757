"""The calls this side has started.

Guarantee: every call ends in a result or in one error of the tree, at its deadline at the latest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import msgspec

from somnus_plugins.errors import (
    CallTimeout,
    InvalidInput,
    InvalidResult,
    PeerClosed,
    PluginError,
    SomnusError,
    from_record,
)
from somnus_plugins.wire.codec import ENCODE_ERRORS, encode_frame
from somnus_plugins.wire.connection import Connection, Side
from somnus_plugins.wire.frames import (
    EMPTY_HEADER,
    PROGRESS_MAX_CHARS,
    Cancel,
    Credit,
    End,
    ErrorRecord,
    Failure,
    Header,
    Item,
    Progress,
    Request,
    Response,
    raw,
)
from somnus_plugins.wire.splice import Spliced, large_bytes
from somnus_plugins.wire.streams import ITEM_COST, Inbox, Outbox
from somnus_plugins.wire.values import decode_value

__all__ = ["LATE", "SENDS", "TAKES", "Calls", "Exchange", "ProgressSink", "send_item"]

SENDS: Final = 1
TAKES: Final = 2
SWEEP_S: Final = 0.05
"""Seconds between two looks for calls past their deadline; arming a timer for each call costs more than the call."""
NEVER: Final = float("inf")
LATE: Final = {"late": True}
"""Data of the `CallTimeout` that this side raises by itself: it knows neither the plugin nor the tool, and whoever does
may say it better."""
ERROR_DATA_MAX_BYTES: Final = 16 * 1024
"""Largest `data` of a plugin's error that is kept, encoded: decoded it may take a hundred times as much memory."""

ProgressSink = Callable[[float, float | None, str], None]
"""Takes how much is done, of how much (None: not known), and a text for a person."""


class Pending:
    """A call that has not ended."""

    __slots__ = ("deadline", "future", "inbox", "outbox", "progress")

    def __init__(
        self,
        future: asyncio.Future[msgspec.Raw],
        deadline: float,
        progress: ProgressSink | None = None,
        inbox: Inbox | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self.future = future
        self.deadline = deadline
        self.progress = progress
        self.inbox = inbox
        self.outbox = outbox

    def succeed(self, result: msgspec.Raw) -> None:
        """The callee's answer."""
        if not self.future.done():
            self.future.set_result(result)
        if self.inbox is not None:
            self.inbox.end()
        if self.outbox is not None:
            self.outbox.close()

    def fail(self, error: SomnusError) -> None:
        """The call has no result."""
        if not self.future.done():
            self.future.set_exception(error)
        if self.inbox is not None:
            self.inbox.end(error)
        if self.outbox is not None:
            self.outbox.close()


async def send_item(connection: Connection, call_id: int, item: Any, outbox: Outbox) -> None:
    """Send one item of a stream, within its credit.

    Raises:
        InvalidResult: It cannot be encoded or is too large.
        PeerClosed: The call has ended.
    """
    await outbox.ready()
    connection.ensure_open()
    if outbox.closed:
        raise PeerClosed("the call has ended")
    try:
        body = encode_frame(Item(call_id, raw(item)))
    except ENCODE_ERRORS as error:
        raise InvalidResult(f"an item of the stream cannot be sent: {error}") from error
    size = len(body) + ITEM_COST
    outbox.spend(size)
    if not connection.send_now(body):
        try:
            await connection.send_body(body, InvalidResult)
        except BaseException:
            outbox.add(size)
            raise


class Exchange:
    """A call with streams, on the caller's side: send items, take items, then the result."""

    __slots__ = ("_call", "_calls", "id")

    def __init__(self, calls: Calls, call_id: int, call: Pending) -> None:
        self._calls = calls
        self._call = call
        self.id = call_id

    async def send(self, item: Any) -> None:
        """Send one item to the callee, as soon as it has credit; raises as `send_item` does."""
        if self._call.outbox is None:
            raise TypeError("this exchange sends no items")
        await send_item(self._calls.connection, self.id, item, self._call.outbox)

    def end(self) -> None:
        """The caller's stream is complete."""
        if not self._call.future.done():
            self._calls.connection.send(End(self.id))

    def __aiter__(self) -> Inbox:
        if self._call.inbox is None:
            raise TypeError("this exchange takes no items")
        return self._call.inbox

    async def result(self) -> msgspec.Raw:
        """Wait for the end of the call; raises as `Calls.request` does. Whoever waits must be the only one."""
        return await self._call.future

    def lift_deadline(self) -> None:
        """Let the call go on for as long as anybody takes its items."""
        self._call.deadline = NEVER

    def cancel(self, reason: SomnusError | None = None) -> None:
        """The answer is no longer wanted; the callee is told, and whoever waits for it gets the reason."""
        self._calls.abandon(self.id, reason)

    @property
    def ended(self) -> bool:
        """Whether the call has ended; items may still wait."""
        return self._call.future.done()


class Calls:
    """Starts calls and takes their answers.

    Args:
        connection: What they travel on.
        on_abandoned: Called with the id of each call that was given up and that the callee has to acknowledge.
    """

    def __init__(self, connection: Connection, on_abandoned: Callable[[int], None] | None) -> None:
        self.connection = connection
        self.open: dict[int, Pending] = {}
        self.abandoned: dict[int, float] = {}
        """Calls that were given up, until the callee acknowledges: id to the time (monotonic seconds)."""
        self._on_abandoned = on_abandoned
        self._loop = connection.loop
        self._next_id = 1 if connection.side is Side.HOST else 2
        self._sweeper: asyncio.TimerHandle | None = None
        self._within = PluginError if connection.side is Side.HOST else SomnusError
        connection.receivers |= {Response: self._on_response, Failure: self._on_failure, Progress: self._on_progress}
        connection.enders.append(self._on_end)

    async def request(
        self,
        method: str,
        payload: Any = None,
        target: str = "",
        header: Header = EMPTY_HEADER,
        progress: ProgressSink | None = None,
    ) -> msgspec.Raw:
        """One call with one answer.

        Returns:
            The result, still encoded: `msgspec.msgpack.decode` it, as the type it should have.

        Raises:
            InvalidInput: The payload cannot be encoded, or is too large.
            CallTimeout: `header.timeout_s` passed.
            PeerClosed: The connection ended first.
            PluginError: Whatever the other side answered.
        """
        call_id = self._next_id
        body = self._opening(Request(call_id, method, target, header, 0, raw(payload)))
        future: asyncio.Future[msgspec.Raw] = self._loop.create_future()
        timeout_s = header.timeout_s
        self.open[call_id] = Pending(future, NEVER if timeout_s is None else monotonic() + timeout_s, progress)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)
        try:
            if not self.connection.send_now(body, len(self.open)):
                await self._send_when_possible(call_id, body)
            return await future
        except asyncio.CancelledError:
            self.abandon(call_id)
            raise

    async def exchange(
        self,
        method: str,
        payload: Any = None,
        target: str = "",
        header: Header = EMPTY_HEADER,
        *,
        sends: bool = False,
        takes: bool = True,
        progress: ProgressSink | None = None,
    ) -> Exchange:
        """Start a call with streams; raises as `request` does."""
        call_id = self._next_id
        streams = (SENDS if sends else 0) | (TAKES if takes else 0)
        body = self._opening(Request(call_id, method, target, header, streams, raw(payload)))
        timeout_s = header.timeout_s
        window = self.connection.limits.window_bytes
        call = Pending(
            self._loop.create_future(),
            NEVER if timeout_s is None else monotonic() + timeout_s,
            progress,
            Inbox(window, lambda count: self.connection.send(Credit(call_id, count))) if takes else None,
            Outbox(window) if sends else None,
        )
        call.future.add_done_callback(_retrieve)
        self.open[call_id] = call
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)
        if not self.connection.send_now(body, len(self.open)):
            await self._send_when_possible(call_id, body)
        return Exchange(self, call_id, call)

    def abandon(self, call_id: int, reason: SomnusError | None = None) -> None:
        """Give a call up: the callee is told, and has to acknowledge by ending it; whoever waits gets the reason."""
        call = self.open.pop(call_id, None)
        if call is None:
            return
        call.fail(reason or PeerClosed("the call was cancelled"))
        if self.connection.closed is None:
            self.abandoned[call_id] = monotonic()
            self.connection.expect_late()
            self.connection.send(Cancel(call_id))
            if self._on_abandoned is not None:
                self._on_abandoned(call_id)

    async def finished(self, timeout_s: float) -> bool:
        """Wait until every call that is open now has ended; whether they have."""
        open_now = [call.future for call in self.open.values()]
        return not open_now or not (await asyncio.wait(open_now, timeout=timeout_s))[1]

    def _opening(self, request: Request) -> bytes | Spliced:
        connection = self.connection
        if connection.closed is not None:
            connection.ensure_open()
        try:
            large = connection.carrier and large_bytes(request.payload, connection.limits.inline_max_bytes)
            body = Spliced(request, large) if large else encode_frame(request)
        except ENCODE_ERRORS as error:
            raise InvalidInput(f"the arguments cannot be sent: {error}") from error
        self._next_id += 2
        return body

    async def _send_when_possible(self, call_id: int, body: bytes | Spliced) -> None:
        """Send what opens a call, within its deadline; what was never sent needs no cancelling."""
        call = self.open[call_id]
        call.future.add_done_callback(_retrieve)
        deadline, call.deadline = call.deadline, NEVER
        sent = False
        try:
            async with asyncio.timeout(None if deadline == NEVER else deadline - monotonic()):
                await self.connection.send_body(body)
            sent, call.deadline = True, deadline
        except TimeoutError:
            call.fail(CallTimeout("the deadline passed before the other side took the call", data=LATE))
        except SomnusError as error:
            call.fail(error)
        finally:
            if not sent:
                self.open.pop(call_id, None)

    def _on_response(self, response: Response) -> None:
        call = self.open.pop(response.id, None)
        if call is not None:
            call.succeed(response.payload)
        elif self.abandoned.pop(response.id, None) is None:
            self.connection.strike("answer to no call")

    def _on_failure(self, failure: Failure) -> None:
        call = self.open.pop(failure.id, None)
        if call is not None:
            call.fail(self._rebuilt(failure.error))
        elif self.abandoned.pop(failure.id, None) is None:
            self.connection.strike("answer to no call")

    def _on_progress(self, progress: Progress) -> None:
        self.connection.idle += 1
        call = self.open.get(progress.id)
        if call is None:
            if progress.id not in self.abandoned:
                self.connection.strike("progress of no call")
        elif call.progress is not None:
            # In a turn of its own: what the caller's code raises must not end the connection.
            self._loop.call_soon(call.progress, progress.done, progress.total, progress.message[:PROGRESS_MAX_CHARS])

    def _rebuilt(self, record: ErrorRecord) -> SomnusError:
        fields: dict[str, Any] = dict(record)
        data = fields.pop("data", None)
        if data is not None and (self._within is SomnusError or memoryview(data).nbytes <= ERROR_DATA_MAX_BYTES):
            fields["data"] = _presentable(data)
        return from_record(fields, within=self._within)

    def _sweep(self) -> None:
        self._sweeper = None
        now = monotonic()
        for call_id in [call_id for call_id, call in self.open.items() if call.deadline <= now]:
            call = self.open.get(call_id)
            if call is not None:
                call.fail(CallTimeout("the deadline passed before there was an answer", data=LATE))
                self.abandon(call_id)
        if self.open and self.connection.closed is None:
            self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    def _on_end(self, reason: SomnusError) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        calls, self.open = self.open, {}
        for call in calls.values():
            call.fail(reason)
        self.abandoned.clear()


def _presentable(data: msgspec.Raw) -> dict[str, Any] | None:
    """The data of an error where it is what every way of showing an error can show, else None."""
    try:
        value = decode_value(data)
        msgspec.json.encode(value)
    except (InvalidResult, *ENCODE_ERRORS):
        return None
    return value if type(value) is dict and all(type(key) is str for key in value) else None


def _retrieve(future: asyncio.Future[msgspec.Raw]) -> None:
    """Mark the error of an exchange as seen: its reader may take it from the items instead."""
    if not future.cancelled():
        future.exception()
