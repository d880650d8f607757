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

    async def take(self, assignment: Assignment) -> MemoryWorker:
        """A worker with this assignment."""
        return MemoryWorker(self._imports, assignment)


class MemoryWorker:
    """What a `WorkerProcess` is to the host, without a process.

    Args:
        imports: Loads its plugin.
        assignment: What it becomes.
    """

    def __init__(self, imports: Imports, assignment: Assignment) -> None:
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.worn_out: Callable[[], None] | None = None
        self.plugin: Plugin | None = None
        """The author's instance, once it is loaded."""
        self._imports = imports
        self._assignment = assignment
        self._handler: Handler | None = None
        self._limits = PeerLimits()
        self._peer: Peer | None = None
        self._log: _BookHandler | None = None

    async def attach(self, book: LogBook, generation: int, handler: Handler, receive_max_bytes: int) -> None:
        """Begin to listen. Arguments may be as large as results: there is no shared memory here for larger ones."""
        self._handler = handler
        self._limits = PeerLimits(
            inline_max_bytes=receive_max_bytes,
            window_bytes=self._assignment.window_bytes,
            incoming_max=self._assignment.incoming_max,
        )
        self._log = _BookHandler(book, generation)
        logging.root.addHandler(self._log)

    async def load(self, order: LoadOrder, timeout_s: float) -> Announcement:
        """Import the plugin and make its instance; an import cannot be interrupted here."""
        if self._handler is None:
            raise HostError("nobody listens to the worker yet")
        loaded = self._imports.load(order, asyncio.get_running_loop())
        self.plugin = loaded.plugin
        self._peer, _ = connected_pair(self._handler, Dispatcher(loaded), self._limits)
        return loaded.announcement

    @property
    def peer(self) -> Peer:
        """The connection to the plugin; only after `load`."""
        if self._peer is None:
            raise HostError("the worker has no plugin yet")
        return self._peer

    async def run(self, method: str, timeout_s: float) -> None:
        """Run one of the life-cycle methods: `prepare`, `start`, `stop`."""
        await self.peer.request(method, header=Header(timeout_s=timeout_s))

    async def stop(self, timeout_s: float, reason: str) -> Ending:
        """Let the plugin say its last words, then end; what it raises stands in its log."""
        if self._peer is not None and self._peer.closed is None:
            with contextlib.suppress(PluginError, WireError):
                await self.run("stop", timeout_s)
        return await self.kill(reason)

    async def kill(self, reason: str) -> Ending:
        """End at once; calls that run are cancelled."""
        if self._peer is not None:
            self._peer.close()
        if self._log is not None:
            logging.root.removeHandler(self._log)
        if not self.ended.done():
            self.ended.set_result(Ending(0, reason, asked=True, cpu_s=0.0, peak_kb=0))
        return self.ended.result()


class _BookHandler(logging.Handler):
    """Brings what is logged into a plugin's book, from the level up at which a worker logs."""

    def __init__(self, book: LogBook, generation: int) -> None:
        super().__init__(logging.INFO)
        self._book = book
        self._generation = generation

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record as it would have come out of a process."""
        try:
            message = record.getMessage()
            if record.exc_info:
                message += "\n" + FORMATTER.formatException(record.exc_info)
            line = json.dumps({"level": record.levelname, "logger": record.name, "message": message})
        except (TypeError, ValueError):
            self.handleError(record)
            return
        self._book.write([f"{MARK}{line}".encode()], "stderr", self._generation)
