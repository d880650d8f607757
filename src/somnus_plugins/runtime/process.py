"""One worker process: its connection, its logs, its end.

Held by a pidfd from the moment it was forked, so that nothing is ever done to another process that has taken its
number.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from somnus_plugins.errors import (
    HostError,
    InvalidPlugin,
    InvalidResult,
    PeerClosed,
    PluginCrashed,
    PluginError,
    ProtocolViolation,
    SomnusError,
    WireError,
    ZygoteFailed,
)
from somnus_plugins.runtime.logs import LogBook, LogPipe
from somnus_plugins.runtime.zygote import Zygote
from somnus_plugins.settings import Settings
from somnus_plugins.wire.codec import PREFIX
from somnus_plugins.wire.contributions import Contributions
from somnus_plugins.wire.control import Exited
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.methods import Announcement, Assignment, LoadOrder
from somnus_plugins.wire.peer import Handler, Peer, PeerLimits, Side
from somnus_plugins.wire.values import decode_as

__all__ = ["Ending", "WorkerProcess"]

REAP_GRACE_S: Final = 1.0
"""Seconds between a process's end and its zygote's report; without one the zygote is gone, and that was a kill."""
HANG_UP_GRACE_S: Final = 0.2
"""Seconds between the end of a connection and the end of the process; a longer life without one is cut short."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended."""

    status: int
    """Exit code, or minus the number of the signal."""
    reason: str
    """For a person: what ended it."""
    asked: bool
    """Whether the host asked it to end: then it is no crash."""
    cpu_s: float
    peak_kb: int


class WorkerProcess:
    """A forked child, blank until it is assigned to a plugin.

    Make one with `await WorkerProcess.fork(zygote, settings)`, then `assign`, `attach`, `load`, `prepare`, `start`; use
    `peer`; end it with `stop` or `kill`. `ended` is done when it is gone, whoever ended it.
    """

    _numbers = itertools.count(1)

    def __init__(
        self, pid: int, handle: int, stream: socket.socket, channel: socket.socket, settings: Settings
    ) -> None:
        self.number = next(self._numbers)
        """Counts the processes of this host, for people and logs."""
        self.pid = pid
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.strikes: Counter[str] = Counter()
        self.lost: Callable[[], None] | None = None
        """Called when the connection has ended: no call can be made any more, though the process may live a little."""
        self.worn_out: Callable[[], None] | None = None
        """Called when too many calls go on after their deadline: the process should be replaced."""
        self._handle = handle
        self._stream = stream
        self._channel = channel
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._pipes: list[LogPipe] = []
        self._peer: Peer | None = None
        self._book: LogBook | None = None
        self._abandoned: set[int] = set()
        self._threads = 1
        self._asked = ""
        self._blame = ""
        self._report: Exited | None = None
        self._loop.add_reader(handle, self._on_gone)

    @classmethod
    async def fork(cls, zygote: Zygote, settings: Settings, assignment: Assignment | None = None) -> WorkerProcess:
        """Fork a child.

        Args:
            zygote: Its parent.
            settings: Limits.
            assignment: Waits for the child when it begins; None leaves it blank until `assign`.

        Raises:
            ZygoteFailed: There is none.
        """
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as lent:
            try:
                mine, theirs = _sockets(socket.SOCK_STREAM, kept, lent)
                sends, receives = _sockets(socket.SOCK_SEQPACKET, kept, lent)
                output, output_end = _pipe(kept, lent)
                error, error_end = _pipe(kept, lent)
            except OSError as failure:
                raise ZygoteFailed(f"a new process cannot be given its descriptors: {failure}") from failure
            if assignment is not None:
                _send_assignment(mine, assignment)
            birth = await zygote.fork(theirs, receives, output_end, error_end)
            kept.callback(os.close, birth.handle)
            made = cls(birth.pid, birth.handle, mine, sends, settings)
            made._pipes = [LogPipe(output, "stdout", settings.logs), LogPipe(error, "stderr", settings.logs)]
            zygote.on_exit(birth.pid, made._on_report)
            kept.pop_all()
        return made

    def assign(self, assignment: Assignment) -> None:
        """Make the blank child this plugin's.

        Raises:
            PluginCrashed: It has ended.
        """
        _send_assignment(self._stream, assignment)

    async def attach(self, book: LogBook, generation: int, handler: Handler, receive_max_bytes: int) -> None:
        """Begin to listen to what it says.

        Args:
            book: Where what it prints and logs goes.
            generation: Written on every line.
            handler: Serves what it asks the host.
            receive_max_bytes: Largest frame it may send.
        """
        wire = self._settings.wire
        self._book = book
        for pipe in self._pipes:
            pipe.attach(book, generation)
        self._peer = peer = Peer(
            Side.HOST,
            handler,
            limits=PeerLimits(
                inline_max_bytes=wire.inline_max_bytes,
                send_max_bytes=wire.frame_max_bytes,
                receive_max_bytes=receive_max_bytes,
                window_bytes=wire.window_bytes,
                strikes_max=wire.strikes_max,
                incoming_max=wire.incoming_max,
            ),
            channel=self._channel,
            on_closed=self._on_closed,
            on_strike=self._on_strike,
            on_abandoned=self._on_abandoned,
        )
        await self._loop.create_unix_connection(lambda: peer.connection, sock=self._stream)

    @property
    def peer(self) -> Peer:
        """The connection to the plugin; only after `attach`."""
        if self._peer is None:
            raise HostError("the process has no plugin yet")
        return self._peer

    @property
    def alive(self) -> bool:
        """Whether it still runs and its connection stands."""
        return not self.ended.done() and (self._peer is None or self._peer.closed is None)

    async def load(self, order: LoadOrder, timeout_s: float) -> Announcement:
        """Have the plugin imported and made; raises what went wrong there."""
        self._threads = order.threads
        return _read(await self.peer.request("load", order, header=Header(timeout_s=timeout_s)), Announcement)

    async def describe(self, timeout_s: float) -> Contributions:
        """Ask the loaded plugin what it adds."""
        return _read(await self.peer.request("describe", header=Header(timeout_s=timeout_s)), Contributions)

    async def run(self, method: str, timeout_s: float) -> None:
        """Run one of the life-cycle methods: `prepare`, `start`, `stop`."""
        await self.peer.request(method, header=Header(timeout_s=timeout_s))

    async def stop(self, timeout_s: float, reason: str) -> Ending:
        """Let the plugin say its last words, then end the process; at the latest after `timeout_s` it is killed."""
        self._asked = self._asked or reason
        if self.alive and self._peer is not None:
            with contextlib.suppress(PluginError, WireError):
                await self.run("stop", timeout_s)
            self._peer.close()
        else:
            self._stream.close()
        try:
            async with asyncio.timeout(max(0.2, timeout_s / 4)):
                return await asyncio.shield(self.ended)
        except TimeoutError:
            return await self.kill(reason)

    async def kill(self, reason: str) -> Ending:
        """End the process at once.

        Args:
            reason: For a person; what was asked before wins.
        """
        self._asked = self._asked or reason
        self._signal_kill()
        return await asyncio.shield(self.ended)

    def _kill_for(self, blame: str) -> None:
        """End the process because of what it did: a crash, not an end that was asked for."""
        if not self.ended.done():
            self._blame = self._blame or blame
            self._signal_kill()

    def _signal_kill(self) -> None:
        # Without a handle it has ended already, and only its report is awaited.
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    # -- what it does ------------------------------------------------------------------------------------------------

    def _on_strike(self, kind: str) -> None:
        self.strikes[kind] += 1
        if self._book is not None and self.strikes[kind] == 1:
            self._book.note(f"broke the protocol: {kind}", level="WARNING")

    def _on_closed(self, reason: SomnusError) -> None:
        if self.lost is not None:
            self.lost()
        if self._asked or self.ended.done():
            return
        if isinstance(reason, ProtocolViolation):
            self._kill_for(str(reason))
        else:
            self._loop.call_later(HANG_UP_GRACE_S, self._kill_for, "it closed its connection")

    def _on_abandoned(self, call_id: int) -> None:
        self._loop.call_later(self._settings.runtime.cancel_grace_s, self._look_after, call_id)

    def _look_after(self, call_id: int) -> None:
        if not self.alive or self._peer is None or not self._peer.is_abandoned(call_id):
            return
        task = self._loop.create_task(self._examine(self._peer, call_id))
        task.add_done_callback(lambda done: None)
        self._examination = task

    async def _examine(self, peer: Peer, call_id: int) -> None:
        """A call goes on after it was cancelled: is the loop stuck, or only one thread?"""
        try:
            await peer.request("ping", header=Header(timeout_s=self._settings.runtime.cancel_grace_s))
        except (PluginError, WireError):
            self._kill_for("its event loop did not answer")
            return
        self._abandoned = {each for each in self._abandoned if peer.is_abandoned(each)}
        if peer.is_abandoned(call_id):
            self._abandoned.add(call_id)
        # Each may hold a thread; with all of them gone, no method without `async` runs any more.
        bearable = min(self._settings.runtime.abandoned_calls_max, self._threads - 1)
        if len(self._abandoned) > bearable and self.worn_out is not None:
            self.worn_out()

    # -- its end -----------------------------------------------------------------------------------------------------

    def _on_report(self, report: Exited | None) -> None:
        if report is None:
            self._asked = self._asked or "its zygote ended"
        self._report = report or Exited(self.pid, -int(signal.SIGKILL), 0.0, 0)
        if self._handle < 0:
            self._finish()

    def _on_gone(self) -> None:
        self._loop.remove_reader(self._handle)
        os.close(self._handle)
        self._handle = -1
        if self._report is not None:
            self._finish()
        else:
            self._loop.call_later(REAP_GRACE_S, self._finish)

    def _finish(self) -> None:
        if self.ended.done():
            return
        report = self._report or Exited(self.pid, -int(signal.SIGKILL), 0.0, 0)
        asked = bool(self._asked) and not self._blame
        by_host = report.status == -int(signal.SIGKILL)
        reason = (by_host and self._blame) or self._asked or _meaning(report.status)
        self.ended.set_result(Ending(report.status, reason, asked, report.cpu_s, report.peak_kb))
        for pipe in self._pipes:
            pipe.close()
        if self._peer is not None and self._peer.closed is None:
            self._asked = self._asked or "ended"
            self._peer.close(PeerClosed(f"the plugin's process ended: {reason}"))
        self._stream.close()
        self._channel.close()


def _sockets(
    kind: socket.SocketKind, kept: contextlib.ExitStack, lent: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket]:
    """A pair of sockets, one for each stack to close; the one that is kept does not block."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, kind)
    kept.enter_context(mine).setblocking(False)
    return mine, lent.enter_context(theirs)


def _pipe(kept: contextlib.ExitStack, lent: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe; its reading end is kept, its writing end lent."""
    reads, writes = os.pipe()
    kept.callback(os.close, reads)
    lent.callback(os.close, writes)
    return reads, writes


def _send_assignment(stream: socket.socket, assignment: Assignment) -> None:
    body = msgspec.msgpack.encode(assignment)
    try:
        stream.send(PREFIX.pack(len(body)) + body)
    except OSError as error:
        raise PluginCrashed("the process ended before it was given its plugin") from error


def _read(answer: msgspec.Raw, kind: type[T]) -> T:
    """What the plugin's process answered to the host itself; it runs foreign code and may answer anything."""
    try:
        return decode_as(answer, kind)
    except InvalidResult as error:
        raise InvalidPlugin(f"its process answered something else than its {kind.__name__}: {error.message}") from error


def _meaning(status: int) -> str:
    if status >= 0:
        return f"it exited with code {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"
