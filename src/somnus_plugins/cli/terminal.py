"""What is written: consoles, words of strangers made harmless, JSON.

A plugin, its manifest and its errors may hold any character. What goes to a terminal passes `safe` or `one_line`, and
consoles read no markup; JSON writes what does not print as an escape, which every JSON reader undoes.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "STATE_STYLES",
    "ago",
    "clock",
    "coloured",
    "columns",
    "console",
    "count",
    "fields",
    "indented",
    "json_text",
    "one_line",
    "safe",
    "state",
    "text",
    "write_json",
    "write_text",
]

STATE_STYLES: Final = {"running": "green", "asleep": "cyan", "needs you": "yellow", "failed": "red", "off": "dim"}
"""Each of the five words that people are shown, and its colour."""

COLOURED_MAX_CHARS: Final = 200_000
"""Longest JSON text that is coloured: beyond it colouring takes seconds and nobody reads it."""

_SECOND_STEPS: Final = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (float("inf"), 86_400, "d"))
_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e\n]")


def console(*, errors: bool = False) -> Console:
    """A console on standard output or standard error that takes text as it is: no markup, no emoji codes, no guesses.

    Colour and width follow the terminal and `NO_COLOR`, `COLUMNS`.
    """
    from rich.console import Console

    return Console(stderr=errors, markup=False, emoji=False, highlight=False)


def safe(value: object) -> str:
    """The value as text that cannot steer a terminal; its line breaks stay."""
    from somnus_plugins.runtime.logs import escaped

    return escaped(str(value))


def one_line(value: object) -> str:
    """The same in one line."""
    return " ".join(safe(value).split())


def indented(content: RenderableType) -> RenderableType:
    """The content two columns to the right."""
    from rich.padding import Padding

    return Padding(content, (0, 0, 0, 2))


def text(value: object, style: str = "") -> Text:
    """One line of anybody's words, ready to print; blanks around it are gone."""
    from rich.text import Text

    return Text(one_line(value), style=style)


def state(word: str) -> Text:
    """One of the five words, in its colour."""
    return text(word, STATE_STYLES.get(word, ""))


def columns(*heads: str, folded: int = -1) -> Table:
    """An empty table without lines.

    Args:
        heads: A head for each column.
        folded: Which column gives way when the terminal is narrow; its cells go on in the next line.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, head in enumerate(heads):
        gives_way = number == folded % len(heads)
        table.add_column(head, no_wrap=not gives_way, overflow="fold" if gives_way else "ellipsis")
    return table


def fields(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names and values below each other; pairs without a value are left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value not in ("", None):
            table.add_row(name, value if isinstance(value, Text) else text(value))
    return table


def count(number: int, noun: str) -> str:
    """`1 tool`, `2 tools`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ago(seconds: float) -> str:
    """A span of time in one rounded number: `4 s`, `3 min`, `2 h`, `5 d`."""
    unit, name = next((unit, name) for below, unit, name in _SECOND_STEPS if seconds < below)
    return f"{max(0, int(seconds // unit))} {name}"


def clock(time_s: float) -> str:
    """A moment on this machine's clock; with its date where that is not today's."""
    moment = time.localtime(time_s)
    today = time.localtime()[:3] == moment[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", moment)


def json_text(value: Any, *, indented: bool = False) -> str:
    """The value as JSON that may be sent to a terminal.

    Args:
        value: Anything that `msgspec` can write.
        indented: For people: over several lines.

    Raises:
        InvalidResult: JSON cannot hold it.
    """
    import msgspec

    from somnus_plugins.errors import InvalidResult

    try:
        encoded = msgspec.json.encode(value)
        decoded = (msgspec.json.format(encoded, indent=2) if indented else encoded).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as bytes on the command line that are no UTF-8 become
        import json

        decoded = json.dumps(msgspec.to_builtins(value), indent=2 if indented else None)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidResult(
            f"the answer cannot be written as JSON: {error}", remedy="Take it in Python, with `PluginHost.call`."
        ) from error
    return _NOT_PLAIN.sub(_as_it_prints, decoded)


def _as_it_prints(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def write_json(value: Any) -> None:
    """Write the value to standard output as one JSON document: in one line, or indented where a person looks."""
    write_text(json_text(value, indented=sys.stdout.isatty()))


def write_text(line: RenderableType) -> None:
    """Write a line to standard output at once, as it is: never wrapped or cut, coloured only as it already is."""
    if isinstance(line, str):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    else:
        console().print(line, soft_wrap=True)


def coloured(document: str) -> RenderableType:
    """JSON for people, in colour where it is short enough."""
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    shown = Text(document)
    if len(document) <= COLOURED_MAX_CHARS:
        JSONHighlighter().highlight(shown)
    return shown
