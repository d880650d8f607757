"""One installed plugin in this host: woken when somebody wants it, put to sleep when nobody does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import msgspec

from somnus_plugins.errors import (
    CallTimeout,
    NotReady,
    Overloaded,
    PeerClosed,
    PluginCrashed,
    ProtocolViolation,
    SomnusError,
    UnknownTool,
    WireError,
)
from somnus_plugins.host.admission import Gate, seconds
from somnus_plugins.host.conversation import LocalConversation
from somnus_plugins.host.lifecycle import State
from somnus_plugins.host.orders import EffectiveLimits
from somnus_plugins.host.registry import Entry
from somnus_plugins.host.supervised import CHANGED, Supervised, Surroundings
from somnus_plugins.runtime.process import WorkerProcess
from somnus_plugins.trust import config as plugin_config
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.wire.calls import LATE
from somnus_plugins.wire.contributions import Contributions, Tool
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.peer import ProgressSink

__all__ = ["Instance"]


class Instance(Supervised):
    """One installed plugin.

    Args:
        entry: What people have decided.
        manifest: What its author says.
        contributions: What it adds.
        around: The host.
    """

    def __init__(self, entry: Entry, manifest: Manifest, contributions: Contributions, around: Surroundings) -> None:
        super().__init__(entry, manifest, contributions, around)
        self.tools: dict[str, Tool] = {tool.name: tool for tool in contributions.tools}
        self.gate = Gate(self.limits.concurrency, around.settings.limits.queue)
        self.calls = 0
        """Calls so far."""
        self._conversations: dict[LocalConversation, WorkerProcess] = {}
        self._timeouts = self._tool_timeouts()

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

    def tool(self, name: str) -> Tool:
        """A tool by name; raises `UnknownTool`."""
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join(sorted(self.tools)) or "none"
            raise UnknownTool(
                f"{self.id} has no tool {name!r}; its tools: {known}",
                remedy=f"`somnus-plugins info {self.entry.mount}` shows each with its arguments.",
            )
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
        gate, worker, allowed_s = self.gate, self.worker, header.timeout_s
        if worker is not None and gate.taken < gate.places and not gate.waiting:
            gate.taken += 1
        else:
            worker, header = await self._admitted(header)
        try:
            self.calls += 1
            return await worker.peer.request(method, payload, target, header, progress)
        except WireError as error:
            raise await self.explained(worker, error) from error
        except CallTimeout as error:
            raise self._late(error, method, target, allowed_s) from error
        finally:
            self.last_used = monotonic()
            gate.leave()

    async def _admitted(self, header: Header) -> tuple[WorkerProcess, Header]:
        """Wait for a place and for a process, both within the call's deadline; the header has what is left of it."""
        began = monotonic()

        def left() -> float | None:
            return None if header.timeout_s is None else max(0.0, header.timeout_s - (monotonic() - began))

        try:
            await self.gate.enter(header.timeout_s)
        except (CallTimeout, Overloaded) as error:
            raise type(error)(f"{self.id}: {error}", remedy=error.remedy) from error
        try:
            worker = self.worker or await self.awake(left())
        except BaseException:
            self.last_used = monotonic()
            self.gate.leave()
            raise
        return worker, msgspec.structs.replace(header, timeout_s=left())

    async def converse(
        self,
        method: str,
        payload: Any,
        target: str,
        header: Header,
        *,
        sends: bool = False,
        progress: ProgressSink | None = None,
    ) -> LocalConversation:
        """A call with streams; it keeps its place, and the plugin awake, until it is closed."""
        allowed_s = header.timeout_s
        worker, header = await self._admitted(header)
        try:
            self.calls += 1
            exchange = await worker.peer.exchange(method, payload, target, header, sends=sends, progress=progress)
        except BaseException as error:
            self.gate.leave()
            if isinstance(error, WireError):
                raise await self.explained(worker, error) from error
            if isinstance(error, CallTimeout):
                raise self._late(error, method, target, allowed_s) from error
            raise
        conversation = LocalConversation(exchange, method, partial(self.explained, worker), self._close)
        self._conversations[conversation] = worker
        return conversation

    def _close(self, conversation: LocalConversation) -> None:
        del self._conversations[conversation]
        self.last_used = monotonic()
        self.gate.leave()

    @property
    def held_awake(self) -> int:
        """Open streams and sockets."""
        return len(self._conversations)

    def retiring(self, worker: WorkerProcess) -> None:
        """Sockets would stay open for ever: those of a process that drains are ended now, and may come back."""
        for conversation, owner in list(self._conversations.items()):
            if owner is worker and conversation.method == "websocket":
                conversation.cut(NotReady(f"{self.id} is being stopped or replaced", remedy="Connect again."))

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

    def _late(self, error: CallTimeout, method: str, target: str, allowed_s: float | None) -> CallTimeout:
        """The wire's word that a deadline has passed, with whose, how long it was, and what moves it."""
        if allowed_s is None or error.data != LATE:
            return error
        own_s = self.timeout_s(target)
        called = f"tool {target!r}" if method == "tool" else method
        longer = f"Wait longer with `timeout_s=`, or `--timeout`; it may take {seconds(own_s)}."
        raised = "`call_timeout_s` in [tool.somnus.limits]"
        if target in self.tools:
            raised = f"`@tool(timeout_s=…)`, or {raised}"
        return CallTimeout(
            f"{self.id} did not answer within its deadline of {seconds(allowed_s)}: {called}",
            remedy=longer if allowed_s < own_s else f"Its author raises this limit with {raised}.",
            data={"plugin": self.id, "target": target, "timeout_s": allowed_s},
        )

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
        self.forgive()
        self.lifecycle.move(State.VERIFIED)
        if not self.entry.enabled:
            self.lifecycle.move(State.STOPPED, "disabled")
            return
        if (problem := missing(self)) is not None:
            self.lifecycle.move(State.INCOMPATIBLE, str(problem))
            return
        if self.entry.fingerprint != self.contributions.fingerprint:
            self.lifecycle.move(State.BLOCKED, CHANGED)
            return
        self.lifecycle.move(State.RESOLVED)
        if unset := plugin_config.missing(self.contributions.config_schema, self.entry.config):
            self.lifecycle.move(State.NEEDS_SETUP, f"settings without a value: {', '.join(unset)}")
            return
        if sys.platform != "linux" and self.entry.ring != "local":
            self.lifecycle.move(State.BLOCKED, "only Linux can confine it")
            return
        self.lifecycle.move(State.ASLEEP)
