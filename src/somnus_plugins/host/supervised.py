"""The processes of one plugin: started when it is wanted, watched, replaced, put down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from somnus_plugins.errors import (
    CallTimeout,
    HostError,
    NotReady,
    PluginCrashed,
    SomnusError,
    TemporaryError,
    WireError,
)
from somnus_plugins.host import orders
from somnus_plugins.host.admission import seconds
from somnus_plugins.host.home import Home
from somnus_plugins.host.lifecycle import Lifecycle, State
from somnus_plugins.host.registry import Entry
from somnus_plugins.runtime.budget import CrashBudget
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.runtime.process import Ending, WorkerProcess
from somnus_plugins.settings import Settings
from somnus_plugins.store.files import make_directory
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.wire.contributions import Contributions
from somnus_plugins.wire.methods import Announcement, LoadOrder
from somnus_plugins.wire.peer import Handler

__all__ = ["CHANGED", "Supervised", "Surroundings"]

CHANGED: Final = "contributions_changed: it now adds something else than what was agreed to; install it again"

START_DELAY_MAX_S: Final = 3600.0
"""Longest pause before the next start that a plugin may ask for with `TemporaryError`."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plugin needs of its host."""

    home: Home
    settings: Settings
    nursery: Nursery
    handler: Callable[[Any], Handler]
    """Makes the function that serves the plugin's own calls."""
    on_state: Callable[[Any, State, State], None]
    """Called after every step of its life cycle, with the plugin."""


class Supervised:
    """A plugin with its state and its processes; at most one of them takes new calls.

    Args:
        entry: What people have decided.
        manifest: What its author says.
        contributions: What it adds.
        around: The host.
    """

    def __init__(self, entry: Entry, manifest: Manifest, contributions: Contributions, around: Surroundings) -> None:
        self.entry = entry
        self.manifest = manifest
        self.contributions = contributions
        self.limits = orders.EffectiveLimits.of(manifest, around.settings)
        self.lifecycle = Lifecycle(lambda before, now: around.on_state(self, before, now))
        self.book = LogBook(entry.id, around.home.log(entry.id), around.settings.logs)
        self.worker: WorkerProcess | None = None
        """The process that takes calls."""
        self.starts = 0
        """Processes so far."""
        self.last_used = monotonic()
        self._around = around
        self._waking: asyncio.Task[WorkerProcess] | None = None
        self._old: dict[asyncio.Task[Ending], WorkerProcess] = {}
        self._closing = False
        self._dying: asyncio.Future[Ending] | None = None
        self._not_before = 0.0
        self._forgiven = asyncio.Event()
        self._steady = asyncio.Event()
        self._steady.set()
        runtime = around.settings.runtime
        self._budget = CrashBudget(runtime.crash_max, runtime.crash_window_s, runtime.crash_backoff_s)

    @property
    def id(self) -> str:
        """`publisher/name`."""
        return self.entry.id

    @property
    def state(self) -> State:
        """What is observed."""
        return self.lifecycle.state

    @property
    def waking(self) -> bool:
        """Whether a start is under way, or waits for its time."""
        return self._waking is not None

    def forgive(self) -> None:
        """Forget its crashes and the pauses after them."""
        self._budget.forgive()
        self._not_before = 0.0
        self._forgiven.set()

    # -- waking ------------------------------------------------------------------------------------------------------

    async def awake(self, timeout_s: float | None = None) -> WorkerProcess:
        """A process that serves; all who wait share one start.

        Raises:
            NotReady: Its state does not allow a start, or the start failed.
            CallTimeout: It did not start in time.
        """
        if self.worker is not None:
            return self.worker
        waking = self._waking
        if waking is None:
            waking = self._waking = asyncio.get_running_loop().create_task(self._wake())
            waking.add_done_callback(self._woken)
        done, _ = await asyncio.wait([waking], timeout=timeout_s)
        if not done:
            raise CallTimeout(
                f"{self.id} did not start within {seconds(timeout_s or 0.0)}",
                remedy=f"Wait longer; `somnus-plugins logs {self.entry.mount}` shows what it does meanwhile.",
            )
        if waking.cancelled():
            raise NotReady(f"{self.id} was not started: the host stops")
        return waking.result()

    def _woken(self, task: asyncio.Task[WorkerProcess]) -> None:
        self._waking = None
        if not task.cancelled():
            task.exception()

    async def _wake(self) -> WorkerProcess:
        await self._rest()
        if self._closing:
            raise NotReady(f"{self.id} is not started any more: the host stops")
        if self.state is not State.ASLEEP:
            raise NotReady(
                f"{self.id} is {self.state}" + (f": {self.lifecycle.reason}" if self.lifecycle.reason else ""),
                remedy=f"`somnus-plugins info {self.entry.mount}` says what it needs.",
            )
        self.lifecycle.move(State.STARTING)
        try:
            worker = await self._around.nursery.take(
                orders.assignment(self.manifest, self.limits, self._around.settings, generation=self.entry.generation)
            )
        except (HostError, PluginCrashed) as error:
            # No fault of the plugin's: the next call tries again.
            self.lifecycle.move(State.ASLEEP, str(error))
            raise NotReady(f"{self.id} cannot be started: {error}", remedy=error.remedy) from error
        except BaseException as error:
            self.lifecycle.move(State.ASLEEP, str(error))
            raise
        self.starts += 1
        worker.ended.add_done_callback(lambda ended: self._ended(worker, ended.result()))
        worker.worn_out = lambda: self._worn(worker)
        worker.lost = lambda: self._lost(worker)
        try:
            await self._bring_up(worker)
        except BaseException as error:
            await self._start_failed(worker, error)
            raise
        self.worker = worker
        self.last_used = monotonic()
        self.lifecycle.move(State.ACTIVE)
        return worker

    async def _rest(self) -> None:
        """Wait for what must be over before a start: a change, the end of the last process, the pause after a crash."""
        while True:
            if not self._steady.is_set():
                await self._steady.wait()
            elif self._dying is not None:
                await asyncio.wait([self._dying])
            elif self.state is State.DRAINING and self._old:
                await asyncio.wait(self._old)
            elif self.state is State.ASLEEP and (wait_s := self._not_before - monotonic()) > 0:
                self._forgiven.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._forgiven.wait()
            else:
                return

    async def _bring_up(self, worker: WorkerProcess) -> None:
        runtime = self._around.settings.runtime
        handler = self._around.handler(self)
        await worker.attach(self.book, self.entry.generation, handler, self.limits.frame_max_bytes)
        announcement = await worker.load(self.load_order(), runtime.start_timeout_s)
        self._check(announcement)
        if announcement.wants_prepare:
            await worker.run("prepare", runtime.prepare_timeout_s)
        await worker.run("start", runtime.start_timeout_s)

    def _check(self, announcement: Announcement) -> None:
        if announcement.setup_problem:
            raise _Held(State.NEEDS_SETUP, announcement.setup_problem)
        if announcement.fingerprint != self.contributions.fingerprint:
            raise _Held(State.BLOCKED, CHANGED)

    async def _start_failed(self, worker: WorkerProcess, error: BaseException) -> None:
        state, reason = State.ASLEEP, ""
        if isinstance(error, _Held):
            state, reason = error.state, str(error)
        elif isinstance(error, TemporaryError):
            self._not_before = monotonic() + min(error.delay_s, START_DELAY_MAX_S)
            reason = f"not yet: {error}"
        elif isinstance(error, WireError):
            ending = await asyncio.shield(worker.ended)
            state = State.ASLEEP if ending.asked else State.FAILED
            reason = f"it ended while it started: {ending.reason}"
        elif isinstance(error, SomnusError):
            state, reason = State.FAILED, str(error)
        self.lifecycle.move(state, reason)
        self.book.note(f"did not start: {self.lifecycle.reason or error}", level="ERROR")
        await worker.kill("it did not start")
        if isinstance(error, SomnusError | _Held):
            raise NotReady(
                f"{self.id} did not start: {self.lifecycle.reason}",
                remedy=getattr(error, "remedy", "") or f"`somnus-plugins logs {self.entry.mount}` shows why.",
                data=getattr(error, "data", None),
            ) from error

    def load_order(self) -> LoadOrder:
        """What the worker is told to load."""
        home = self._around.home
        return orders.load_order(
            self.manifest,
            Path(self.entry.directory),
            data=make_directory(home.data(self.id)),
            cache=make_directory(home.cache(self.id)),
            threads=max(1, self.limits.threads // 2),
            mount=self.entry.mount,
            config=self.entry.config,
        )

    def _lost(self, worker: WorkerProcess) -> None:
        if worker is self.worker:
            self.worker = None
            self._dying = worker.ended

    # -- ends --------------------------------------------------------------------------------------------------------

    def _ended(self, worker: WorkerProcess, ending: Ending) -> None:
        self._lost(worker)
        if self._dying is worker.ended:
            self._dying = None
        if self.state is State.STARTING:
            return
        current = self.worker is None and self.state in (State.ACTIVE, State.DEGRADED)
        if ending.asked:
            if current:
                self.lifecycle.move(State.ASLEEP, ending.reason)
            return
        verdict = self._budget.crashed(monotonic())
        self.book.note(f"crashed: {ending.reason}", level="ERROR", generation=self.entry.generation)
        if not current:
            return
        if verdict.exhausted:
            window_s = self._around.settings.runtime.crash_window_s
            self.lifecycle.move(
                State.CRASH_LOOP, f"{verdict.crashes} crashes within {window_s:g} s, the last: {ending.reason}"
            )
        else:
            self._not_before = monotonic() + verdict.wait_s
            self.lifecycle.move(State.ASLEEP, f"crashed: {ending.reason}; starts again when it is wanted")

    def _worn(self, worker: WorkerProcess) -> None:
        if worker is self.worker:
            self.lifecycle.move(State.DEGRADED, "too many calls go on after their deadline; its process is replaced")
            self.book.note(self.lifecycle.reason, level="WARNING")
            self._put_down(worker, State.ASLEEP, "its process was worn out")

    async def sleep(self, reason: str = "") -> None:
        """End the process in order, also where nobody waits for it; the next call wakes the plugin again."""
        if self.worker is not None:
            await asyncio.shield(self._put_down(self.worker, State.ASLEEP, reason))

    async def halt(self, reason: str) -> None:
        """End the process in order; who calls now waits until `resume`."""
        self._steady.clear()
        while True:
            if self._waking is not None and self.state is State.STARTING:
                await asyncio.wait([self._waking])
            elif self.worker is not None:
                await asyncio.shield(self._put_down(self.worker, State.STOPPED, reason))
            elif self._old:
                await asyncio.wait(self._old)
            else:
                break
        self.lifecycle.move(State.STOPPED, reason)

    def resume(self) -> None:
        """The change that `halt` was for is done: who waits finds out what has become of the plugin."""
        self._steady.set()
        self._forgiven.set()

    async def kill(self, reason: str) -> None:
        """End every process of the plugin, also those that drain, and start none any more: the host stops."""
        self._closing = True
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.wait([self._waking])
        ending = list(self._old.values())
        if self.worker is not None:
            ending.append(self.worker)
            self.worker = None
        stop_timeout_s = self._around.settings.runtime.stop_timeout_s
        await asyncio.gather(*(worker.stop(stop_timeout_s, reason) for worker in ending))
        if self._old:
            await asyncio.wait(self._old)

    def _put_down(self, worker: WorkerProcess, then: State, reason: str) -> asyncio.Task[Ending]:
        self.worker = None
        self.lifecycle.move(State.DRAINING, reason)
        task = asyncio.get_running_loop().create_task(self._drain(worker, then, reason))
        self._old[task] = worker
        task.add_done_callback(self._old.pop)
        return task

    def retiring(self, worker: WorkerProcess) -> None:
        """A process begins to drain: end what would never end by itself."""

    async def _drain(self, worker: WorkerProcess, then: State, reason: str) -> Ending:
        settings = self._around.settings
        self.retiring(worker)
        await worker.peer.finished(settings.host.drain_timeout_s)
        ending = await worker.stop(settings.runtime.stop_timeout_s, reason or "it fell asleep")
        if self.state is State.DRAINING:
            self.lifecycle.move(then, reason)
        return ending


class _Held(Exception):
    """A start that ends in a held state."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
