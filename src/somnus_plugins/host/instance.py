"""One installed plugin in this host: woken when somebody wants it, put to sleep when nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from somnus_plugins.errors import (
    CallTimeout,
    HostError,
    NotReady,
    PeerClosed,
    PluginCrashed,
    ProtocolViolation,
    SomnusError,
    TemporaryError,
    UnknownTool,
    WireError,
)
from somnus_plugins.host.admission import Gate
from somnus_plugins.host.home import Home
from somnus_plugins.host.lifecycle import Lifecycle, State
from somnus_plugins.host.registry import Entry
from somnus_plugins.runtime.budget import CrashBudget
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.runtime.process import Ending, WorkerProcess
from somnus_plugins.settings import Settings
from somnus_plugins.store.files import make_directory
from somnus_plugins.trust import config as plugin_config
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.wire.contributions import Contributions, Tool
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.methods import Announcement, Assignment, LoadOrder
from somnus_plugins.wire.peer import Exchange, Handler, ProgressSink

__all__ = ["EffectiveLimits", "Instance", "Surroundings"]

MIB: Final = 1024 * 1024
START_DELAY_MAX_S: Final = 3600.0
"""Longest pause before the next start that a plugin may ask for with `TemporaryError`."""
FRAME_ROOM_BYTES: Final = 64 * 1024
"""What a frame may be larger than the result in it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an instance needs of its host."""

    home: Home
    settings: Settings
    nursery: Nursery
    handler: Callable[[Instance], Handler]
    """Makes the function that serves the plugin's own calls."""
    on_state: Callable[[Instance, State, State], None]


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """The plugin's limits, cut by the host's ceilings."""

    memory_mb: int
    threads: int
    open_files: int
    call_timeout_s: float
    concurrency: int
    recursion_depth: int
    result_mb: int
    upload_mb: int

    @classmethod
    def of(cls, manifest: Manifest, settings: Settings) -> EffectiveLimits:
        """The lower of what the plugin asks for and what the host allows."""
        asked, ceiling = manifest.limits, settings.limits
        return cls(**{name: min(getattr(asked, name), getattr(ceiling, name)) for name in cls.__slots__})


class Instance:
    """One installed plugin.

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
        self.limits = EffectiveLimits.of(manifest, around.settings)
        self.tools: dict[str, Tool] = {tool.name: tool for tool in contributions.tools}
        self.lifecycle = Lifecycle(lambda before, now: around.on_state(self, before, now))
        self.book = LogBook(entry.id, around.home.log(entry.id), around.settings.logs)
        self.gate = Gate(self.limits.concurrency, around.settings.limits.queue)
        self.worker: WorkerProcess | None = None
        self.starts = 0
        """Processes so far."""
        self.calls = 0
        """Calls so far."""
        self.last_used = monotonic()
        self.held_awake = 0
        """Open streams and sockets."""
        self._around = around
        self._timeouts = self._tool_timeouts()
        self._waking: asyncio.Task[WorkerProcess] | None = None
        self._old: set[asyncio.Task[Ending]] = set()
        self._dying: asyncio.Future[Ending] | None = None
        self._not_before = 0.0
        self._forgiven = asyncio.Event()
        self._steady = asyncio.Event()
        self._steady.set()
        runtime = around.settings.runtime
        self._budget = CrashBudget(runtime.crash_max, runtime.crash_window_s, runtime.crash_backoff_s)

    def renew(self, entry: Entry, manifest: Manifest, contributions: Contributions) -> None:
        """Become another version or other settings of the same plugin; only while there is no process."""
        self.entry, self.manifest, self.contributions = entry, manifest, contributions
        self.limits = EffectiveLimits.of(manifest, self._around.settings)
        self.tools = {tool.name: tool for tool in contributions.tools}
        self._timeouts = self._tool_timeouts()
        self.gate.places = self.limits.concurrency

    def _tool_timeouts(self) -> dict[str, float]:
        most = self._around.settings.limits.call_timeout_s
        own = {name: tool.timeout_s or self.limits.call_timeout_s for name, tool in self.tools.items()}
        return {name: min(each, most) for name, each in own.items()}

    @property
    def id(self) -> str:
        """`publisher/name`."""
        return self.entry.id

    @property
    def state(self) -> State:
        """What is observed."""
        return self.lifecycle.state

    def tool(self, name: str) -> Tool:
        """A tool by name; raises `UnknownTool`."""
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join(sorted(self.tools)) or "none"
            raise UnknownTool(f"{self.id} has no tool {name!r}; its tools: {known}")
        return tool

    def timeout_s(self, tool: str = "", asked_s: float | None = None) -> float:
        """Seconds a call has: what the caller asks for, within what the tool or else the plugin allows."""
        own = self._timeouts.get(tool)
        if own is None:
            own = self.limits.call_timeout_s
        return own if asked_s is None or asked_s > own else asked_s

    # -- calls -------------------------------------------------------------------------------------------------------

    async def request(
        self, method: str, payload: Any, target: str, header: Header, progress: ProgressSink | None = None
    ) -> msgspec.Raw:
        """One call with one answer; wakes the plugin.

        Raises:
            PluginError: Whatever went wrong, as the caller should see it.
        """
        gate, worker = self.gate, self.worker
        if worker is not None and gate.taken < gate.places and not gate.waiting:
            gate.taken += 1
        else:
            worker, header = await self._admitted(header)
        try:
            self.calls += 1
            return await worker.peer.request(method, payload, target, header, progress)
        except WireError as error:
            raise await self.explained(worker, error) from error
        finally:
            self.last_used = monotonic()
            gate.leave()

    async def _admitted(self, header: Header) -> tuple[WorkerProcess, Header]:
        """Wait for a place and for a process, both within the call's deadline; the header has what is left of it."""
        began = monotonic()

        def left() -> float | None:
            return None if header.timeout_s is None else max(0.0, header.timeout_s - (monotonic() - began))

        await self.gate.enter(header.timeout_s)
        try:
            worker = self.worker or await self.awake(left())
        except BaseException:
            self.last_used = monotonic()
            self.gate.leave()
            raise
        return worker, msgspec.structs.replace(header, timeout_s=left())

    async def exchange(
        self,
        method: str,
        payload: Any,
        target: str,
        header: Header,
        *,
        sends: bool,
        progress: ProgressSink | None = None,
    ) -> tuple[WorkerProcess, Exchange]:
        """A call with streams, and the process it goes to. The caller must call `release` when it has ended."""
        worker, header = await self._admitted(header)
        try:
            self.calls += 1
            exchange = await worker.peer.exchange(method, payload, target, header, sends=sends, progress=progress)
        except BaseException as error:
            self.gate.leave()
            if isinstance(error, WireError):
                raise await self.explained(worker, error) from error
            raise
        self.held_awake += 1
        return worker, exchange

    def release(self) -> None:
        """An exchange has ended: give its place back."""
        self.held_awake -= 1
        self.last_used = monotonic()
        self.gate.leave()

    async def explained(self, worker: WorkerProcess, error: WireError) -> SomnusError:
        """What a caller should see where the connection to its process failed, or only its own call has ended."""
        if worker.peer.closed is None:
            return PeerClosed(str(error))
        if isinstance(error, ProtocolViolation):
            return PluginCrashed(f"{self.id} was ended: {error}")
        ending = await asyncio.shield(worker.ended)
        return PluginCrashed(
            f"{self.id} ended before it answered: {ending.reason}",
            remedy=f"`somnus-plugins logs {self.entry.mount}` shows its last words.",
        )

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
            raise CallTimeout(f"{self.id} did not start within {timeout_s:g} s")
        if waking.cancelled():
            raise NotReady(f"{self.id} was not started: the host stops")
        return waking.result()

    def _woken(self, task: asyncio.Task[WorkerProcess]) -> None:
        self._waking = None
        if not task.cancelled():
            task.exception()

    async def _wake(self) -> WorkerProcess:
        await self._rest()
        if self.state is not State.ASLEEP:
            raise NotReady(
                f"{self.id} is {self.state}" + (f": {self.lifecycle.reason}" if self.lifecycle.reason else ""),
                remedy=f"`somnus-plugins info {self.entry.mount}` says what it needs.",
            )
        self.lifecycle.move(State.STARTING)
        try:
            worker = await self._around.nursery.take(self._assignment())
        except (HostError, PluginCrashed) as error:
            # No fault of the plugin's: the next call tries again.
            self.lifecycle.move(State.ASLEEP, str(error))
            raise NotReady(f"{self.id} cannot be started: {error}", remedy=error.remedy) from error
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
                    await asyncio.wait_for(self._forgiven.wait(), wait_s)
            else:
                return

    async def _bring_up(self, worker: WorkerProcess) -> None:
        runtime = self._around.settings.runtime
        handler = self._around.handler(self)
        await worker.attach(self.book, self.entry.generation, handler, self._frame_max_bytes)
        announcement = await worker.load(self.load_order(), runtime.start_timeout_s)
        self._check(announcement)
        if announcement.wants_prepare:
            await worker.run("prepare", runtime.prepare_timeout_s)
        await worker.run("start", runtime.start_timeout_s)

    def _check(self, announcement: Announcement) -> None:
        if announcement.setup_problem:
            raise _Hold(State.NEEDS_SETUP, announcement.setup_problem)
        if announcement.fingerprint != self.contributions.fingerprint:
            raise _Hold(
                State.BLOCKED,
                "contributions_changed: it now adds something else than what was agreed to; install it again",
            )

    async def _start_failed(self, worker: WorkerProcess, error: BaseException) -> None:
        state, reason = State.ASLEEP, ""
        if isinstance(error, _Hold):
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
        if isinstance(error, SomnusError):
            raise NotReady(
                f"{self.id} did not start: {self.lifecycle.reason}",
                remedy=error.remedy or f"`somnus-plugins logs {self.entry.mount}` shows why.",
                data=error.data,
            ) from error

    @property
    def _frame_max_bytes(self) -> int:
        return self.limits.result_mb * MIB + FRAME_ROOM_BYTES

    def _assignment(self) -> Assignment:
        wire = self._around.settings.wire
        return Assignment(
            plugin=self.id,
            generation=self.entry.generation,
            memory_mb=self.limits.memory_mb,
            open_files=self.limits.open_files,
            threads=self.limits.threads,
            window_bytes=wire.window_bytes,
            inline_max_bytes=wire.inline_max_bytes,
            frame_max_bytes=self._frame_max_bytes,
            incoming_max=max(self.limits.concurrency * 2, wire.incoming_max),
        )

    def load_order(self) -> LoadOrder:
        """What the worker is told to load."""
        home, directory = self._around.home, Path(self.entry.directory)
        return LoadOrder(
            plugin=self.id,
            version=self.manifest.version,
            entry_module=self.manifest.entry.module,
            entry_attribute=self.manifest.entry.attribute,
            directory=str(directory),
            import_paths=(str(directory / "src"), str(directory)),
            data=str(make_directory(home.data(self.id))),
            cache=str(make_directory(home.cache(self.id))),
            mount=self.entry.mount,
            config=self.entry.config,
            threads=max(1, self.limits.threads // 2),
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
                await self._put_down(self.worker, State.STOPPED, reason)
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
        """End every process of the plugin at once: the host stops."""
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.wait([self._waking])
        if self.worker is not None:
            worker, self.worker = self.worker, None
            await worker.stop(self._around.settings.runtime.stop_timeout_s, reason)
        if self._old:
            await asyncio.wait(self._old)

    def _put_down(self, worker: WorkerProcess, then: State, reason: str) -> asyncio.Task[Ending]:
        self.worker = None
        self.lifecycle.move(State.DRAINING, reason)
        task = asyncio.get_running_loop().create_task(self._drain(worker, then, reason))
        self._old.add(task)
        task.add_done_callback(self._old.discard)
        return task

    async def _drain(self, worker: WorkerProcess, then: State, reason: str) -> Ending:
        settings = self._around.settings
        await worker.peer.finished(settings.host.drain_timeout_s)
        ending = await worker.stop(settings.runtime.stop_timeout_s, reason or "it fell asleep")
        if self.state is State.DRAINING:
            self.lifecycle.move(then, reason)
        return ending

    def idle_for(self, now: float) -> float:
        """Seconds without a call; 0 while there is one."""
        busy = self.gate.taken > 0 or self.held_awake > 0
        return 0.0 if busy else now - self.last_used

    # -- before the first start --------------------------------------------------------------------------------------

    def look_again(self, missing: Callable[[Instance], SomnusError | None]) -> None:
        """From `discovered` to where it can be woken, or to what holds it.

        Args:
            missing: Finds what it needs and is not there.
        """
        if self.state.has_process:
            return
        self.lifecycle.move(State.DISCOVERED)
        self._budget.forgive()
        self._not_before = 0.0
        self._forgiven.set()
        self.lifecycle.move(State.VERIFIED)
        if not self.entry.enabled:
            self.lifecycle.move(State.STOPPED, "disabled")
            return
        if (problem := missing(self)) is not None:
            self.lifecycle.move(State.INCOMPATIBLE, str(problem))
            return
        self.lifecycle.move(State.RESOLVED)
        if unset := plugin_config.missing(self.contributions.config_schema, self.entry.config):
            self.lifecycle.move(State.NEEDS_SETUP, f"settings without a value: {', '.join(unset)}")
            return
        if sys.platform != "linux" and self.entry.ring != "local":
            self.lifecycle.move(State.BLOCKED, "only Linux can confine it")
            return
        self.lifecycle.move(State.ASLEEP)


class _Hold(NotReady):
    """A start that ends in a held state."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
