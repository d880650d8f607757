"""The core of the process that is the host: its engine, and the operations on it."""

from __future__ import annotations

from typing import Any

from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.host.engine import Engine
from somnus_plugins.host.operations import perform

__all__ = ["LocalCore"]


class LocalCore:
    """Serves calls and operations from the engine of this process.

    Args:
        engine: Is open.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.request = engine.request
        self.exchange = engine.exchange
        self.close = engine.close

    @property
    def catalogue(self) -> Catalogue:
        """What is served now."""
        return self._engine.catalogue

    async def operate(self, name: str, arguments: dict[str, Any]) -> Any:
        """One operation of the table."""
        return await perform(self._engine, name, arguments)
