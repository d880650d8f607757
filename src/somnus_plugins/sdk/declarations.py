"""The decorators: they mark a method and return it unchanged.

A mark is a tuple of declarations on the function; who loads the class reads them with `declared_methods`. One method
may carry several: a tool can also be a route.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, Final, NamedTuple, TypeVar, overload

import msgspec

from somnus_plugins.errors import InvalidPlugin

__all__ = [
    "Declaration",
    "DeclaredMethod",
    "RouteDeclaration",
    "ScheduleDeclaration",
    "SubscriptionDeclaration",
    "ToolDeclaration",
    "cron",
    "declared_methods",
    "delete",
    "every",
    "get",
    "on",
    "patch",
    "post",
    "put",
    "seconds",
    "tool",
    "websocket",
]

F = TypeVar("F", bound=Callable[..., Any])

MARK: Final = "__somnus_plugins__"
TOOL_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
PATTERN: Final = re.compile(r"(?:\*|[A-Za-z0-9_-]+)(?:\.(?:\*|[A-Za-z0-9_-]+))*")
DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")
FIVE_FIELDS: Final = re.compile(r"\s*\S+(?:\s+\S+){4}\s*")
PATH: Final = re.compile(r"/.*")
UNIT_S: Final = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)


class ToolDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """A method that models and people call."""

    name: str
    title: str
    read_only: bool
    idempotent: bool
    timeout_s: float | None


class RouteDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """A method that answers HTTP requests or serves WebSockets."""

    verb: str
    """Name of FastAPI's decorator: `get`, `post`, …, `websocket`."""
    path: str
    keywords: dict[str, Any]
    """For FastAPI, as the author wrote them."""


class SubscriptionDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """A method that is called for events."""

    pattern: str


class ScheduleDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """A method that is called by time; exactly one of the two is set."""

    every_s: float | None = None
    cron: str | None = None


Declaration = ToolDeclaration | RouteDeclaration | SubscriptionDeclaration | ScheduleDeclaration


class DeclaredMethod(NamedTuple):
    """A method of a class with one of its declarations."""

    attribute: str
    function: FunctionType
    declaration: Declaration


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    read_only: bool = ...,
    idempotent: bool = ...,
    name: str = ...,
    title: str = ...,
    timeout_s: float | None = ...,
) -> Callable[[F], F]: ...


def tool(
    function: F | None = None,
    /,
    *,
    read_only: bool = False,
    idempotent: bool = False,
    name: str = "",
    title: str = "",
    timeout_s: float | None = None,
) -> F | Callable[[F], F]:
    """Make a method callable for models, people and other plugins.

    Its docstring is the description, its annotations are the schema of arguments and result. A generator is a stream.

    Args:
        function: Given by Python where the decorator stands without parentheses.
        read_only: It changes nothing.
        idempotent: Calling twice with the same arguments is the same as calling once: such a call may be retried.
        name: Instead of the method's name.
        title: Name for people.
        timeout_s: Seconds a call may take; None leaves it to the plugin's limits.

    Raises:
        InvalidPlugin: The name or the timeout is not allowed.
    """

    def mark(method: F) -> F:
        chosen = name or getattr(method, "__name__", "")
        if not TOOL_NAME.fullmatch(chosen):
            raise InvalidPlugin(
                f"@tool: {chosen!r} is not a name of a tool; allowed are up to 64 ASCII letters, digits, '_' and '-', "
                "beginning with a letter",
                remedy='Choose another one: @tool(name="…").',
            )
        if timeout_s is not None and not timeout_s > 0:
            raise InvalidPlugin(
                f"@tool {chosen}: timeout_s={timeout_s!r}; allowed is a number of seconds above 0, or None"
            )
        return _marked(
            method,
            ToolDeclaration(name=chosen, title=title, read_only=read_only, idempotent=idempotent, timeout_s=timeout_s),
        )

    return mark if function is None else mark(function)


def get(path: str, **keywords: Any) -> Callable[[F], F]:
    """Answer GET requests; `keywords` are FastAPI's, as are the method's parameters."""
    return _route("get", path, keywords)


def post(path: str, **keywords: Any) -> Callable[[F], F]:
    """Answer POST requests; `keywords` are FastAPI's, as are the method's parameters."""
    return _route("post", path, keywords)


def put(path: str, **keywords: Any) -> Callable[[F], F]:
    """Answer PUT requests; `keywords` are FastAPI's, as are the method's parameters."""
    return _route("put", path, keywords)


def patch(path: str, **keywords: Any) -> Callable[[F], F]:
    """Answer PATCH requests; `keywords` are FastAPI's, as are the method's parameters."""
    return _route("patch", path, keywords)


def delete(path: str, **keywords: Any) -> Callable[[F], F]:
    """Answer DELETE requests; `keywords` are FastAPI's, as are the method's parameters."""
    return _route("delete", path, keywords)


def websocket(path: str, **keywords: Any) -> Callable[[F], F]:
    """Serve WebSockets; `keywords` are FastAPI's, as are the method's parameters."""
    return _route("websocket", path, keywords)


def on(pattern: str) -> Callable[[F], F]:
    """Be called for events whose topic fits: `memory.stored`, or `notes.*`. The method takes an `Event`.

    Raises:
        InvalidPlugin: The pattern is not one.
    """
    if not _fits(PATTERN, pattern):
        raise InvalidPlugin(
            f"@on: {pattern!r} is not a pattern; allowed are names of ASCII letters, digits, '_' and '-', or '*', "
            "joined by dots",
            remedy='For example @on("memory.stored") or @on("notes.*").',
        )
    return lambda method: _marked(method, SubscriptionDeclaration(pattern=pattern))


def every(interval: str) -> Callable[[F], F]:
    """Be called again and again: `500ms`, `15s`, `15m`, `2h30m`, `1d`.

    Raises:
        InvalidPlugin: The interval is not one.
    """
    every_s = seconds(interval)
    return lambda method: _marked(method, ScheduleDeclaration(every_s=every_s))


def cron(expression: str) -> Callable[[F], F]:
    """Be called at the times of a cron expression, in the host's time zone: `0 7 * * *`.

    Raises:
        InvalidPlugin: It has not five fields. What stands in them is checked when the plugin is described.
    """
    if not _fits(FIVE_FIELDS, expression):
        raise InvalidPlugin(
            f"@cron: {expression!r} is not a cron expression; allowed are five fields: minute, hour, day, month, "
            "weekday",
            remedy='For example @cron("0 7 * * *") for every day at seven.',
        )
    return lambda method: _marked(method, ScheduleDeclaration(cron=" ".join(expression.split())))


def seconds(interval: str) -> float:
    """Seconds of an interval such as `2h30m`.

    Raises:
        InvalidPlugin: It is none, or is zero.
    """
    found = DURATION.fullmatch(interval) if _fits(DURATION, interval) else None
    total = sum(int(count or 0) * unit_s for count, unit_s in zip(found.groups(), UNIT_S, strict=True)) if found else 0
    if not total:
        raise InvalidPlugin(
            f"@every: {interval!r} is not an interval; allowed are whole numbers with d, h, m, s and ms, the largest "
            "first, above zero in sum",
            remedy='For example "500ms", "15s", "15m", "2h30m" or "1d".',
        )
    return total


def declared_methods(kind: type) -> Iterator[DeclaredMethod]:
    """Every declared method of a class and its bases, in the order in which they were written, bases first.

    A method that a subclass replaces without a decorator is no longer declared.

    Raises:
        InvalidPlugin: A decorator stands on something that is not an ordinary method.
    """
    found: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        found.update(vars(each))
    for attribute, value in found.items():
        marks = getattr(getattr(value, "__func__", value), MARK, None)
        if not isinstance(marks, tuple):
            continue
        if not isinstance(value, FunctionType):
            raise InvalidPlugin(
                f"{kind.__name__}.{attribute} is declared, but is a {type(value).__name__}; allowed is an ordinary "
                "method with `self`",
                remedy=f"Remove what wraps {attribute}, or put the decorator of the SDK on a method of its own.",
            )
        for declaration in marks:
            yield DeclaredMethod(attribute, value, declaration)


def _fits(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _marked(method: F, declaration: Declaration) -> F:
    if not isinstance(method, FunctionType):
        raise InvalidPlugin(
            f"a decorator of the SDK stands on a {type(method).__name__}; allowed is an ordinary method",
            remedy="Let it be the outermost decorator of `def` or `async def`.",
        )
    earlier: tuple[Declaration, ...] = getattr(method, MARK, ())
    setattr(method, MARK, (declaration, *earlier))
    return method


def _route(verb: str, path: str, keywords: dict[str, Any]) -> Callable[[F], F]:
    if not _fits(PATH, path):
        raise InvalidPlugin(
            f"@{verb}: {path!r} is not a path; allowed is text that begins with a slash",
            remedy=f'For example @{verb}("/search").',
        )
    return lambda method: _marked(method, RouteDeclaration(verb=verb, path=path, keywords=keywords))
