"""Keeps a warm zygote and a few blank children at hand.

A zygote that has forked often, is old or has died is replaced; the children of the old one live on, because a zygote
that is retired only ends when its last child has.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from somnus_plugins.errors import HostNotRunning, PluginCrashed, ZygoteFailed
from somnus_plugins.runtime.process import WorkerProcess
from somnus_plugins.runtime.zygote import Zygote
from somnus_plugins.settings import Settings
from somnus_plugins.wire.methods import Assignment

__all__ = ["Nursery"]

REFILL_DELAY_S: Final = 0.05
"""Seconds between giving a child out and forking the next one for the pool."""


class Nursery:
    """Gives out blank worker processes.

    Args:
        settings: Pool size, rotation, timeouts.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spawner: ThreadPoolExecutor | None = None
        self._zygote: Zygote | None = None
        self._retired: dict[Zygote, set[WorkerProcess]] = {}
        self._living: dict[Zygote, set[WorkerProcess]] = {}
        self._pool: deque[WorkerProcess] = deque()
        self._forking = asyncio.Lock()
        self._filling: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, *, warm: bool = True) -> None:
        """Begin to give out processes.

        Args:
            warm: Start the zygote and fill the pool now; else the first `take` starts what it needs, which a command
                that only looks never does.

        Raises:
            ZygoteFailed: It cannot be started here.
        """
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="somnus-zygote-spawner")
        if warm:
            async with self._forking:
                await self._current()
            await self._fill()

    async def close(self) -> None:
        """End every process."""
        spawner, self._spawner = self._spawner, None
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        # With the lock: a zygote or child that is being made is made first, so that it is ended with the others.
        async with self._forking:
            processes = [process for living in self._living.values() for process in living]
            await asyncio.gather(*(zygote.close() for zygote in self._living))
            await asyncio.gather(*(process.kill("the host stopped") for process in processes))
        await asyncio.gather(*self._closing, return_exceptions=True)
        self._pool.clear()
        self._living.clear()
        self._retired.clear()
        self._zygote = None
        if spawner is not None:
            spawner.shutdown(wait=True)

    @property
    def zygote(self) -> Zygote | None:
        """The zygote that forks at present."""
        return self._zygote

    @property
    def blank(self) -> int:
        """Children that wait in the pool."""
        return len(self._pool)

    async def take(self, assignment: Assignment) -> WorkerProcess:
        """A child with this assignment: from the pool, or forked now.

        Raises:
            ZygoteFailed: There is none to be had.
            HostNotRunning: The nursery is closed.
        """
        while self._pool and self._zygote is not None and self._zygote.alive:
            process = self._pool.popleft()
            with contextlib.suppress(PluginCrashed):  # it has ended in the pool: the next one, then
                if process.alive:
                    process.assign(assignment)
                    self._refill()
                    return process
        process = await self._fork(assignment)
        self._refill()
        return process

    def _refill(self) -> None:
        wanted = self._settings.runtime.pool_size and self._spawner is not None
        if wanted and (self._filling is None or self._filling.done()):
            self._filling = asyncio.get_running_loop().create_task(self._fill_later())

    async def _fill_later(self) -> None:
        # The child that was just given out starts now; a fork beside it would take its processor time.
        await asyncio.sleep(REFILL_DELAY_S)
        await self._fill()

    async def _fill(self) -> None:
        try:
            while len(self._pool) < self._settings.runtime.pool_size:
                self._pool.append(await self._fork(None))
        except (ZygoteFailed, HostNotRunning):
            return  # the next `take` meets the same failure and says so to somebody

    async def _fork(self, assignment: Assignment | None) -> WorkerProcess:
        # One at a time, as the zygote does it: so none is retired between a fork and its answer.
        async with self._forking:
            zygote = await self._current()
            try:
                async with asyncio.timeout(self._settings.runtime.start_timeout_s):
                    process = await WorkerProcess.fork(zygote, self._settings, assignment)
            except TimeoutError:
                zygote.kill()
                raise ZygoteFailed("the zygote did not answer and was ended", remedy="Try again.") from None
            self._living[zygote].add(process)
            process.ended.add_done_callback(lambda _: self._forget(zygote, process))
            return process

    async def _current(self) -> Zygote:
        if self._spawner is None:
            raise HostNotRunning("the host is not running", remedy="Start it first.")
        zygote = self._zygote
        if zygote is None or self._is_worn(zygote):
            fresh = await Zygote.start(self._spawner, self._settings.runtime.zygote_start_timeout_s)
            self._living[fresh] = set()
            self._zygote = fresh
            if zygote is not None:
                self._retire(zygote)
            return fresh
        return zygote

    def _is_worn(self, zygote: Zygote) -> bool:
        limits = self._settings.runtime
        too_old = time.monotonic() - zygote.started > limits.zygote_max_age_s
        return not zygote.alive or zygote.forks >= limits.zygote_max_forks or too_old

    def _retire(self, zygote: Zygote) -> None:
        for process in [each for each in self._pool if each in self._living[zygote]]:
            self._pool.remove(process)
            self._later(self._end(process))
        self._retired[zygote] = self._living[zygote]
        self._forget(zygote, None)

    def _forget(self, zygote: Zygote, process: WorkerProcess | None) -> None:
        living = self._living.get(zygote)
        if living is None:
            return
        if process is not None:
            living.discard(process)
        if zygote in self._retired and not living:
            del self._retired[zygote], self._living[zygote]
            self._later(zygote.close())

    async def _end(self, process: WorkerProcess) -> None:
        await process.kill("its zygote was replaced")

    def _later(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]  # coroutines only
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
