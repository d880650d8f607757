"""The host's handle on one zygote process: start it, ask it for children, learn how they ended."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from somnus_plugins.errors import ZygoteFailed
from somnus_plugins.wire import control

__all__ = ["Birth", "Zygote", "base_paths"]

BOOT: Final = (
    "import json,sys;a=json.loads(sys.argv[1]);sys.path[:0]=a['paths'];"
    "from somnus_plugins.worker.zygote import main;main(a['control'],a['parent'])"
)
BASE_MODULES: Final = ("somnus_plugins", "msgspec", "fastapi", "pydantic", "uvloop")
ENVIRONMENT: Final = {
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}
"""All of the zygote's environment: nothing of the host's reaches a plugin. The numeric libraries are told to start no
thread at import, because a process with threads cannot be forked safely; arenas reserve address space per thread."""

CLOSE_S: Final = 2.0
"""Seconds that a zygote has to end its children and itself, once its socket is closed."""


def base_paths() -> list[str]:
    """Directories of the base environment: the zygote runs without `site` and is told where its modules are."""
    found: list[str] = []
    for name in BASE_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            directory = str(Path(spec.origin).resolve().parents[1])
            if directory not in found:
                found.append(directory)
    return found


ExitListener = Callable[[control.Exited | None], None]


@dataclass(frozen=True, slots=True)
class Birth:
    """A forked child, as the host holds it."""

    pid: int
    """For people to read. Nothing is ever done to a process by its number."""
    handle: int
    """pidfd; the receiver owns and closes it."""


class Zygote:
    """One zygote process.

    Start with `await Zygote.start(…)`. When it ends, by itself or by `close`, every child ends with it and every
    waiting fork fails with `ZygoteFailed`.
    """

    def __init__(self, process: subprocess.Popen[bytes], control_socket: socket.socket) -> None:
        self._process = process
        self._socket = control_socket
        self._loop = asyncio.get_running_loop()
        self._tickets = itertools.count(1)
        self._births: dict[int, asyncio.Future[Birth]] = {}
        self._exits: dict[int, ExitListener] = {}
        self._early: dict[int, control.Exited] = {}
        self._hello: asyncio.Future[control.Hello] = self._loop.create_future()
        self._failure: ZygoteFailed | None = None
        self.forks = 0
        """Children so far."""
        self.started = time.monotonic()
        self.pid = process.pid
        self.warm_s = 0.0

    @classmethod
    async def start(cls, spawner: Executor, timeout_s: float) -> Zygote:
        """Execute a zygote and wait until it is warm.

        Args:
            spawner: Has one thread that lives as long as the host: the kernel ends the zygote when the thread that
                forked it ends.
            timeout_s: Seconds it has for its imports.

        Raises:
            ZygoteFailed: It ended or was too slow; the message has the last lines it printed.
        """
        loop = asyncio.get_running_loop()
        try:
            mine, process = await _executed(loop, spawner)
        except OSError as error:
            raise ZygoteFailed(f"the zygote cannot be executed: {error}") from error
        zygote = cls(process, mine)
        loop.add_reader(mine.fileno(), zygote._read)
        try:
            async with asyncio.timeout(timeout_s):
                hello = await asyncio.shield(zygote._hello)
        except TimeoutError:
            await zygote.close()
            raise ZygoteFailed(f"the zygote was not warm after {timeout_s:g} s") from None
        except BaseException:
            await zygote.close()
            raise
        zygote.warm_s = hello.warm_s
        return zygote

    @property
    def alive(self) -> bool:
        """Whether it can fork."""
        return self._failure is None

    async def fork(self, stream: socket.socket, channel: socket.socket, output: int, error: int) -> Birth:
        """Fork a blank child that holds these four; the caller keeps and closes its own copies.

        Raises:
            ZygoteFailed: The zygote is gone, or cannot fork.
        """
        if self._failure is not None:
            raise self._failure
        ticket = next(self._tickets)
        birth = self._births[ticket] = self._loop.create_future()
        try:
            packet = control.encode(control.Fork(ticket))
            socket.send_fds(self._socket, [packet], [stream.fileno(), channel.fileno(), output, error])
        except OSError as failure:
            del self._births[ticket]
            raise ZygoteFailed(f"the zygote does not take requests: {failure}") from failure
        self.forks += 1
        try:
            return await asyncio.shield(birth)
        except asyncio.CancelledError:
            birth.add_done_callback(self._disown)
            raise

    def _disown(self, birth: asyncio.Future[Birth]) -> None:
        """A child that nobody waits for any more ends by itself, because its stream is closed."""
        if not birth.cancelled() and birth.exception() is None:
            os.close(birth.result().handle)
            self.on_exit(birth.result().pid, lambda report: None)

    def on_exit(self, pid: int, callback: ExitListener) -> None:
        """Have `callback` called when this child was reaped, even where that was before; with None, when the zygote has
        ended first and took the child along."""
        if pid in self._early:
            callback(self._early.pop(pid))
        else:
            self._exits[pid] = callback

    async def close(self) -> None:
        """End the zygote and, with it, every child."""
        self._fail(ZygoteFailed("the zygote was closed"))
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.to_thread(self._process.wait)
        except TimeoutError:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """End the zygote at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._fail(ZygoteFailed("the zygote was killed"))

    def _read(self) -> None:
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._socket, control.PACKET_MAX_BYTES, 1)
            except BlockingIOError:
                return
            except OSError as error:
                self._fail(ZygoteFailed(f"the zygote's socket failed: {error}"))
                return
            if not packet:
                self._fail(ZygoteFailed(f"the zygote ended; it printed: {self._last_words()}"))
                return
            self._take(packet, descriptors)

    def _take(self, packet: bytes, descriptors: list[int]) -> None:
        try:
            message = control.decode(packet)
        except msgspec.MsgspecError as error:
            self._fail(ZygoteFailed(f"the zygote sent what cannot be read: {error}"))
            return
        if isinstance(message, control.Hello):
            self._hello.set_result(message)
        elif isinstance(message, control.Forked):
            self._born(message, descriptors)
        elif isinstance(message, control.ForkFailed):
            self._births.pop(message.ticket).set_exception(ZygoteFailed(message.reason))
        elif message.pid in self._exits:
            self._exits.pop(message.pid)(message)
        else:
            self._early[message.pid] = message

    def _born(self, message: control.Forked, descriptors: list[int]) -> None:
        birth = self._births.pop(message.ticket)
        if descriptors:
            os.set_inheritable(descriptors[0], False)
            birth.set_result(Birth(message.pid, descriptors[0]))
        else:
            # The kernel dropped it. The child ends by itself, because its stream is closed.
            self.on_exit(message.pid, lambda report: None)
            birth.set_exception(ZygoteFailed("no descriptor is free for a new process"))

    def _last_words(self) -> str:
        error = self._process.stderr
        if error is None:
            return "nothing"
        os.set_blocking(error.fileno(), False)
        words = error.read(64 * 1024) or b""
        return words.decode("utf-8", "backslashreplace").strip()[-2000:] or "nothing"

    def _fail(self, failure: ZygoteFailed) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if not self._hello.done():
            self._hello.add_done_callback(lambda done: done.exception())
            self._hello.set_exception(failure)
        births, self._births = self._births, {}
        for birth in births.values():
            birth.add_done_callback(lambda done: done.exception())
            birth.set_exception(failure)
        exits, self._exits = self._exits, {}
        for callback in exits.values():
            callback(None)
        if self._process.stderr is not None:
            self._process.stderr.close()


async def _executed(
    loop: asyncio.AbstractEventLoop, spawner: Executor
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A zygote and this side's end of its socket; given up, neither stays."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    spawning = loop.run_in_executor(spawner, _execute, theirs)
    try:
        process = await asyncio.shield(spawning)
    except BaseException:
        mine.close()
        spawning.add_done_callback(_end_unwanted)
        raise
    mine.setblocking(False)
    return mine, process


def _execute(theirs: socket.socket) -> subprocess.Popen[bytes]:
    arguments = {"paths": base_paths(), "control": theirs.fileno(), "parent": os.getpid()}
    with theirs:
        return subprocess.Popen(  # noqa: S603  # our own interpreter with our own program
            [sys.executable, "-I", "-S", "-B", "-c", BOOT, json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )


def _end_unwanted(spawning: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    """Nobody waits for this zygote any more."""
    if not spawning.cancelled() and spawning.exception() is None:
        with spawning.result() as process:
            process.kill()
