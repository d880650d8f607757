"""The level `process`: a loop of its own in a thread, on which one zygote serves all tests of a session.

Tests run on loops that come and go; a zygote and its processes belong to one loop for their whole life.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.settings import Settings

__all__ = ["Background", "Foreground", "Ground"]

T = TypeVar("T")


class Ground(Protocol):
    """Where the host's side of a plugin lives."""

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it there, and give what it returns; cancelled with the one who waits."""


class Foreground:
    """The test's own loop."""

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Just do it."""
        return await work


class Background:
    """A loop in a thread, with a nursery on it.

    Args:
        settings: For the nursery.

    Raises:
        ZygoteFailed: No process can be made here.
    """

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="somnus-testing", daemon=True)
        self._thread.start()
        self.nursery = Nursery(settings)
        try:
            asyncio.run_coroutine_threadsafe(self.nursery.open(), self._loop).result()
        except BaseException:
            self._end()
            raise

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on this loop, from any other."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        """End every process and the thread."""
        try:
            asyncio.run_coroutine_threadsafe(self.nursery.close(), self._loop).result()
        finally:
            self._end()

    def _end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_asyncgens(), self._loop).result()
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
