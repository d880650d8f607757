"""Bodies that are too large for the socket, carried in shared memory (see `shared_memory` for why it is safe)."""

from __future__ import annotations

import asyncio
import socket

from somnus_plugins.errors import InvalidInput, InvalidResult, Overloaded, SomnusError
from somnus_plugins.wire import shared_memory
from somnus_plugins.wire.connection import Connection
from somnus_plugins.wire.frames import Filled, Reserve, Reserved, Spilled

__all__ = ["HostSpill", "WorkerSpill"]


class HostSpill:
    """The host's part: makes every piece of memory, publishes its own bodies, reserves for the worker's.

    Args:
        connection: The frames that say what lies where.
        channel: Socket that carries descriptors to the worker.
    """

    def __init__(self, connection: Connection, channel: socket.socket) -> None:
        self._connection = connection
        self._channel = channel
        self._turn = asyncio.Lock()
        self._granted: dict[int, tuple[int, int]] = {}
        self._copying: set[asyncio.Task[None]] = set()
        connection.receivers |= {Reserve: self._on_reserve, Filled: self._on_filled}
        connection.enders.append(self._on_end)

    async def carry(self, body: bytes) -> None:
        """Publish a body and tell the worker."""
        limit = self._connection.limits.send_max_bytes
        if len(body) > limit:
            raise InvalidInput(
                f"{len(body):,} bytes are more than the {limit:,} that may be sent at once",
                remedy="Send it as a stream, or raise wire.frame_max_bytes.",
            )
        async with self._turn:
            descriptor = await asyncio.to_thread(shared_memory.publish, body)
            try:
                shared_memory.post(self._channel, descriptor)
            except OSError as error:
                raise Overloaded("the plugin does not take its shared memory") from error
            finally:
                shared_memory.close(descriptor)
            self._connection.send(Spilled(len(body)))

    def _on_reserve(self, reserve: Reserve) -> None:
        # One piece at a time: what a plugin makes the host hold is bounded by one result.
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
        granted = self._granted.get(filled.ticket)
        if granted is None or self._copying:
            self._connection.strike("memory that was not reserved")
            return
        task = self._connection.loop.create_task(self._copy_out(filled.ticket, *granted))
        self._copying.add(task)
        task.add_done_callback(self._copying.discard)

    async def _copy_out(self, ticket: int, descriptor: int, length: int) -> None:
        body = await asyncio.to_thread(shared_memory.copy_out, descriptor, length)
        self._granted.pop(ticket, None)
        if self._connection.closed is None:
            self._connection.take(body)

    def _on_end(self, reason: SomnusError) -> None:
        if not self._copying:
            for descriptor, _ in self._granted.values():
                shared_memory.close(descriptor)
            self._granted.clear()


class WorkerSpill:
    """The worker's part: reads what the host published, fills what the host reserved.

    Args:
        connection: The frames that say what lies where.
        channel: Socket that descriptors of the host arrive on.
    """

    def __init__(self, connection: Connection, channel: socket.socket) -> None:
        self._connection = connection
        self._channel = channel
        self._turn = asyncio.Lock()
        self._tickets = 0
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        connection.receivers |= {Spilled: self._on_spilled, Reserved: self._on_reserved}
        connection.enders.append(self._on_end)

    async def carry(self, body: bytes) -> None:
        """Ask for memory, fill it, and tell the host."""
        async with self._turn:
            self._tickets += 1
            ticket = self._tickets
            granted = self._waiting[ticket] = self._connection.loop.create_future()
            self._connection.send(Reserve(ticket, len(body)))
            try:
                if not await granted:
                    raise InvalidResult(
                        f"{len(body):,} bytes are more than the host takes in one result",
                        remedy="Raise result_mb in [tool.somnus.limits], or answer with a stream.",
                    )
                descriptor = shared_memory.collect(self._channel)
            finally:
                self._waiting.pop(ticket, None)
            await asyncio.to_thread(shared_memory.fill, descriptor, body)
            self._connection.send(Filled(ticket))

    def _on_spilled(self, spilled: Spilled) -> None:
        try:
            descriptor = shared_memory.collect(self._channel)
        except OSError:
            self._connection.strike("shared memory that was not sent")
            return
        self._connection.take(shared_memory.take(descriptor, spilled.length))

    def _on_reserved(self, reserved: Reserved) -> None:
        waiting = self._waiting.get(reserved.ticket)
        if waiting is not None and not waiting.done():
            waiting.set_result(reserved.granted)

    def _on_end(self, reason: SomnusError) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(False)
