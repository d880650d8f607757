"""What the web interface needs of the host that is given to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.host.core import Conversation, Terms
from somnus_plugins.host.home import Home
from somnus_plugins.settings import Settings
from somnus_plugins.wire.peer import ProgressSink

__all__ = ["ServedHost"]


class ServedHost(Protocol):
    """A host, or a door to it; `PluginHost` is one, and says what each of these does."""

    @property
    def home(self) -> Home:
        """Where the token lies."""

    @property
    def settings(self) -> Settings:
        """Limits."""

    @property
    def role(self) -> str:
        """`stopped` before it was started and after."""

    @property
    def catalogue(self) -> Catalogue:
        """What is served now."""

    def on_catalogue(self, listener: Callable[[Catalogue], None]) -> None:
        """Call `listener` with every new catalogue."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""

    async def call(
        self,
        plugin: str,
        tool: str,
        input: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        user: str | None = None,
    ) -> Any:
        """Call a tool; its result as built-in types."""

    async def converse(
        self,
        plugin: str,
        method: str,
        target: str,
        payload: Any,
        terms: Terms,
        *,
        sends: bool = False,
        progress: ProgressSink | None = None,
    ) -> Conversation:
        """Start a call with streams."""

    async def operate(self, name: str, /, **arguments: Any) -> Any:
        """One operation of the host; the answer as built-in types."""
