"""What a plugin's class declares, gathered and checked before anything of it runs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Final

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk.declarations import (
    RouteDeclaration,
    ScheduleDeclaration,
    SubscriptionDeclaration,
    ToolDeclaration,
    declared_methods,
)
from somnus_plugins.sdk.plugin import RESERVED, Plugin

__all__ = [
    "DeclaredReceiver",
    "DeclaredRoute",
    "DeclaredSchedule",
    "DeclaredSubscription",
    "DeclaredTool",
    "Inventory",
]

HOOKS: Final = ("on_prepare", "on_start", "on_stop")
REFUSED_KINDS: Final = {
    inspect.Parameter.VAR_POSITIONAL: "any number of arguments (`*{}`)",
    inspect.Parameter.VAR_KEYWORD: "any argument (`**{}`)",
    inspect.Parameter.POSITIONAL_ONLY: "`{}` by position only",
}
OPEN: Final = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


@dataclass(frozen=True, slots=True)
class DeclaredTool:
    """A method with `@tool`."""

    attribute: str
    function: FunctionType
    declaration: ToolDeclaration


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """A method with `@get`, … or `@websocket`."""

    attribute: str
    function: FunctionType
    declaration: RouteDeclaration


@dataclass(frozen=True, slots=True)
class DeclaredSubscription:
    """A method with `@on`."""

    attribute: str
    function: FunctionType
    declaration: SubscriptionDeclaration


@dataclass(frozen=True, slots=True)
class DeclaredSchedule:
    """A method with `@every` or `@cron`."""

    attribute: str
    function: FunctionType
    declaration: ScheduleDeclaration


DeclaredReceiver = DeclaredSubscription | DeclaredSchedule


@dataclass(slots=True)
class Inventory:
    """Everything that one class declares, in the order in which it is written."""

    kind: type[Plugin]
    tools: dict[str, DeclaredTool] = field(default_factory=dict)
    """By the name under which they are called."""
    routes: list[DeclaredRoute] = field(default_factory=list)
    subscriptions: list[DeclaredSubscription] = field(default_factory=list)
    schedules: list[DeclaredSchedule] = field(default_factory=list)

    @classmethod
    def of(cls, kind: type[Plugin]) -> Inventory:
        """Gather from a class.

        Raises:
            InvalidPlugin: Two tools have one name, a signature cannot be a schema, a hook is not `async`, or a name of
                the SDK is used for something else.
        """
        _check_names(kind)
        found = cls(kind)
        for attribute, function, declaration in declared_methods(kind):
            match declaration:
                case ToolDeclaration():
                    found._add_tool(DeclaredTool(attribute, function, declaration))
                case RouteDeclaration():
                    found.routes.append(DeclaredRoute(attribute, function, declaration))
                case SubscriptionDeclaration():
                    found.subscriptions.append(DeclaredSubscription(attribute, function, declaration))
                case ScheduleDeclaration():
                    found.schedules.append(DeclaredSchedule(attribute, function, declaration))
        return found

    @property
    def router(self) -> Any:
        """The class's own `router: APIRouter`, or None."""
        return getattr(self.kind, "router", None)

    @property
    def has_routes(self) -> bool:
        """Whether it answers HTTP requests at all."""
        return bool(self.routes) or self.router is not None

    @property
    def wants_prepare(self) -> bool:
        """Whether the author wrote `on_prepare`."""
        return self.kind.on_prepare is not Plugin.on_prepare

    def _add_tool(self, tool: DeclaredTool) -> None:
        name = tool.declaration.name
        if name in self.tools:
            raise InvalidPlugin(
                f"{self.kind.__name__}: {self.tools[name].attribute} and {tool.attribute} are both the tool {name!r}",
                remedy='Give one of them another name: @tool(name="…").',
            )
        _check_signature(tool)
        self.tools[name] = tool


def _check_signature(tool: DeclaredTool) -> None:
    code = tool.function.__code__
    if code.co_argcount and not (code.co_posonlyargcount or code.co_flags & OPEN):
        return  # what nearly every tool is, told without the cost of a signature
    parameters = list(inspect.signature(tool.function).parameters.values())
    if not parameters or parameters[0].kind is inspect.Parameter.VAR_POSITIONAL:
        raise InvalidPlugin(f"tool {tool.declaration.name}: {tool.attribute} has no `self`", remedy="Add it first.")
    for parameter in parameters[1:]:
        if parameter.kind in REFUSED_KINDS:
            what = REFUSED_KINDS[parameter.kind].format(parameter.name)
            raise InvalidPlugin(
                f"tool {tool.declaration.name}: {tool.attribute} takes {what}, for which there is no schema; allowed "
                "are parameters with names",
                remedy="Write out the parameters with their annotations, or take one `dict[str, Any]`.",
            )


def _check_names(kind: type[Plugin]) -> None:
    for each in kind.__mro__[: kind.__mro__.index(Plugin)]:
        taken = sorted(RESERVED & vars(each).keys())
        if taken:
            raise InvalidPlugin(
                f"{each.__name__} defines {', '.join(taken)}; the SDK gives every plugin "
                f"{', '.join(sorted(RESERVED))} itself",
                remedy=f"Rename {taken[0]}. Version and name stand in pyproject.toml.",
            )
    for hook in HOOKS:
        if not inspect.iscoroutinefunction(getattr(kind, hook)):
            raise InvalidPlugin(f"{kind.__name__}.{hook} is not `async def`", remedy=f"Write `async def {hook}(self)`.")
    version: object = kind.state_version
    if not isinstance(version, int) or version < 1:
        raise InvalidPlugin(f"{kind.__name__}.state_version is {version!r}; allowed is an integer from 1")
