"""The level `memory`: a plugin in the test's own process, behind the real dispatcher and a real pair of peers.

An instance of the host cannot tell it from a process. What a process adds is missing: its own memory and limits, its
death, and what it prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections import Counter
from typing import Any, Final

from somnus_plugins.errors import NotReady, PluginError, WireError
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.runtime.process import Ending, WorkerProcess
from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.settings import Settings
from somnus_plugins.testing.imports import Imports
from somnus_plugins.wire.memory import connected_pair
from somnus_plugins.wire.methods import Announcement, Assignment, LoadOrder
from somnus_plugins.wire.peer import Handler, Incoming, PeerLimits
from somnus_plugins.worker.dispatch import Dispatcher
from somnus_plugins.worker.log_lines import MARK

__all__ = ["TEST_ADDRESS", "MemoryNursery", "MemoryWorker"]

FORMATTER: Final = logging.Formatter()
TEST_ADDRESS: Final = "http://plugin.test"
"""Where `plugin.http` sends its requests. What it logs of them is the test's and not the plugin's."""


class MemoryNursery(Nursery):
    """Gives out workers that are no processes.

    Args:
        settings: Of the host.
        imports: Loads the plugins.
    """

    def __init__(self, settings: Settings, imports: Imports) -> None:
        super().__init__(settings)
        self._imports = imports

    async def take(self, assignment: Assignment) -> WorkerProcess:
        """A worker with this assignment."""
        return MemoryWorker(self._settings, self._imports, assignment)


class MemoryWorker(WorkerProcess):
    """What a worker process is to the host, without a process: it has no number, no handle and no pipes.

    Args:
        settings: Of the host.
        imports: Loads its plugin.
        assignment: What it becomes.
    """

    def __init__(self, settings: Settings, imports: Imports, assignment: Assignment) -> None:
        self.number = next(self._numbers)
        self.pid = os.getpid()
        self.ended = asyncio.get_running_loop().create_future()
        self.strikes = Counter()
        self.lost = None
        self.worn_out = None
        self.plugin: Plugin | None = None
        """The author's instance, once it is loaded."""
        self._settings = settings
        self._imports = imports
        self._assignment = assignment
        self._dispatcher: Dispatcher | None = None
        self._peer = None
        self._log: _BookHandler | None = None

    async def attach(self, book: LogBook, generation: int, handler: Handler, receive_max_bytes: int) -> None:
        """Begin to listen. Arguments may be as large as results: there is no shared memory here for larger ones."""
        limits = PeerLimits(
            inline_max_bytes=receive_max_bytes,
            window_bytes=self._assignment.window_bytes,
            incoming_max=self._assignment.incoming_max,
        )
        self._peer, _ = connected_pair(handler, self._serve, limits)
        self._log = _BookHandler(book, generation)
        logging.root.addHandler(self._log)

    async def _serve(self, incoming: Incoming) -> Any:
        if self._dispatcher is None:
            raise NotReady("no plugin is loaded here")
        return await self._dispatcher(incoming)

    async def load(self, order: LoadOrder, timeout_s: float) -> Announcement:
        """Import the plugin and make its instance; an import cannot be interrupted here."""
        loaded = self._imports.load(order, asyncio.get_running_loop())
        self.plugin = loaded.plugin
        self._dispatcher = Dispatcher(loaded)
        return loaded.announcement

    async def stop(self, timeout_s: float, reason: str) -> Ending:
        """Let the plugin say its last words, then end; what it raises stands in its log."""
        if self.alive and self._peer is not None:
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
            if record.name == "httpx" and TEST_ADDRESS in message:
                return
            if record.exc_info:
                message += "\n" + FORMATTER.formatException(record.exc_info)
            line = json.dumps({"level": record.levelname, "logger": record.name, "message": message})
        except (TypeError, ValueError):
            self.handleError(record)
            return
        self._book.write([f"{MARK}{line}".encode()], "stderr", self._generation)
