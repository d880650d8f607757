"""The level `memory`: a plugin in the test's own process, behind the real dispatcher and a real pair of peers.

An instance of the host cannot tell it from a process. What a process adds is missing: its own memory and limits, its
death, and what it prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Final

from somnus_plugins.errors import HostError, PluginError, WireError
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.process import Ending
from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.testing.imports import Imports
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.memory import connected_pair
from somnus_plugins.wire.methods import Announcement, Assignment, LoadOrder
from somnus_plugins.wire.peer import Handler, Peer, PeerLimits
from somnus_plugins.worker.dispatch import Dispatcher
from somnus_plugins.worker.log_lines import MARK

__all__ = ["MemoryNursery", "MemoryWorker"]

FORMATTER: Final = logging.Formatter()


class MemoryNursery:
    """Gives out workers that are no processes.

    Args:
        imports: Loads their plugins.
    """

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self.latest: MemoryWorker | None = None
        """The one that was taken last."""

    async def take(self) -> MemoryWorker:
        """A blank worker."""
        self.latest = MemoryWorker(self._imports)
        return self.latest


class MemoryWorker:
    """What a `WorkerProcess` is to the host, without a process."""

    def __init__(self, imports: Imports) -> None:
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.worn_out: Callable[[], None] | None = None
        self.plugin: Plugin | None = None
        """The author's instance, once it is loaded."""
        self._imports = imports
        self._peer: Peer | None = None
        self._log: _Log | None = None

    async def assign(self, assignment: Assignment, book: LogBook, handler: Handler, receive_max_bytes: int) -> None:
        """Make it a plugin's; arguments may be as large as results here, since there is no shared memory."""
        limits = PeerLimits(
            inline_max_bytes=receive_max_bytes,
            window_bytes=assignment.window_bytes,
            incoming_max=assignment.incoming_max,
        )
        self._dispatcher = Dispatcher()
        self._peer, _ = connected_pair(handler, lambda incoming: self._dispatcher(incoming), limits)
        self._log = _Log(book, assignment.generation)
        self._log.open()

    @property
    def peer(self) -> Peer:
        """The connection to the plugin; only after `assign`."""
        if self._peer is None:
            raise HostError("the worker has no plugin yet")
        return self._peer

    async def load(self, order: LoadOrder, timeout_s: float) -> Announcement:
        """Import the plugin and make its instance; an import cannot be interrupted here."""
        loaded = self._imports.load(order, asyncio.get_running_loop())
        self.plugin = loaded.plugin
        self._dispatcher = Dispatcher(loaded)
        return loaded.announcement

    async def run(self, method: str, timeout_s: float) -> None:
        """Run one of the life-cycle methods: `prepare`, `start`, `stop`."""
        await self.peer.request(method, header=Header(timeout_s=timeout_s))

    async def stop(self, timeout_s: float, reason: str) -> Ending:
        """Let the plugin say its last words, then end; what it raises then stands in its log."""
        if self._peer is not None and self._peer.closed is None:
            with contextlib.suppress(PluginError, WireError):
                await self.run("stop", timeout_s)
        return await self.kill(reason)

    async def kill(self, reason: str) -> Ending:
        """End at once; calls that run are cancelled."""
        if self._peer is not None:
            self._peer.close()
        if self._log is not None:
            self._log.close()
        if not self.ended.done():
            self.ended.set_result(Ending(0, reason, asked=True, cpu_s=0.0, peak_kb=0))
        return self.ended.result()


class _Log(logging.Handler):
    """Brings what the plugin logs into its book, from the level a worker logs at."""

    def __init__(self, book: LogBook, generation: int) -> None:
        super().__init__(logging.INFO)
        self._book = book
        self._generation = generation
        self._root_level = logging.root.level

    def open(self) -> None:
        """Begin to listen."""
        logging.root.addHandler(self)
        self._root_level = logging.root.level
        logging.root.setLevel(min(self._root_level or logging.INFO, logging.INFO))

    def close(self) -> None:
        """Listen no more."""
        if self in logging.root.handlers:
            logging.root.removeHandler(self)
            logging.root.setLevel(self._root_level)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record as it would have come out of a process."""
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + FORMATTER.formatException(record.exc_info)
        line = json.dumps({"level": record.levelname, "logger": record.name, "message": message})
        self._book.write([f"{MARK}{line}".encode()], "stderr", self._generation)
