"""Somnus Plugins: run strangers' plugins confined, quick to wake, replaceable while they are called.

The public face. Names are resolved on first use, so that `import somnus_plugins.sdk` in a plugin's process loads
nothing of the host.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from somnus_plugins._version import __version__

if TYPE_CHECKING:
    from somnus_plugins.errors import PluginError, SomnusError
    from somnus_plugins.host.plugin_host import PluginHost
    from somnus_plugins.settings import Settings, load_settings

__all__ = ["PluginError", "PluginHost", "Settings", "SomnusError", "__version__", "load_settings"]

_HOMES = {
    "PluginError": "somnus_plugins.errors",
    "PluginHost": "somnus_plugins.host.plugin_host",
    "Settings": "somnus_plugins.settings",
    "SomnusError": "somnus_plugins.errors",
    "load_settings": "somnus_plugins.settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
