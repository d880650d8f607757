"""What a `PluginHost` stands on: the engine in this process, or a door to the engine in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.wire.peer import ProgressSink

__all__ = ["Conversation", "Core", "Terms"]


class Terms(msgspec.Struct, array_like=True, frozen=True):
    """On what terms an application calls."""

    timeout_s: float | None = None
    """Seconds it will wait at most; None leaves it to the tool."""
    user: str | None = None
    session: str | None = None


class Conversation(Protocol):
    """A call with streams in both directions. `close` it, whatever has happened."""

    def __aiter__(self) -> AsyncIterator[msgspec.Raw]:
        """The plugin's items, encoded."""

    async def send(self, item: Any) -> None:
        """Send one item; waits while the plugin does not read. Raises `PeerClosed` where the call has ended."""

    def end(self) -> None:
        """No more items from here."""

    async def result(self) -> msgspec.Raw:
        """The call's result, encoded; raises as a call does."""

    async def close(self) -> None:
        """Cancel the call where it still runs, and give its place back."""


class Core(Protocol):
    """Serves calls and operations."""

    @property
    def catalogue(self) -> Catalogue:
        """What is served now."""

    def request(
        self, plugin: str, method: str, target: str, payload: Any, terms: Terms, progress: ProgressSink | None = None
    ) -> Coroutine[Any, Any, msgspec.Raw]:
        """One call with one answer, awaited by the caller."""

    async def exchange(
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
        """A call with streams."""

    async def operate(self, name: str, arguments: dict[str, Any]) -> Any:
        """One of `operations.OPERATIONS`; the answer as built-in types."""

    async def close(self) -> None:
        """Stop serving."""


CatalogueListener = Callable[[Catalogue], None]
