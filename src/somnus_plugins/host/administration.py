"""What can be done to a host, as typed methods over the table of operations."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from somnus_plugins.host.views import HostView, Plan, PluginDetail, PluginView
from somnus_plugins.runtime.logs import LogLine

__all__ = ["Administration"]

T = TypeVar("T")


class Administration(ABC):
    """The administrative half of `PluginHost`. Every method raises `SomnusError`s that say what is wrong."""

    @abstractmethod
    async def operate(self, name: str, /, **arguments: Any) -> Any:
        """One operation by name; the answer as built-in types."""

    async def plan(self, source: str | Path, *, mount: str | None = None) -> Plan:
        """What installing a directory would do: what changes, who signed, what it may do. Changes nothing."""
        return _read(await self.operate("plan", source=os.path.abspath(source), mount=mount), Plan)

    async def apply(self, plan: Plan) -> PluginView:
        """Do what a plan says; raises `PlanChanged` where what it was made from has changed since."""
        return _read(await self.operate("apply", plan=msgspec.to_builtins(plan)), PluginView)

    async def uninstall(self, plugin: str) -> PluginView:
        """Take a plugin out; its data stays."""
        return _read(await self.operate("uninstall", plugin=plugin), PluginView)

    async def plugins(self) -> list[PluginView]:
        """Every plugin that is installed or was found, by id."""
        return _read(await self.operate("plugins"), list[PluginView])

    async def info(self, plugin: str) -> PluginDetail:
        """Everything about one plugin."""
        return _read(await self.operate("info", plugin=plugin), PluginDetail)

    async def status(self) -> HostView:
        """The host itself."""
        return _read(await self.operate("status"), HostView)

    async def enable(self, plugin: str) -> PluginView:
        """Serve a plugin; its crashes are forgotten."""
        return _read(await self.operate("enable", plugin=plugin), PluginView)

    async def disable(self, plugin: str) -> PluginView:
        """Serve a plugin no longer; running calls may finish."""
        return _read(await self.operate("disable", plugin=plugin), PluginView)

    async def configure(self, plugin: str, **values: Any) -> PluginView:
        """Set settings of a plugin."""
        return _read(await self.operate("configure", plugin=plugin, values=values), PluginView)

    async def logs(self, plugin: str, count: int = 100) -> list[LogLine]:
        """The newest lines a plugin has printed and logged."""
        return _read(await self.operate("logs", plugin=plugin, count=count), list[LogLine])

    async def publish(self, topic: str, data: Any = None) -> int:
        """Publish an event of the application; answers how many deliveries it makes."""
        return _read(await self.operate("publish", topic=topic, data=data), int)


def _read(answer: Any, kind: type[T]) -> T:
    return msgspec.convert(answer, type=kind)
