"""Reading what plugins printed and logged, from the files that the home's host writes. Needs no host."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from somnus_plugins.cli import terminal
from somnus_plugins.errors import UnknownPlugin
from somnus_plugins.host.home import Home
from somnus_plugins.host.registry import Entry, Registry
from somnus_plugins.runtime.logs import LogLine
from somnus_plugins.trust.ids import PluginId

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Tail", "log_file", "newest", "shown"]

READ_BYTES: Final = 256 * 1024
"""Bytes that are read at once."""

CONTINUED: Final = "\n         │ "
"""Before each further line of a message, so that none can pass for a message of its own."""

_STYLES: Final = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "DEBUG": "dim"}
_decode = msgspec.json.Decoder(LogLine).decode


def log_file(home: Home, name: str) -> Path:
    """The log of a plugin by id, mount or, where only one has it, name; also of one that was uninstalled, by id.

    Raises:
        UnknownPlugin: There is none.
    """
    entries = Registry(home.registry).entries()
    named = _named(entries, name)
    if len(named) == 1:
        return home.log(named[0])
    if "/" in name and (file := home.log(str(PluginId.parse(name)))).is_file():
        return file
    why = f"{len(named)} plugins are called {name!r}" if named else f"no plugin {name!r} is installed"
    known = ", ".join(sorted(each.mount for each in entries)[:20]) or "none"
    raise UnknownPlugin(f"{why}; installed are: {known}", remedy="`somnus-plugins list` shows ids and mounts.")


def _named(entries: list[Entry], name: str) -> list[str]:
    """Ids of the plugins that may be meant: one by id or mount, else all of this name."""
    exact = [each.id for each in entries if name in (each.id, each.mount)]
    return exact or [each.id for each in entries if each.id.rpartition("/")[2] == name]


def newest(file: Path, count: int, *, rotated: int = 0) -> list[LogLine]:
    """The newest lines, oldest first, from the file and as many of its rotated ones as it takes.

    Args:
        file: The log.
        count: Lines at most.
        rotated: Begin with the file that was rotated this often.
    """
    found: list[LogLine] = []
    while len(found) < count:
        part = file.with_name(f"{file.name}.{rotated}") if rotated else file
        if not part.is_file():
            break
        with part.open("rb") as source:
            found = [*_decoded(deque(source, maxlen=count - len(found))), *found]
        rotated += 1
    return found


class Tail:
    """A log that is being written; follows it when it is rotated, and waits for one that is not there yet.

    Args:
        file: The log.
        from_end: Leave out what is there already.
    """

    def __init__(self, file: Path, *, from_end: bool = False) -> None:
        self._file = file
        self._descriptor: int | None = None
        self._rest = b""
        if file.is_file():
            self._descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END if from_end else os.SEEK_SET)

    def first(self, count: int) -> list[LogLine]:
        """The newest lines that are there now, oldest first; `lines` goes on behind them."""
        here = list(deque(self.lines(), maxlen=count))
        return [*newest(self._file, count - len(here), rotated=1), *here]

    def lines(self) -> Iterator[LogLine]:
        """What has come since the last time."""
        while True:
            yield from self._read()
            if self._is_current():
                return
            self.close()
            self._descriptor, self._rest = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC), b""

    def close(self) -> None:
        """Follow no longer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> Iterator[LogLine]:
        while self._descriptor is not None and (data := os.read(self._descriptor, READ_BYTES)):
            *complete, self._rest = (self._rest + data).split(b"\n")
            yield from _decoded(complete)

    def _is_current(self) -> bool:
        """Whether the file that is open is the one of this name."""
        try:
            now = self._file.stat()
        except FileNotFoundError:
            return True
        if self._descriptor is None:
            return False
        ours = os.fstat(self._descriptor)
        return (ours.st_dev, ours.st_ino) == (now.st_dev, now.st_ino)


def _decoded(lines: Iterable[bytes]) -> Iterator[LogLine]:
    for line in lines:
        try:
            yield _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # half a line, from a machine that lost its power


def shown(line: LogLine) -> Text:
    """One line for a person: when, who said it, what."""
    from rich.text import Text

    source = {"log": line.logger or "log", "host": "somnus"}.get(line.stream, line.stream)
    style = _STYLES.get(line.level, "")
    return Text.assemble(
        (f"{terminal.clock(line.time_s)} ", "dim"),
        (f"{line.level[:7]:<7} ", style) if line.level else "        ",
        (f"{terminal.one_line(source)}: ", "dim"),
        (terminal.safe(line.message).replace("\n", CONTINUED), style if style != "dim" else ""),
    )
