"""What plugins print and log: captured line by line, escaped, bounded, attributed, kept.

A plugin can write whatever it likes into its pipes. The host reads a bounded number of bytes per turn, cuts long lines,
drops and counts what comes too fast, and escapes every control character, so that no line can pretend to be another or
steer a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from somnus_plugins.settings import LogSettings
from somnus_plugins.store.files import make_directory
from somnus_plugins.worker.log_lines import MARK

__all__ = ["LogBook", "LogLine", "LogPipe", "escaped"]

Stream = Literal["stdout", "stderr", "log", "host"]
LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
CHUNK_BYTES: Final = 64 * 1024
"""Read at most this much from one pipe before the loop turns."""
SETTLE_S: Final = 1.0
"""After a flood, at the latest: a line that says how much of it was dropped, though no further line may come."""
FILE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
PAUSE_S: Final = 0.01
"""Between two full chunks from one pipe: a flood then costs the host a bounded share of its time."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    time_s: float
    """Seconds since the Unix epoch, by the host's clock."""
    plugin: str
    generation: int
    stream: Stream
    message: str
    level: str = ""
    logger: str = ""


def escaped(text: str) -> str:
    """The text with every control character but line feed and tab written out, so that it is only text."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else _written_out(each) for each in text)


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class LogBook:
    """The lines of one plugin: the recent ones in memory, all of them in a rotated file.

    Args:
        plugin: Id, written on every line.
        file: Where lines are kept, as JSON lines; None keeps them in memory only.
        settings: Limits.
    """

    def __init__(self, plugin: str, file: Path | None, settings: LogSettings) -> None:
        self.plugin = plugin
        self.dropped = 0
        """Lines that came too fast, in all."""
        self._file = file
        self._settings = settings
        self._recent: deque[LogLine] = deque(maxlen=settings.recent_lines)
        self._tokens = float(settings.burst_lines)
        self._refilled = time.monotonic()
        self.unreported = 0
        """Lines that came too fast since it was last said how many."""
        self._listeners: set[Callable[[LogLine], None]] = set()
        self._encode = msgspec.json.Encoder().encode

    def recent(self, count: int | None = None) -> list[LogLine]:
        """The newest lines that are in memory, oldest first."""
        lines = list(self._recent)
        return lines if count is None else lines[max(0, len(lines) - count) :]

    def listen(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call `listener` for every new line, until the function that is returned is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def note(self, message: str, *, level: str = "INFO", generation: int = 0) -> None:
        """A line of the host's own about this plugin; never dropped."""
        self._keep([self._line("host", escaped(message), generation, level)])

    def write(self, lines: Sequence[bytes], stream: Literal["stdout", "stderr"], generation: int) -> None:
        """Lines of the plugin's; what is over the rate is counted and not kept, and not even decoded."""
        admitted = self._admit(len(lines))
        kept = [self._parsed(line.decode("utf-8", "backslashreplace"), stream, generation) for line in lines[:admitted]]
        if kept and self.unreported:
            kept.insert(0, self._line("host", f"{self.unreported} lines dropped: too many", generation, "WARNING"))
            self.unreported = 0
        dropped = len(lines) - admitted
        self.dropped += dropped
        self.unreported += dropped
        if kept:
            self._keep(kept)

    def settle(self, generation: int) -> None:
        """Say how many lines were dropped since it was last said: no more come that could."""
        if self.unreported:
            line = self._line("host", f"{self.unreported} lines dropped: too many", generation, "WARNING")
            self.unreported = 0
            self._keep([line])

    def _admit(self, wanted: int) -> int:
        now = time.monotonic()
        refill = (now - self._refilled) * self._settings.lines_per_s
        self._tokens = min(self._settings.burst_lines, self._tokens + refill)
        self._refilled = now
        admitted = min(wanted, int(self._tokens))
        self._tokens -= admitted
        return admitted

    def _parsed(self, text: str, stream: Literal["stdout", "stderr"], generation: int) -> LogLine:
        if stream == "stderr" and text.startswith(MARK):
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(text[1:])
                if isinstance(record, dict):
                    return self._from_record(record, generation)
        return self._line(stream, self._cut(text), generation)

    def _from_record(self, record: dict[str, Any], generation: int) -> LogLine:
        level = str(record.get("level", ""))
        logger = escaped(str(record.get("logger", "")))[:200]
        message = self._cut(str(record.get("message", "")))
        return self._line("log", message, generation, level if level in LEVELS else "INFO", logger)

    def _cut(self, text: str) -> str:
        limit = self._settings.line_max_chars
        if len(text) > limit:
            text = f"{text[:limit]}… ({len(text) - limit} more characters)"
        return escaped(text)

    def _line(self, stream: Stream, message: str, generation: int, level: str = "", logger: str = "") -> LogLine:
        return LogLine(
            time_s=time.time(),
            plugin=self.plugin,
            generation=generation,
            stream=stream,
            message=message,
            level=level,
            logger=logger,
        )

    def _keep(self, lines: list[LogLine]) -> None:
        self._recent.extend(lines)
        for line in lines:
            for listener in tuple(self._listeners):
                listener(line)
        if self._file is not None:
            self._append(self._file, b"".join(self._encode(line) + b"\n" for line in lines))

    def _append(self, file: Path, data: bytes) -> None:
        try:
            make_directory(file.parent)
            with open(os.open(file, FILE_FLAGS, 0o600), "ab") as target:
                target.write(data)
                size = target.tell()
            if size > self._settings.file_max_bytes:
                _rotate(file, self._settings.files)
        except OSError:
            # A full disk must not take the host down; the lines are still in memory.
            self.dropped += data.count(b"\n")


def _rotate(file: Path, kept: int) -> None:
    for number in range(kept, 0, -1):
        older = file.with_name(f"{file.name}.{number}")
        newer = file if number == 1 else file.with_name(f"{file.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


class LogPipe:
    """One pipe of one process, read into its plugin's book.

    Args:
        descriptor: The reading end; owned and closed by this object.
        stream: Which of the process's outputs it is.
    """

    def __init__(self, descriptor: int, stream: Literal["stdout", "stderr"], settings: LogSettings) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._stream: Literal["stdout", "stderr"] = stream
        self._rest = b""
        self._most = settings.line_max_chars * 4
        self._book: LogBook | None = None
        self._generation = 0
        self._loop = asyncio.get_running_loop()
        self._settling: asyncio.TimerHandle | None = None
        self._closed = False

    def attach(self, book: LogBook, generation: int) -> None:
        """Begin to read, for this plugin."""
        self._book, self._generation = book, generation
        self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Take what is still in the pipe, then close it."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._descriptor)
        if self._settling is not None:
            self._settling.cancel()
        with contextlib.suppress(OSError):
            self._take(os.read(self._descriptor, CHUNK_BYTES))
        if self._rest:
            self._take(b"\n")
        if self._book is not None:
            self._book.settle(self._generation)
        os.close(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._descriptor)
            return
        self._take(data)
        if len(data) == CHUNK_BYTES:
            self._loop.remove_reader(self._descriptor)
            self._loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._descriptor, self._read)

    def _take(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > self._most:
            lines.append(rest)
            rest = b""
        self._rest = rest
        if self._book is not None and lines:
            self._book.write(lines, self._stream, self._generation)
            if self._book.unreported and self._settling is None and not self._closed:
                self._settling = self._loop.call_later(SETTLE_S, self._settle)

    def _settle(self) -> None:
        self._settling = None
        if self._book is not None:
            self._book.settle(self._generation)
