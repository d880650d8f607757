"""What an author imports: `from somnus_plugins.sdk import Plugin, tool`.

Admits what a plugin's code names. Light, because it is loaded in every plugin's process: the standard library, msgspec
and the error tree, and nothing of those that is slow to import.
"""

from __future__ import annotations

from somnus_plugins.errors import (
    CallTimeout,
    InvalidInput,
    InvalidPlugin,
    InvalidResult,
    NotReady,
    Overloaded,
    PermanentError,
    PermissionDenied,
    PluginCrashed,
    PluginError,
    PluginRaised,
    TemporaryError,
    ToolError,
)
from somnus_plugins.sdk.context import Call
from somnus_plugins.sdk.declarations import cron, delete, every, get, on, patch, post, put, tool, websocket
from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.sdk.types import Event

__all__ = [
    "Call",
    "CallTimeout",
    "Event",
    "InvalidInput",
    "InvalidPlugin",
    "InvalidResult",
    "NotReady",
    "Overloaded",
    "PermanentError",
    "PermissionDenied",
    "Plugin",
    "PluginCrashed",
    "PluginError",
    "PluginRaised",
    "TemporaryError",
    "ToolError",
    "cron",
    "delete",
    "every",
    "get",
    "on",
    "patch",
    "post",
    "put",
    "tool",
    "websocket",
]
