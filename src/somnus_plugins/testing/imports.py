"""What loading a plugin does to this interpreter, so that it can be undone."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.wire.methods import LoadOrder
from somnus_plugins.worker.loader import Loaded, load

__all__ = ["Imports"]


class Imports:
    """Loads plugins for the time of one test.

    A module that the test file itself imported from the plugin's directory is used as it is, so that its classes are
    the same on both sides. Afterwards the paths are as they were, and what was imported from the plugin's directory
    is forgotten: the next test finds the modules as freshly imported as a new process would.
    """

    def __init__(self) -> None:
        self._paths = list(sys.path)
        self._modules = dict(sys.modules)
        self._running = Plugin._running
        self._directories: list[Path] = []

    def load(self, order: LoadOrder, loop: asyncio.AbstractEventLoop | None = None) -> Loaded:
        """Import a plugin and make its instance; raises what `worker.loader.load` does."""
        directory = Path(order.directory)
        self._directories.append(directory)
        top = order.entry_module.partition(".")[0]
        for name in [each for each in sys.modules if each.partition(".")[0] == top]:
            if not _lies_in(sys.modules[name], directory):
                del sys.modules[name]
        return load(order, loop)

    def restore(self) -> None:
        """Undo what the loads did."""
        before = self._modules
        fresh = [name for name, module in list(sys.modules.items()) if before.get(name) is not module]
        for name in fresh:
            if any(_lies_in(sys.modules[name], directory) for directory in self._directories):
                del sys.modules[name]
        for name, module in before.items():
            sys.modules.setdefault(name, module)
        sys.path[:] = self._paths
        Plugin._running = self._running
        self._directories.clear()


def _lies_in(module: ModuleType, directory: Path) -> bool:
    """Whether a module is the plugin's own code: in its directory, and not in an environment that lies there."""
    found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if not isinstance(found, str) or not (path := Path(found).resolve()).is_relative_to(directory):
        return False
    parts = path.relative_to(directory).parts
    return not any(part == "site-packages" or part.startswith(".") for part in parts)
