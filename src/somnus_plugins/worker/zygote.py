"""The process that plugins are forked from.

Executed fresh with a clean environment, so that nothing of the host's memory is in it; imports what every plugin needs,
once; has one thread, no event loop and no open file but its control socket; forks a blank child for each request.

Python is told to skip `site` (`-I -S`), because `.pth` files run code of whatever is installed.
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import select
import signal
import socket
import sys
import time
from typing import Final, NoReturn

from somnus_plugins.confinement import process
from somnus_plugins.wire import control

__all__ = ["main", "warm"]

PRELOAD: Final = (
    "asyncio",
    "concurrent.futures.thread",
    "contextlib",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fastapi",
    "fastapi.responses",
    "fractions",
    "json",
    "logging",
    "msgspec",
    "pathlib",
    "pydantic",
    "sqlite3",
    "tempfile",
    "typing",
    "uuid",
    "uvloop",
    "zoneinfo",
    "somnus_plugins.sdk",
    "somnus_plugins.worker.asgi",
    "somnus_plugins.worker.child",
    "somnus_plugins.worker.dispatch",
    "somnus_plugins.worker.tools",
)
"""What most plugins import. Every module here costs each fork some page table; one that is missing costs its import in
each child that needs it."""


END_S: Final = 2.0
"""Seconds that the end of all children may take; after that the zygote's own end takes those it has forked."""
END_STEP_S: Final = 0.005
"""Between two looks at children that were killed and are not gone yet."""


def main(control_descriptor: int, parent: int) -> NoReturn:
    """Be the zygote until the host closes the control socket.

    Args:
        control_descriptor: A SEQPACKET socket that speaks `wire.control`.
        parent: Process id of the host.
    """
    started = time.monotonic()
    process.die_with_parent(parent)
    parent_handle = os.pidfd_open(parent)
    process.adopt_orphans()
    process.forbid_new_privileges()
    process.rename("somnus-zygote")
    warm()
    host = socket.socket(fileno=control_descriptor)
    host.send(control.encode(control.Hello(os.getpid(), len(sys.modules), time.monotonic() - started)))
    # From here on the end of the host is seen in the loop, which then ends what children have started too.
    process.outlive_parent()
    _Nursery(host, parent_handle).run()
    os._exit(0)


def warm() -> None:
    """Import what every plugin needs, answer one request of a throw-away application, and put it all out of the
    garbage collector's reach: a collection in a child would otherwise touch, and so copy, every page of it."""
    gc.disable()
    for name in PRELOAD:
        importlib.import_module(name)
    importlib.import_module("somnus_plugins.worker.asgi").warm_up()
    importlib.import_module("somnus_plugins.worker.child").speak_by_lines()
    gc.collect()
    gc.freeze()


class _Nursery:
    """Forks on request and reaps."""

    def __init__(self, host: socket.socket, parent_handle: int) -> None:
        self._host = host
        self._parent_handle = parent_handle
        self._children: set[int] = set()
        self._woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def run(self) -> None:
        poll = select.poll()
        for descriptor in (self._host.fileno(), self._woken, self._parent_handle):
            poll.register(descriptor, select.POLLIN)
        try:
            while True:
                ready = [descriptor for descriptor, _ in poll.poll()]
                if self._parent_handle in ready:
                    break
                if self._woken in ready:
                    os.read(self._woken, 4096)
                    self._reap()
                if self._host.fileno() in ready and not self._serve():
                    break
        except OSError:
            # The host is gone, or this process can fork no more: either way its children end with it.
            pass
        finally:
            self._end_all()

    def _end_all(self) -> None:
        """Kill what there is until nothing is left; what has left its parent comes back here, its adopter."""
        until = time.monotonic() + END_S
        for child in self._children:
            _kill_group(child)
        while time.monotonic() < until:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    _kill_all(_offspring())
                    time.sleep(END_STEP_S)
            except ChildProcessError:
                return

    def _serve(self) -> bool:
        packet, descriptors, _, _ = socket.recv_fds(self._host, control.PACKET_MAX_BYTES, 4)
        if not packet:
            return False
        ticket = control.decode_fork(packet).ticket
        if refusal := _refusal():
            self._host.send(control.encode(control.ForkFailed(ticket, refusal)))
        else:
            self._fork(ticket, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _fork(self, ticket: int, descriptors: list[int]) -> None:
        zygote = os.getpid()
        try:
            child = os.fork()
        except OSError as error:
            self._host.send(control.encode(control.ForkFailed(ticket, f"fork: {error}")))
            return
        if child == 0:
            _become_child(zygote, descriptors)
        try:
            handle = os.pidfd_open(child)
        except OSError as error:
            os.kill(child, signal.SIGKILL)
            self._host.send(control.encode(control.ForkFailed(ticket, f"pidfd_open: {error}")))
            return
        self._children.add(child)
        socket.send_fds(self._host, [control.encode(control.Forked(ticket, child))], [handle])
        os.close(handle)

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                # What was not forked here lost its parent: it belongs to no plugin any more.
                _kill_all(_offspring() - self._children)
                return
            if ended.si_pid in self._children:
                # Not reaped yet, so the number still means this child and its group: whatever it started goes too.
                _kill_group(ended.si_pid)
            pid, status, usage = os.wait4(ended.si_pid, 0)
            if pid in self._children:
                self._children.discard(pid)
                exited = control.Exited(
                    pid, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss
                )
                self._host.send(control.encode(exited))


def _refusal() -> str:
    """Why nothing can be forked now; empty where it can."""
    try:
        threads = process.thread_count()
    except OSError as error:
        return f"the zygote cannot count its threads: {error}"
    return "" if threads == 1 else f"the zygote has {threads} threads"


def _offspring() -> set[int]:
    """Process ids of all children, forked here or adopted. None of them is reaped, so each number means its process."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return set(map(int, file.read().split()))
    except OSError:
        return set()


def _kill_all(processes: set[int]) -> None:
    for each in processes:
        os.kill(each, signal.SIGKILL)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _become_child(zygote: int, descriptors: list[int]) -> NoReturn:
    """Leave everything of the zygote behind; any failure ends the child before foreign code runs."""
    try:
        process.die_with_parent(zygote)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        stream, channel, output, error = (os.dup(each) for each in descriptors)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in enumerate((nothing, output, error, stream, channel)):
            # Above 4 by now: the zygote holds its own five or more, and `dup` takes the lowest free number.
            # Only the first three go on to a program that the plugin starts: the wire is this process's alone.
            os.dup2(source, target, inheritable=target <= 2)
        process.close_all_but(5)
        random.seed()
        gc.enable()
        importlib.import_module("somnus_plugins.worker.child").run(3, 4)
    except BaseException:  # noqa: BLE001  # whatever it is: the child must not go on as a second zygote
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)
