"""What can be done to a host: one table, so that Python, HTTP, the command line and doors offer the same.

An operation takes keyword arguments of simple types and answers a record of `views`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from somnus_plugins.errors import InvalidConfig, UnknownPlugin, UsageError
from somnus_plugins.host import portraits
from somnus_plugins.host.engine import Engine
from somnus_plugins.host.views import HostView, Plan, PluginDetail, PluginView
from somnus_plugins.runtime.logs import LogLine
from somnus_plugins.trust import config as plugin_config
from somnus_plugins.trust.json_schema import properties
from somnus_plugins.trust.problems import Place, Problems, nearest

__all__ = ["OPERATIONS", "Operation", "perform"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the table."""

    name: str
    run: Callable[..., Awaitable[Any]]
    arguments: type[msgspec.Struct]
    result: Any
    """Type of the answer."""
    summary: str


OPERATIONS: dict[str, Operation] = {}


def _operation(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    hints = typing.get_type_hints(function)
    fields: list[Any] = []
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        has_default = parameter.default is not inspect.Parameter.empty
        fields.append((name, hints[name], parameter.default) if has_default else (name, hints[name]))
    arguments = msgspec.defstruct(f"{function.__name__}_arguments", fields, kw_only=True, forbid_unknown_fields=True)
    summary = (function.__doc__ or "").splitlines()[0]
    OPERATIONS[function.__name__] = Operation(function.__name__, function, arguments, hints["return"], summary)
    return function


async def perform(engine: Engine, name: str, arguments: dict[str, Any]) -> Any:
    """Run an operation.

    Returns:
        Its answer as built-in types, ready for any encoding.

    Raises:
        UsageError: There is no such operation, or the arguments do not fit it.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        near = nearest(name, OPERATIONS)
        raise UsageError(
            f"there is no operation {name!r}; there are: {', '.join(OPERATIONS)}",
            remedy=f"Perhaps {near!r} is meant." if near else "Name one of these.",
        )
    try:
        checked = msgspec.convert(arguments, type=operation.arguments)
    except msgspec.ValidationError as error:
        allowed = ", ".join(operation.arguments.__struct_fields__) or "none"
        raise UsageError(
            f"the arguments do not fit {name}: {error}", remedy=f"Its arguments are: {allowed}."
        ) from error
    given = {field: getattr(checked, field) for field in checked.__struct_fields__}
    return msgspec.to_builtins(await operation.run(engine, **given))


@_operation
async def plugins(engine: Engine) -> list[PluginView]:
    """Every plugin that is installed or was found, by id."""
    views = [portraits.view(instance) for instance in engine.instances.values()]
    views += [portraits.stranger_view(name, found) for name, found in engine.strangers.items()]
    return sorted(views, key=lambda each: each.id)


@_operation
async def info(engine: Engine, plugin: str) -> PluginDetail:
    """Everything about one plugin."""
    return portraits.detail(engine.find(plugin))


@_operation
async def status(engine: Engine) -> HostView:
    """The host itself."""
    return portraits.status(engine)


@_operation
async def plan(engine: Engine, source: str, mount: str | None = None) -> Plan:
    """What installing a directory would do; changes nothing."""
    return await engine.installer.plan(Path(source), mount)


@_operation
async def apply(engine: Engine, plan: Plan, agreed: str | None = None) -> PluginView:
    """Install what a plan says, unless what it was made from has changed."""
    entry = await engine.installer.apply(plan, agreed)
    await engine.changed(entry.id)
    engine.publish("plugin.installed", {"plugin": entry.id, "version": entry.version})
    return portraits.view(engine.instances[entry.id])


@_operation
async def uninstall(engine: Engine, plugin: str) -> PluginView:
    """Take a plugin out; its data stays until it is erased."""
    entry = engine.registry.find(plugin)
    if entry is not None and entry.id in engine.strangers:
        last = portraits.stranger_view(entry.id, engine.strangers[entry.id])
    else:
        last = portraits.view(engine.find(plugin))
    engine.registry.remove(last.id)
    await engine.changed(last.id)
    engine.publish("plugin.removed", {"plugin": last.id})
    return last


@_operation
async def enable(engine: Engine, plugin: str) -> PluginView:
    """Serve a plugin; also forgets its crashes."""
    return await _change(engine, plugin, enabled=True)


@_operation
async def disable(engine: Engine, plugin: str) -> PluginView:
    """Serve a plugin no longer; running calls may finish."""
    return await _change(engine, plugin, enabled=False)


@_operation
async def wake(engine: Engine, plugin: str) -> PluginView:
    """Start a plugin now, where it sleeps; answers how it is then."""
    instance, runtime = engine.serving(plugin), engine.settings.runtime
    await instance.awake(runtime.start_timeout_s + runtime.prepare_timeout_s)
    return portraits.view(instance)


@_operation
async def restart(engine: Engine, plugin: str) -> PluginView:
    """End the plugin's process in order; the next call starts a new one."""
    return await _change(engine, plugin)


@_operation
async def config(engine: Engine, plugin: str) -> dict[str, Any]:
    """The settings of a plugin: schema, values, and what is unset."""
    instance = engine.find(plugin)
    schema, values = instance.contributions.config_schema, instance.entry.config
    return {"schema": schema or {}, "values": values, "unset": list(plugin_config.missing(schema, values))}


@_operation
async def configure(
    engine: Engine,
    plugin: str,
    values: dict[str, Any] | None = None,
    texts: dict[str, str] | None = None,
    remove: list[str] | None = None,
) -> PluginView:
    """Set settings of a plugin, from values or from texts that are read by its schema; restarts it."""
    instance = engine.find(plugin)
    schema = instance.contributions.config_schema
    if schema is None:
        raise InvalidConfig(
            f"{instance.id} has no settings", remedy="Its class gets some by an annotation: `config: Settings`."
        )
    read = {key: plugin_config.convert(schema, key, text) for key, text in (texts or {}).items()}
    merged = {**engine.registry.require(instance.id).config, **(values or {}), **read}
    _refuse_unknown(remove or [], {*properties(schema, schema), *merged})
    merged = {key: value for key, value in merged.items() if key not in (remove or [])}
    plugin_config.check(schema, merged)
    return await _change(engine, plugin, config=merged)


def _refuse_unknown(keys: Collection[str], known: Collection[str]) -> None:
    problems = Problems(plugin_config.SETTINGS)
    for key in keys:
        if key not in known:
            Place(problems).refuse_unknown(key, known)
    problems.raise_any(InvalidConfig, plugin_config.SETTINGS_REMEDY)


@_operation
async def logs(engine: Engine, plugin: str, count: int = 100) -> list[LogLine]:
    """The newest lines a plugin has printed and logged."""
    return engine.find(plugin).book.recent(count)


@_operation
async def publish(engine: Engine, topic: str, data: Any = None) -> int:
    """Publish an event; answers how many deliveries it makes."""
    return engine.publish(topic, data)


async def _change(engine: Engine, plugin: str, **fields: Any) -> PluginView:
    instance = engine.find(plugin)
    if engine.registry.get(instance.id) is None:
        raise UnknownPlugin(f"{instance.id} is not installed", remedy="`somnus-plugins list` shows what is.")
    engine.registry.change(instance.id, **fields)
    await engine.changed(instance.id)
    return portraits.view(engine.find(instance.id))
