"""Who may pass where: every way into the host over HTTP, in one table.

A way that is not in the table does not exist: the routes are made from it.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from somnus_plugins.errors import ConsentRequired, InvalidInput

__all__ = ["WAYS", "Area", "Clearance", "Way", "ways"]

Given = dict[str, Any]


class Clearance(enum.StrEnum):
    """Who passes."""

    PUBLIC = "public"
    """Everybody: nothing behind it is a secret, and nothing is changed."""
    USER = "user"
    """Who the application's login lets in, or who has the token; routes that a plugin made public with a person's
    consent take everybody."""
    ADMIN = "admin"
    """Who may operate the host: the application's `admin`, or who has the token."""


class Area(enum.StrEnum):
    """Below which prefix a way lies."""

    PAGE = "page"
    PLUGINS = "plugins"
    API = "api"


def _together(path: Given, given: Given) -> Given:
    twice = sorted(path.keys() & given.keys())
    if twice:
        raise InvalidInput(f"`{twice[0]}` is said twice: the path says it already")
    return {**path, **given}


def _planned(path: Given, given: Given) -> Given:
    source = given.get("source")
    if not isinstance(source, str):
        raise InvalidInput("`source` is missing; it names a directory on the host's machine")
    return {**given, "source": os.path.abspath(source)}


def _agreed(path: Given, given: Given) -> Given:
    if not isinstance(given.get("agreed"), str):
        raise ConsentRequired(
            "`agreed` is missing", remedy="Send the `hash` of the plan that a person has read and agreed to."
        )
    return given


def _merged(path: Given, given: Given) -> Given:
    """RFC 7396: a value of null takes a setting back."""
    return {
        **path,
        "values": {key: value for key, value in given.items() if value is not None},
        "remove": [key for key, value in given.items() if value is None],
    }


@dataclass(frozen=True, slots=True)
class Way:
    """One route of ours."""

    method: str
    """`*` for all, WebSockets included."""
    path: str
    """Below the area's prefix; `{plugin}` is an id or a mount."""
    gate: Clearance
    area: Area = Area.API
    operation: str = ""
    """Of `host.operations`; empty where the way is no operation."""
    arguments: Callable[[Given, Given], Given] = _together
    """Makes the operation's arguments of what the path says and of what the body says; for `GET`, the query."""
    media_type: str = "application/json"
    """Of the body, where there is one."""


_PLUGIN: Final = "/plugins/{plugin}"

WAYS: Final[tuple[Way, ...]] = (
    Way("GET", "/", Clearance.PUBLIC, Area.PAGE),
    Way("GET", "/assets/{name}", Clearance.PUBLIC, Area.PLUGINS),
    Way("POST", "/{mount}/tools/{tool}", Clearance.USER, Area.PLUGINS),
    Way("*", "/{mount}/{path}", Clearance.USER, Area.PLUGINS),
    Way("POST", "/session", Clearance.PUBLIC),
    Way("DELETE", "/session", Clearance.PUBLIC),
    Way("GET", "/status", Clearance.ADMIN, operation="status"),
    Way("GET", "/plugins", Clearance.ADMIN, operation="plugins"),
    Way("POST", "/plans", Clearance.ADMIN, operation="plan", arguments=_planned),
    Way("POST", "/plans/apply", Clearance.ADMIN, operation="apply", arguments=_agreed),
    Way("POST", "/events", Clearance.ADMIN, operation="publish"),
    Way("GET", f"{_PLUGIN}/config", Clearance.ADMIN, operation="config"),
    Way(
        "PATCH",
        f"{_PLUGIN}/config",
        Clearance.ADMIN,
        operation="configure",
        arguments=_merged,
        media_type="application/merge-patch+json",
    ),
    Way("GET", f"{_PLUGIN}/logs", Clearance.ADMIN, operation="logs"),
    Way("POST", f"{_PLUGIN}/enable", Clearance.ADMIN, operation="enable"),
    Way("POST", f"{_PLUGIN}/disable", Clearance.ADMIN, operation="disable"),
    Way("POST", f"{_PLUGIN}/restart", Clearance.ADMIN, operation="restart"),
    Way("GET", _PLUGIN, Clearance.ADMIN, operation="info"),
    Way("DELETE", _PLUGIN, Clearance.ADMIN, operation="uninstall"),
)


def ways(area: Area) -> tuple[Way, ...]:
    """The ways of one area, in the order in which they are tried."""
    return tuple(way for way in WAYS if way.area is area)
