"""What a plugin adds, as records: the answer of a worker to `describe`, and the content of `contributions.json`.

Made by starting the plugin once, confined and without grants. Everything that is said about a plugin that is not
running comes from here, so tools, routes and OpenAPI exist while it sleeps.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Contributions", "Route", "Schedule", "Subscription", "Tool"]

ToolKind = Literal["tool", "action", "node", "source", "generator", "embedder", "ranker", "consolidator"]


class Tool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One callable of a plugin."""

    name: str
    title: str = ""
    description: str = ""
    kind: ToolKind = "tool"
    input_schema: dict[str, Any] = {}
    """JSON Schema (2020-12) of the arguments: always an object."""
    output_schema: dict[str, Any] | None = None
    """JSON Schema of the result, or of one item where `streams`; None where the author gave no annotation."""
    streams: bool = False
    """The result is a stream of items."""
    read_only: bool = False
    idempotent: bool = False
    """Calling twice with the same arguments is the same as calling once: such a call may be retried."""
    timeout_s: float | None = None
    """Seconds; None leaves it to the plugin's limits."""


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One HTTP or WebSocket route."""

    path: str
    methods: tuple[str, ...] = ()
    """Upper case, sorted; empty for a WebSocket."""
    name: str = ""
    websocket: bool = False


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A method that is called for events whose topic fits the pattern."""

    pattern: str
    method: str


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A method that is called by time; exactly one of the two is set."""

    method: str
    every_s: float | None = None
    cron: str | None = None


class Contributions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that one plugin adds."""

    format: Literal[1] = 1
    fingerprint: str
    """SHA-256, in hex, over names, signatures, flags and docstrings as the author wrote them. It does not depend on the
    versions of pydantic or FastAPI, and a start can compute it without building a schema."""
    tools: tuple[Tool, ...] = ()
    routes: tuple[Route, ...] = ()
    openapi: dict[str, Any] = {}
    """The OpenAPI document of the routes as FastAPI generates it, paths relative to the plugin's mount."""
    subscriptions: tuple[Subscription, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    config_schema: dict[str, Any] | None = None
    """JSON Schema of the plugin's settings; None where it has none."""
