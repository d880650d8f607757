"""Everything a plugin adds, with its schemas: what `contributions.json` holds."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from cronsim import CronSim, CronSimError
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.wire.contributions import Contributions, Route, Schedule, Subscription, Tool
from somnus_plugins.worker.annotations import resolved_setting
from somnus_plugins.worker.inventory import DeclaredSchedule, DeclaredSubscription, DeclaredTool
from somnus_plugins.worker.loader import Loaded
from somnus_plugins.worker.receivers import ReceiverAdapter
from somnus_plugins.worker.schemas import json_schema
from somnus_plugins.worker.tools import ToolAdapter

__all__ = ["describe"]


def describe(loaded: Loaded) -> Contributions:
    """All contributions of a plugin, whether or not its settings fit.

    Raises:
        InvalidPlugin: Something has no schema, or a cron expression or a receiver's signature is wrong.
    """
    inventory = loaded.inventory
    routes, openapi = _routes(loaded)
    found = Contributions(
        fingerprint=loaded.announcement.fingerprint,
        tools=tuple(_tool(each) for each in inventory.tools.values()),
        routes=routes,
        openapi=openapi,
        subscriptions=tuple(_subscription(each) for each in inventory.subscriptions),
        schedules=tuple(_schedule(each) for each in inventory.schedules),
        config_schema=_config_schema(loaded),
    )
    try:
        msgspec.json.encode(found)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidPlugin(
            f"{inventory.kind.__name__}: a schema holds what JSON cannot: {error}",
            remedy="Look at `json_schema_extra`, `examples`, `openapi_extra` and defaults.",
        ) from error
    return found


def _tool(tool: DeclaredTool) -> Tool:
    made, place = tool.declaration, f"tool {tool.declaration.name}"
    adapter = ToolAdapter(tool, None)
    with _schemas_of(place):
        arguments, result = adapter.reader.json_schema(), adapter.writer.json_schema()
    return Tool(
        name=made.name,
        title=made.title,
        description=inspect.cleandoc(tool.function.__doc__ or ""),
        input_schema=arguments,
        output_schema=result,
        streams=adapter.streams,
        read_only=made.read_only,
        idempotent=made.idempotent,
        timeout_s=None if made.timeout_s is None else float(made.timeout_s),
    )


def _routes(loaded: Loaded) -> tuple[tuple[Route, ...], dict[str, Any]]:
    if not loaded.inventory.has_routes:
        return (), {}
    from somnus_plugins.worker.asgi import build_app, openapi_of, routes_of

    app = build_app(loaded)
    return routes_of(app), openapi_of(app)


def _subscription(receiver: DeclaredSubscription) -> Subscription:
    ReceiverAdapter(receiver, receiver.function)
    return Subscription(pattern=receiver.declaration.pattern, method=receiver.attribute)


def _schedule(receiver: DeclaredSchedule) -> Schedule:
    made = receiver.declaration
    ReceiverAdapter(receiver, receiver.function)
    if made.cron is not None:
        try:
            CronSim(made.cron, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        except CronSimError as error:
            raise InvalidPlugin(
                f"{receiver.attribute}: @cron({made.cron!r}): {error}",
                remedy="Five fields: minute, hour, day of month, month, day of week. For example `0 7 * * *`.",
            ) from error
    return Schedule(method=receiver.attribute, every_s=made.every_s, cron=made.cron)


def _config_schema(loaded: Loaded) -> dict[str, Any] | None:
    annotation = resolved_setting(loaded.inventory.kind, "config")
    if annotation is None or annotation is Any:
        return None
    with _schemas_of(f"{loaded.inventory.kind.__name__}.config"):
        return json_schema(TypeAdapter(annotation), "validation")


@contextmanager
def _schemas_of(place: str) -> Iterator[None]:
    """Name the place where a type has no JSON Schema."""
    try:
        yield
    except (PydanticUserError, TypeError, ValueError) as error:
        raise InvalidPlugin(
            f"{place}: an annotation has no JSON Schema: {str(error).splitlines()[0]}",
            remedy="Annotate with types that JSON can express.",
        ) from error
