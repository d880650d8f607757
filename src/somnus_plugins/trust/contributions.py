"""`contributions.json`: writing it in one canonical form, reading it as hostile bytes, comparing two of them.

The content comes from a plugin's process. What is checked here is what others rely on without running the plugin:
names that are safe in URLs, topics that are topics, one meaning for each name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from somnus_plugins.errors import InvalidManifest
from somnus_plugins.trust.manifest.terms import parse_event_pattern
from somnus_plugins.trust.problems import Misfit, Place, Problems, printable
from somnus_plugins.wire.contributions import Contributions, Route, Schedule, Subscription, Tool

__all__ = [
    "CONTRIBUTIONS_FILE",
    "CONTRIBUTIONS_MAX_BYTES",
    "ContributionChange",
    "ContributionsDiff",
    "check",
    "compare",
    "dump",
    "is_same",
    "load",
]

CONTRIBUTIONS_FILE: Final = "contributions.json"

CONTRIBUTIONS_MAX_BYTES: Final = 4 * 1024 * 1024
"""Largest file, in bytes. The OpenAPI document of a large application has about one million."""

CONTRIBUTIONS_MAX_ITEMS: Final = 1_000
"""Tools, routes, subscriptions or schedules of one plugin, each. Every one of them costs the host an entry."""

REMEDY: Final = "The file is generated: make it anew with `somnus-plugins dev` or `pack`."

Entry = Tool | Route | Subscription | Schedule

_FINGERPRINT: Final = re.compile("[0-9a-f]{64}")
_METHOD_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")
_TOOL_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,63}")
_ROUTE_PATH: Final = re.compile(r"/[^\s?#\\\x00-\x1f]{0,1023}")
_HTTP_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_CRON_FIELDS: Final = (5, 6)


def dump(contributions: Contributions) -> bytes:
    """The file's content: the same contributions always give the same bytes.

    Keys, tools, subscriptions and schedules are sorted. Routes are not: the first that fits answers.

    Raises:
        InvalidManifest: `load` would refuse it.
    """
    check(contributions)
    sorted_lists = msgspec.structs.replace(
        contributions,
        tools=tuple(sorted(contributions.tools, key=_name)),
        subscriptions=tuple(sorted(contributions.subscriptions, key=_name)),
        schedules=tuple(sorted(contributions.schedules, key=_name)),
    )
    problems = Problems(CONTRIBUTIONS_FILE)
    content = b""
    try:
        typed = msgspec.convert(msgspec.to_builtins(sorted_lists), Contributions)  # 5 and 5.0 become the same
        record = msgspec.to_builtins(typed) | {"format": typed.format}
        content = msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1) + b"\n"
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:  # the wire carries more than JSON
        problems.add("", printable(str(error), 200), "values of JSON")
    _check_size(content, problems)
    problems.raise_any(InvalidManifest, REMEDY)
    return content


def load(content: bytes, file: str = CONTRIBUTIONS_FILE) -> Contributions:
    """The contributions that the file's content says. Any content is safe.

    Raises:
        InvalidManifest: It is too large, not JSON, or not contributions; `data["problems"]` says where.
    """
    problems = Problems(file)
    found: Contributions | None = None
    _check_size(content, problems)
    problems.raise_any(InvalidManifest, REMEDY)
    try:
        found = msgspec.json.decode(content, type=Contributions)
    except msgspec.ValidationError as error:
        reason, _, key = str(error).partition(" - at `$")
        problems.add(printable(key.strip(".`")), printable(reason, 200), "contributions of format 1")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problems.add("", printable(str(error), 200), "JSON")
    problems.raise_any(InvalidManifest, REMEDY)
    assert found is not None  # noqa: S101 - None comes with a problem
    check(found, file)
    return found


def check(contributions: Contributions, file: str = CONTRIBUTIONS_FILE) -> None:
    """Check what types alone do not say, also of a worker's answer that was never a file.

    Raises:
        InvalidManifest: `data["problems"]` lists every problem.
    """
    problems = Problems(file)
    top = Place(problems)
    if not _FINGERPRINT.fullmatch(contributions.fingerprint):
        top.at("fingerprint").refuse(contributions.fingerprint, Misfit("64 hexadecimal digits"))
    for section, entries in _sections(contributions).items():
        place = top.at(section)
        if len(entries) > CONTRIBUTIONS_MAX_ITEMS:
            place.refuse(entries, Misfit(f"at most {CONTRIBUTIONS_MAX_ITEMS} entries"))
            continue
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            if (name := _name(entry)) in seen and section != "routes":  # FastAPI has routes twice: the first answers
                place.at(index).refuse(name, Misfit("each one once"))
            seen.add(name)
            for key, value, allowed in _faults(entry):
                place.at(index, key).refuse(value, Misfit(allowed))
    problems.raise_any(InvalidManifest, REMEDY)


def _check_size(content: bytes, problems: Problems) -> None:
    if len(content) > CONTRIBUTIONS_MAX_BYTES:
        problems.add("", f"{len(content)} bytes", f"at most {CONTRIBUTIONS_MAX_BYTES} bytes")


def is_same(announced_fingerprint: str, contributions: Contributions) -> bool:
    """Whether a started plugin announces what was written down of it."""
    return announced_fingerprint == contributions.fingerprint


@dataclass(frozen=True, slots=True)
class ContributionChange:
    """One difference between two versions of a plugin."""

    kind: Literal["added", "removed", "changed"]
    section: Literal["tool", "route", "subscription", "schedule", "settings"]
    name: str
    """What changed: a tool's name, `GET /path`, `pattern → method`, a settings key."""
    details: tuple[str, ...] = ()
    """Which parts of it, where it was changed."""

    def __str__(self) -> str:
        details = f": {', '.join(self.details)}" if self.details else ""
        return f"{self.kind} {self.section} {self.name}{details}"


@dataclass(frozen=True, slots=True)
class ContributionsDiff:
    """What differs between two versions of a plugin. False where nothing does."""

    changes: tuple[ContributionChange, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def of(self, kind: str, section: str = "") -> tuple[str, ...]:
        """Names of what was `added`, `removed` or `changed`, in one section or in all."""
        return tuple(each.name for each in self.changes if each.kind == kind and section in ("", each.section))

    def lines(self) -> tuple[str, ...]:
        """The changes for a person, one a line, in a stable order."""
        return tuple(map(str, self.changes))


def compare(old: Contributions, new: Contributions) -> ContributionsDiff:
    """What the new contributions add, remove and change. Descriptions count: a model acts on them."""
    changes: list[ContributionChange] = []
    for (section, before), after in zip(_sections(old).items(), _sections(new).values(), strict=True):
        singular: Any = section.removesuffix("s")
        changes += _changes(singular, {_name(each): each for each in before}, {_name(each): each for each in after})
    changes += _changes("settings", _properties(old), _properties(new))
    return ContributionsDiff(tuple(changes))


def _changes(section: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContributionChange]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield ContributionChange("added", section, name)
        elif name not in new:
            yield ContributionChange("removed", section, name)
        elif old[name] != new[name]:
            before, after = (_parts(each[name]) for each in (old, new))
            parts = tuple(key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key))
            yield ContributionChange("changed", section, name, parts)


def _parts(entry: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(entry) if isinstance(entry, msgspec.Struct) else dict(entry)


def _properties(contributions: Contributions) -> dict[str, dict[str, Any]]:
    """Settings key → its schema, with whether it must be given."""
    schema = contributions.config_schema or {}
    required = schema.get("required")
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {
        name: (each if isinstance(each, dict) else {"schema": each})
        | {"required": isinstance(required, list) and name in required}
        for name, each in properties.items()
    }


def _sections(contributions: Contributions) -> dict[str, tuple[Entry, ...]]:
    return {
        "tools": contributions.tools,
        "routes": contributions.routes,
        "subscriptions": contributions.subscriptions,
        "schedules": contributions.schedules,
    }


def _name(entry: Entry) -> str:
    """What makes an entry the same one in another version."""
    match entry:
        case Tool():
            return entry.name
        case Route():
            return f"{'WEBSOCKET' if entry.websocket else ' '.join(entry.methods)} {entry.path}"
        case Subscription():
            return f"{entry.pattern} → {entry.method}"
        case Schedule():
            return f"{entry.method} " + (f"at {entry.cron}" if entry.every_s is None else f"every {entry.every_s:g} s")


Faults = Iterator[tuple[str, Any, str]]
"""Key, value and what is allowed, of everything in an entry that is wrong."""


def _faults(entry: Entry) -> Faults:
    match entry:
        case Tool():
            return _tool_faults(entry)
        case Route():
            return _route_faults(entry)
        case Subscription():
            return _subscription_faults(entry)
        case Schedule():
            return _schedule_faults(entry)


def _tool_faults(tool: Tool) -> Faults:
    if not _TOOL_NAME.fullmatch(tool.name):
        yield "name", tool.name, "letters, digits, '_' and '-', a letter first, at most 64 characters"
    if tool.timeout_s is not None and not 0 < tool.timeout_s < math.inf:
        yield "timeout_s", tool.timeout_s, "seconds, more than 0"
    if tool.input_schema.get("type", "object") != "object":
        yield "input_schema", tool.input_schema, "the schema of an object"


def _route_faults(route: Route) -> Faults:
    if not _ROUTE_PATH.fullmatch(route.path):
        yield "path", route.path, "a path that begins with '/', without spaces and control characters"
    if not set(route.methods) <= _HTTP_METHODS or bool(route.methods) == route.websocket:
        yield "methods", " ".join(route.methods), "HTTP methods in upper case; none for a WebSocket"


def _subscription_faults(subscription: Subscription) -> Faults:
    yield from _method_faults(subscription.method)
    try:
        parse_event_pattern(subscription.pattern)
    except Misfit as misfit:
        yield "pattern", subscription.pattern, misfit.allowed


def _schedule_faults(schedule: Schedule) -> Faults:
    yield from _method_faults(schedule.method)
    if (schedule.every_s is None) == (schedule.cron is None):
        yield "every_s", schedule.every_s, "exactly one of every_s and cron"
    if schedule.every_s is not None and not 0 < schedule.every_s < math.inf:
        yield "every_s", schedule.every_s, "seconds, more than 0"
    if schedule.cron is not None and len(schedule.cron.split()) not in _CRON_FIELDS:
        yield "cron", schedule.cron, "a cron expression of five fields, or six with seconds"


def _method_faults(name: str) -> Faults:
    if not _METHOD_NAME.fullmatch(name):
        yield "method", name, "the name of a Python method"
