"""Two peers joined in memory, without a socket or a process: for tests and for hosts that serve themselves.

The bytes are the same as on a socket, cut at the same places, so what cannot be sent there cannot be sent here.
"""

from __future__ import annotations

import asyncio
from typing import Any

from somnus_plugins.wire.peer import Handler, Peer, PeerLimits, Side

__all__ = ["MemoryTransport", "connected_pair"]

HIGH_WATER_BYTES = 64 * 1024


class MemoryTransport(asyncio.Transport):
    """One direction pair of an in-memory connection: what is written here is received there, one loop turn later."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: asyncio.Protocol | None = None
        self._far: MemoryTransport | None = None
        self._waiting: list[bytes] = []
        self._size = 0
        self._reading = True
        self._writing = True
        self._closing = False
        self._scheduled = False

    def join(self, protocol: asyncio.Protocol, far: MemoryTransport) -> None:
        """Connect the protocol of this end with the other end."""
        self._protocol, self._far = protocol, far
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send bytes to the other end."""
        if self._closing or self._far is None:
            return
        self._waiting.append(bytes(data))
        self._size += len(data)
        if self._writing and self._size > HIGH_WATER_BYTES and self._protocol is not None:
            self._writing = False
            self._protocol.pause_writing()
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        far = self._far
        if far is None or far._closing or not far._reading or not self._waiting:
            return
        data, self._waiting, self._size = b"".join(self._waiting), [], 0
        if not self._writing and self._protocol is not None:
            self._writing = True
            self._protocol.resume_writing()
        if far._protocol is not None:
            far._protocol.data_received(data)

    def is_closing(self) -> bool:
        """Whether this end is closed."""
        return self._closing

    def pause_reading(self) -> None:
        """Leave what the other end writes there."""
        self._reading = False

    def resume_reading(self) -> None:
        """Take what has been left."""
        self._reading = True
        if self._far is not None:
            self._far._schedule()

    def close(self) -> None:
        """Close both ends; each protocol is told on the next turn of the loop."""
        if self._closing:
            return
        self._closing = True
        if self._protocol is not None:
            self._loop.call_soon(self._protocol.connection_lost, None)
        if self._far is not None:
            self._far.close()

    def abort(self) -> None:
        """The same as `close`: nothing is buffered beyond the other end."""
        self.close()


def connected_pair(
    host_handler: Handler,
    worker_handler: Handler,
    limits: PeerLimits | None = None,
    **hooks: Any,
) -> tuple[Peer, Peer]:
    """A host peer and a worker peer that talk to each other; `hooks` go to the host peer."""
    limits = limits or PeerLimits(inline_max_bytes=64 * 1024 * 1024)
    host = Peer(Side.HOST, host_handler, limits=limits, **hooks)
    worker = Peer(Side.WORKER, worker_handler, limits=limits)
    loop = asyncio.get_running_loop()
    near, far = MemoryTransport(loop), MemoryTransport(loop)
    near.join(host.connection, far)
    far.join(worker.connection, near)
    return host, worker
