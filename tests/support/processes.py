"""Looking at processes from outside: what a host holds, what of it lives on."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["Census", "Held", "Script", "children_of", "descendants_of", "is_gone", "threads_of"]


def children_of(process: int) -> set[int]:
    """Process ids of the children a single-threaded process has; none where it is gone."""
    try:
        return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return set()


def descendants_of(process: int) -> set[int]:
    """Children of all threads, their children, and so on."""
    try:
        threads = os.listdir(f"/proc/{process}/task")
    except (FileNotFoundError, ProcessLookupError):
        return set()
    found: set[int] = set()
    for thread in threads:
        try:
            found |= set(map(int, Path(f"/proc/{process}/task/{thread}/children").read_text().split()))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found.union(*map(descendants_of, found))


def threads_of(process: int) -> int:
    """Threads, as the kernel counts them."""
    return len(os.listdir(f"/proc/{process}/task"))


def is_gone(process: int) -> bool:
    """Whether there is no such process, or only what its parent has not yet asked about."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Held:
    """Processes held by pidfd, so that a number that is used again cannot pass for one of them."""

    def __init__(self, processes: Iterable[int]) -> None:
        self._handles = {each: os.pidfd_open(each) for each in processes}

    def living(self) -> set[int]:
        """Those that have not ended."""
        ended = set(select.select(list(self._handles.values()), [], [], 0)[0])
        return {each for each, handle in self._handles.items() if handle not in ended}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles.values():
            os.close(handle)


@dataclass(frozen=True)
class Census:
    """What this process holds. The threads that asyncio keeps for blocking work are its own matter."""

    descriptors: int
    threads: int
    children: int

    @classmethod
    def now(cls, zygote: int | None = None) -> Self:
        """Count."""
        named = [each.name for each in threading.enumerate()]
        return cls(
            descriptors=len(os.listdir("/proc/self/fd")),
            threads=len([each for each in named if not each.startswith("asyncio_")]),
            children=len(children_of(zygote)) if zygote is not None else 0,
        )


class Script:
    """A Python program in a process of its own that says things as lines of JSON.

    Args:
        code: The program; `say(value)` is there, and `arguments`.
        arguments: JSON-compatible.
    """

    PRELUDE = (
        "import json,sys;arguments=json.loads(sys.argv[1])\ndef say(value):\n    print(json.dumps(value), flush=True)\n"
    )

    def __init__(self, code: str, *arguments: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PRELUDE + code, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "")},
        )
        self._buffer = b""

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def hear(self, timeout_s: float = 15.0) -> Any:
        """The next value it says; fails the test when it does not."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._buffer:
            ready = select.select([descriptor], [], [], timeout_s)[0]
            assert ready, f"nothing was said within {timeout_s:g} s"
            part = os.read(descriptor, 65536)
            assert part, f"it ended with {self.process.wait()}"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def tell(self) -> None:
        """Let it read one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
