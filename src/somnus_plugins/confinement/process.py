"""What a process does to itself, once, and cannot take back."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import resource
import signal
import sys
from typing import Final

__all__ = [
    "adopt_orphans",
    "close_all_but",
    "die_with_parent",
    "forbid_new_privileges",
    "limit",
    "outlive_parent",
    "rename",
    "thread_count",
]

LINUX: Final = sys.platform == "linux"

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38

MIB: Final = 1024 * 1024


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int | bytes) -> None:
    if not LINUX:
        return
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends; exits where it already has.

    Args:
        parent: Process id of the parent, taken before the fork: it tells a parent that died in between.
    """
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take `die_with_parent` back: for a process that sees the end of its parent itself and has to tidy up."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def forbid_new_privileges() -> None:
    """No program this process executes can gain rights, by set-user-id bits or capabilities of files."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none is lost."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def rename(name: str) -> None:
    """Name this process as `ps` and `top` show it; 15 bytes at most."""
    _prctl(_PR_SET_NAME, name.encode("ascii", "replace")[:15])


def close_all_but(kept: int) -> None:
    """Close every descriptor from `kept` upward."""
    os.closerange(kept, _highest_descriptor() + 1)


def _highest_descriptor() -> int:
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def thread_count() -> int:
    """Threads of this process as the kernel counts them: native ones too, which `threading` does not see."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError as error:
        if LINUX and error.errno != errno.ENOENT:
            raise
        import threading

        return threading.active_count()


def limit(*, memory_mb: int, open_files: int) -> None:
    """Set the resource limits that hold without a cgroup.

    Args:
        memory_mb: Private writable memory, in MiB.
        open_files: Descriptors.
    """
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_DATA: memory_mb * MIB,
    }
    for which, value in wanted.items():
        hard = resource.getrlimit(which)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (bound, bound))
