"""What is shipped for testing plugins: the pytest plugin with its fixture `plugin`, and what stands behind it.

Admits what an author's tests use, and real parts in place of fakes wherever they are quick enough. Loaded by every
pytest of an environment that has this package: nothing heavy is imported before a test asks for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from somnus_plugins.testing.stage import PluginFactory
    from somnus_plugins.testing.subject import PluginUnderTest
    from somnus_plugins.testing.websocket import WebSocketUnderTest

__all__ = ["PluginFactory", "PluginUnderTest", "WebSocketUnderTest"]

_HOMES = {
    "PluginFactory": "somnus_plugins.testing.stage",
    "PluginUnderTest": "somnus_plugins.testing.subject",
    "WebSocketUnderTest": "somnus_plugins.testing.websocket",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
