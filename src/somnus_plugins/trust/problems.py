"""Problems: what was found, where, and what is allowed. All rules of this house report in this one form."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from somnus_plugins.errors import SomnusError

__all__ = [
    "PROBLEMS_MAX",
    "Misfit",
    "Place",
    "Problem",
    "Problems",
    "describe",
    "key_path",
    "nearest",
    "printable",
    "words",
]

FOUND_MAX_CHARS: Final = 80
"""Longest piece of an author's text that a problem quotes: enough to recognise it, too little to flood a terminal."""

TEXT_MAX_CHARS: Final = 2_000
"""Longest sentence of a problem: long enough for a list of all keys, and the names in it may be an attacker's."""

PROBLEMS_MAX: Final = 100
"""Problems that are listed of one file. Nobody reads more, and a hostile file could have a hundred thousand."""

MESSAGE_MAX_PROBLEMS: Final = 20
"""Problems that the message itself lists: a screen full. `data` has the others."""

NEAREST_MAX_CHARS: Final = 64
"""Longest name for which the nearest known one is looked for: the comparison takes quadratic time."""

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BIGGEST_INTEGER: Final = 2**63


class Misfit(ValueError):
    """A value does not fit; says what would.

    Args:
        allowed: What is allowed instead. Empty leaves it to the rule that asked.
        hint: What the author probably meant, or can do.
        found: Instead of a description of the value itself.
    """

    def __init__(self, allowed: str = "", hint: str = "", found: str = "") -> None:
        super().__init__(allowed or hint)
        self.allowed = allowed
        self.hint = hint
        self.found = found


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule."""

    file: str
    """Where it was found; a file name, or what stands for one."""
    key: str
    """Path of the key, dotted; empty for the file as a whole."""
    found: str
    """What stands there, quoted and cut."""
    allowed: str
    """What may stand there."""
    hint: str = ""
    """What was probably meant, or what to do; empty where nothing sensible can be said."""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.key or self.file}: found {self.found}; allowed: {self.allowed}{hint}"

    def to_record(self) -> dict[str, str]:
        """The problem as JSON-compatible text fields; without `hint` where there is none."""
        return {name: value for name, value in asdict(self).items() if value or name != "hint"}


@dataclass(slots=True)
class Problems:
    """The problems of one file, collected so that an author sees all of them at once."""

    file: str
    found: list[Problem] = field(default_factory=list)
    total: int = 0
    """Problems that were met, listed or not."""

    def add(self, key: str, found: str, allowed: str, hint: str = "") -> None:
        """Note a problem; beyond `PROBLEMS_MAX` it is only counted."""
        self.total += 1
        if not self.full:
            texts = [printable(each, TEXT_MAX_CHARS) for each in (found, allowed, hint)]
            self.found.append(Problem(self.file, key, *texts))

    @property
    def full(self) -> bool:
        """Whether a further problem would only be counted."""
        return len(self.found) >= PROBLEMS_MAX

    def raise_any(self, error: type[SomnusError], remedy: str) -> None:
        """Raise `error` with every problem in its message and in `data["problems"]`; do nothing where there is none.

        Args:
            error: Class of the tree.
            remedy: Said where no problem carries a hint of its own.
        """
        if not self.found:
            return
        lines = [str(each) for each in self.found[:MESSAGE_MAX_PROBLEMS]]
        if self.total > len(lines):
            lines.append(f"and {self.total - len(lines)} more")
        message = (
            f"{self.file}: {lines[0]}"
            if len(lines) == 1
            else "\n  - ".join([f"{self.file} has {self.total} problems:", *lines])
        )
        hints = list(dict.fromkeys(each.hint for each in self.found if each.hint))
        own = f"{hints[0][0].upper()}{hints[0][1:]}." if len(self.found) == 1 and hints else remedy
        raise error(message, remedy=own, data={"problems": [each.to_record() for each in self.found]})


@dataclass(frozen=True, slots=True)
class Place:
    """A key of a file that is being read."""

    problems: Problems
    key: str = ""

    def at(self, *segments: str | int) -> Place:
        """The place below this one."""
        return Place(self.problems, key_path(self.key, *segments))

    def refuse(self, value: object, misfit: Misfit, allowed: str = "") -> None:
        """Note that the value does not fit; `allowed` is what the misfit itself leaves open."""
        self.problems.add(self.key, misfit.found or describe(value), misfit.allowed or allowed, misfit.hint)

    def refuse_missing(self, allowed: str) -> None:
        """Note that there must be a value."""
        self.problems.add(self.key, "nothing", allowed, "this key is required")

    def refuse_unknown(self, name: str, known: Collection[str]) -> None:
        """Note that there is no such key below this place, and which one comes nearest."""
        near = "" if self.problems.full else nearest(name, known)
        hint = f"the nearest known key is {near}" if near else ""
        self.problems.add(key_path(self.key, name), "an unknown key", ", ".join(sorted(known)) or "no key", hint)


def describe(value: object) -> str:
    """A value of TOML or JSON in words that are safe to print: short, and without characters that act on a terminal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _BIGGEST_INTEGER else "an integer of more than 64 bits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"a table with {len(value)} keys" if isinstance(value, dict) else f"a {type(value).__name__}"


def printable(text: str, max_chars: int = FOUND_MAX_CHARS) -> str:
    """The text cut to `max_chars`, with control and direction characters written as escapes."""
    cut = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:max_chars]
    )
    return cut + ("…" if len(text) > max_chars else "")


def key_path(*segments: str | int) -> str:
    """Segments as one dotted path; the first is taken as it is, odd keys are quoted, numbers become `[0]`."""
    first, *others = segments
    path = str(first)
    for each in others:
        if isinstance(each, int):
            path += f"[{each}]"
        else:
            word = each if _BARE_KEY.fullmatch(each) else json.dumps(each)
            word = word if len(word) <= FOUND_MAX_CHARS else word[:FOUND_MAX_CHARS] + "…"
            path += f".{word}" if path else word
    return path


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that looks most like `name`; empty where none does."""
    if len(name) > NEAREST_MAX_CHARS:
        return ""
    plain = name.lower().replace("-", "_")
    by_plain = {each.lower().replace("-", "_"): each for each in sorted(known)}
    return next((by_plain[each] for each in difflib.get_close_matches(plain, by_plain, n=1, cutoff=0.5)), "")


def words(names: Collection[Any]) -> str:
    """Names as a sentence part: `a, b or c`."""
    listed = [str(each) for each in names]
    return " or ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else "".join(listed)
