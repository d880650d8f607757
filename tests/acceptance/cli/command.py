"""The command as a real process, as a person or a script starts it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 30


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["error"]
        return found


@dataclass(frozen=True)
class Command:
    """The command with one home, in one directory."""

    directory: Path
    home: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SOMNUS_")}
        return kept | {"SOMNUS_HOME": str(self.home), "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": ""}

    def run(self, *words: str, input: str = "") -> Ended:
        """Run it to its end, without a terminal."""
        ran = subprocess.run(
            [sys.executable, "-m", "somnus_plugins", *words],
            input=input,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=self.environment(),
            timeout=PATIENCE_S,
            check=False,
        )
        return Ended(ran.returncode, ran.stdout, ran.stderr)

    def json(self, *words: str, input: str = "") -> Any:
        """Its answer to a program; it must succeed."""
        ended = self.run(*words, "--json", input=input)
        assert (ended.status, ended.err) == (0, ""), ended
        return ended.document

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[Running]:
        """Run it until the block ends, then press Ctrl-C."""
        process = subprocess.Popen(
            [sys.executable, "-m", "somnus_plugins", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self.environment(),
        )
        running = Running(process)
        try:
            yield running
        finally:
            running.interrupt()


class Running:
    """The command while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout, self._lines.put)),
            threading.Thread(target=self._read, args=(process.stderr, self._err.append)),
        ]
        for each in self._readers:
            each.start()

    def _read(self, source: Any, take: Callable[[Any], None]) -> None:
        with source:
            for line in source:
                take(line)
        if source is self.process.stdout:
            take(None)

    def line(self) -> str:
        """The next line of standard output."""
        found = self._lines.get(timeout=PATIENCE_S)
        assert found is not None, "".join(self._err)
        return found

    def line_with(self, text: str) -> str:
        """The next line of standard output that holds the text."""
        while text not in (found := self.line()):
            pass
        return found

    def event(self, name: str) -> dict[str, Any]:
        """The next JSON line that is this event."""
        while (found := json.loads(self.line())).get("event") != name:
            pass
        event: dict[str, Any] = found
        return event

    @property
    def err(self) -> str:
        return "".join(self._err)

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=PATIENCE_S)
        for each in self._readers:
            each.join()
        return status
