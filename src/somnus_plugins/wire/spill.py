"""Bodies that are too large for the socket, carried in shared memory (see `shared_memory` for why it is safe)."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from somnus_plugins.errors import Overloaded, SomnusError
from somnus_plugins.wire import shared_memory
from somnus_plugins.wire.connection import Body, Connection, TooLarge
from somnus_plugins.wire.frames import Filled, Reserve, Reserved, Spilled

__all__ = ["HostSpill", "WorkerSpill"]

RESERVE_IDLE: Final = 10
"""As many idle frames a reservation counts: making memory costs more than reading a frame."""


class HostSpill:
    """The host's part: makes every piece of memory, publishes its own bodies, reserves for the worker's.

    Args:
        connection: The frames that say what lies where.
        channel: Socket that carries descriptors to the worker.
    """

    def __init__(self, connection: Connection, channel: socket.socket) -> None:
        self._connection = connection
        self._channel = channel
        channel.setblocking(False)
        self._turn = asyncio.Lock()
        self._granted: dict[int, tuple[int, int]] = {}
        self._copying: asyncio.Task[None] | None = None
        connection.receivers |= {Reserve: self._on_reserve, Filled: self._on_filled}
        connection.enders.append(self._on_end)

    async def carry(self, body: Body, too_large: TooLarge) -> None:
        """Publish a body and tell the worker."""
        limit = self._connection.limits.send_max_bytes
        if len(body) > limit:
            raise too_large(
                f"{len(body):,} bytes are more than the {limit:,} that may be sent at once",
                remedy="Send it as a stream, or raise wire.frame_max_bytes.",
            )
        async with self._turn:
            pieces = (body,) if isinstance(body, bytes) else body.pieces
            publishing = self._connection.loop.run_in_executor(None, shared_memory.publish, *pieces)
            try:
                descriptor = await asyncio.shield(publishing)
                try:
                    self._connection.ensure_open()
                    shared_memory.post(self._channel, descriptor)
                finally:
                    shared_memory.close(descriptor)
            except asyncio.CancelledError:
                publishing.add_done_callback(_close_published)
                raise
            except OSError as error:
                raise Overloaded("there is no shared memory for it, or the plugin does not take it") from error
            self._connection.send(Spilled(len(body)))

    def _on_reserve(self, reserve: Reserve) -> None:
        # One piece at a time: what a plugin makes the host hold is bounded by one result.
        self._connection.idle += RESERVE_IDLE
        granted = not self._granted and 0 < reserve.length <= self._connection.limits.receive_max_bytes
        if granted:
            try:
                descriptor = shared_memory.blank(reserve.length)
            except OSError:
                granted = False
            else:
                self._granted[reserve.ticket] = (descriptor, reserve.length)
                try:
                    shared_memory.post(self._channel, descriptor)
                except OSError:
                    shared_memory.close(self._granted.pop(reserve.ticket)[0])
                    granted = False
        self._connection.send(Reserved(reserve.ticket, granted))

    def _on_filled(self, filled: Filled) -> None:
        granted = self._granted.pop(filled.ticket, None)
        if granted is None:
            self._connection.strike("memory that was not reserved")
        elif filled.written:
            # What follows waits: it must not overtake the frame that is being copied.
            self._connection.hold()
            self._copying = self._connection.loop.create_task(self._copy_out(*granted))
        else:
            shared_memory.close(granted[0])

    async def _copy_out(self, descriptor: int, length: int) -> None:
        try:
            body = await asyncio.to_thread(shared_memory.copy_out, descriptor, length)
        except (OSError, MemoryError):
            self._connection.strike("memory that cannot be read")
        else:
            if self._connection.closed is None:
                self._connection.take(body)
        self._connection.release()

    def _on_end(self, reason: SomnusError) -> None:
        while self._granted:
            shared_memory.close(self._granted.popitem()[1][0])


def _close_published(publishing: asyncio.Future[int]) -> None:
    if not publishing.cancelled() and publishing.exception() is None:
        shared_memory.close(publishing.result())


class WorkerSpill:
    """The worker's part: reads what the host published, fills what the host reserved.

    Args:
        connection: The frames that say what lies where.
        channel: Socket that descriptors of the host arrive on.
    """

    def __init__(self, connection: Connection, channel: socket.socket) -> None:
        self._connection = connection
        self._channel = channel
        channel.setblocking(False)
        self._turn = asyncio.Lock()
        self._tickets = 0
        self._waiting: dict[int, asyncio.Future[int | None]] = {}
        """Ticket to the descriptor of its memory, or to None where the host gives none."""
        connection.receivers |= {Spilled: self._on_spilled, Reserved: self._on_reserved}
        connection.enders.append(self._on_end)

    async def carry(self, body: Body, too_large: TooLarge) -> None:
        """Ask for memory, fill it, and tell the host; cancelled, the memory goes back unused."""
        whole = body if isinstance(body, bytes) else b"".join(body.pieces)
        await self._turn.acquire()
        filling = self._connection.loop.create_task(self._fill(whole))
        try:
            filled = await asyncio.shield(filling)
        except asyncio.CancelledError:
            filling.add_done_callback(self._give_back)
            raise
        self._settle(filled)
        self._connection.ensure_open()
        if filled is None:
            raise too_large(
                f"{len(body):,} bytes are more than the host takes at once",
                remedy="Raise result_mb in [tool.somnus.limits], or send it as a stream.",
            )
        if not filled.written:
            raise Overloaded("the shared memory could not be filled")

    async def _fill(self, body: bytes) -> Filled | None:
        """What to tell the host about the memory for a body; None where it gives none."""
        if self._connection.closed is not None:
            return None
        self._tickets += 1
        ticket = self._tickets
        granted = self._waiting[ticket] = self._connection.loop.create_future()
        self._connection.send(Reserve(ticket, len(body)))
        try:
            if (descriptor := await granted) is None:
                return None
            await asyncio.to_thread(shared_memory.fill, descriptor, body)
        except Exception:  # noqa: BLE001  # whatever it was, such as no thread to be had: the turn has to go on
            return Filled(ticket, written=False)
        finally:
            del self._waiting[ticket]
        return Filled(ticket)

    def _give_back(self, filling: asyncio.Task[Filled | None]) -> None:
        filled = None if filling.cancelled() else filling.result()
        self._settle(None if filled is None else Filled(filled.ticket, written=False))

    def _settle(self, filled: Filled | None) -> None:
        self._turn.release()
        if filled is not None:
            self._connection.send(filled)

    def _on_spilled(self, spilled: Spilled) -> None:
        try:
            body = shared_memory.take(shared_memory.collect(self._channel), spilled.length)
        except (OSError, ValueError):
            self._connection.strike("shared memory that was not sent")
            return
        self._connection.take(body)

    def _on_reserved(self, reserved: Reserved) -> None:
        waiting = self._waiting.get(reserved.ticket)
        if waiting is None or waiting.done():
            self._connection.strike("memory that was not asked for")
            return
        # Now: the next descriptor on the channel may belong to a frame that has already arrived.
        try:
            waiting.set_result(shared_memory.collect(self._channel) if reserved.granted else None)
        except OSError as error:
            waiting.set_exception(error)

    def _on_end(self, reason: SomnusError) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
