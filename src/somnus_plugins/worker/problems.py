"""What is wrong with a value, for the one who gave it: path, what was found, what is allowed."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import ValidationError

__all__ = ["path_text", "problem_text", "problems"]

PROBLEMS_MAX: Final = 50
"""Problems that are listed: a list of a million wrong items makes a million."""
SPOKEN_MAX: Final = 5
"""Problems that the message itself names."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


def problems(error: ValidationError, allowed: Sequence[str] = ()) -> list[dict[str, str]]:
    """The problems of a value that did not fit, at most `PROBLEMS_MAX`.

    Args:
        error: What pydantic found.
        allowed: Names that the outermost object may have.
    """
    found = error.errors(include_url=False, include_context=False)[:PROBLEMS_MAX]
    return [_problem(each, allowed) for each in found]


def _problem(detail: Any, allowed: Sequence[str]) -> dict[str, str]:
    location = detail["loc"]
    match detail["type"], location:
        case "extra_forbidden", (str(name),):
            near = difflib.get_close_matches(name, allowed, n=1)
            names = ", ".join(allowed) or "no argument at all"
            hint = f"{near[0]} (the nearest), of {names}" if near else names
            return {"path": path_text(location), "found": f"unknown argument {name!r}", "allowed": hint}
        case "missing", _:
            return {"path": path_text(location), "found": "nothing", "allowed": "a value, as there is no default"}
    text = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return {"path": path_text(location), "found": _short.repr(detail["input"]), "allowed": text}


def path_text(location: Iterable[str | int]) -> str:
    """`$.items[3].name` for `("items", 3, "name")`."""
    return "$" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)


def problem_text(found: Sequence[dict[str, str]]) -> str:
    """The first few problems as one line for a person."""
    spoken = [f"{each['path']}: found {each['found']}; allowed: {each['allowed']}" for each in found[:SPOKEN_MAX]]
    more = len(found) - len(spoken)
    return " · ".join(spoken) + (f" · and {more} more" if more else "")
