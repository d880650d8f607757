"""Adapters for methods that the host calls by itself: for events, and by time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.worker.annotations import call_parameters, resolved_hints
from somnus_plugins.worker.inventory import DeclaredReceiver, DeclaredSubscription

__all__ = ["ReceiverAdapter"]

BY_NAME: Final = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class ReceiverAdapter:
    """One method with `@on`, `@every` or `@cron`, ready to be called.

    Args:
        receiver: The method as declared.
        method: The same, bound to its plugin.

    Raises:
        InvalidPlugin: It takes something that nobody gives it.
    """

    __slots__ = ("call_parameters", "event_parameter", "is_async", "method", "name")

    def __init__(self, receiver: DeclaredReceiver, method: Callable[..., Any]) -> None:
        self.name = receiver.attribute
        self.method = method
        self.is_async = inspect.iscoroutinefunction(receiver.function)
        hints = resolved_hints(receiver.function, self.name)
        self.call_parameters = call_parameters(hints)
        given = [
            each
            for each in list(inspect.signature(receiver.function).parameters.values())[1:]
            if each.name not in self.call_parameters
        ]
        takes_event = isinstance(receiver, DeclaredSubscription)
        self.event_parameter = given[0].name if takes_event and given else ""
        left = [each for each in given if each.default is inspect.Parameter.empty][takes_event:]
        if left or any(each.kind not in BY_NAME for each in given):
            raise InvalidPlugin(
                f"{self.name} takes {', '.join(each.name for each in given)}; allowed "
                + ("is one Event, and a Call" if takes_event else "is nothing but a Call"),
                remedy="Give the other parameters defaults, or remove them.",
            )
        if inspect.isgeneratorfunction(receiver.function) or inspect.isasyncgenfunction(receiver.function):
            raise InvalidPlugin(f"{self.name} is a generator; its items would reach nobody")
