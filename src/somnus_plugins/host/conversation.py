"""A call with streams, held by the host that has the process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from somnus_plugins.errors import SomnusError, WireError
from somnus_plugins.wire.peer import Exchange

__all__ = ["LocalConversation"]


class LocalConversation:
    """A call with streams to a process of this host.

    Args:
        exchange: The call.
        method: What was called.
        explained: Gives the error that a caller should see where the connection failed.
        release: Gives the call's place back; called once.
    """

    def __init__(
        self,
        exchange: Exchange,
        method: str,
        explained: Callable[[WireError], Awaitable[SomnusError]],
        release: Callable[[LocalConversation], None],
    ) -> None:
        self.method = method
        self._exchange = exchange
        self._explained = explained
        self._release = release
        self._items = aiter(exchange)
        self._began = False
        self._closed = False

    def __aiter__(self) -> LocalConversation:
        return self

    async def __anext__(self) -> msgspec.Raw:
        try:
            item = await self._items.__anext__()
            if not self._began:
                self._began = True
                if self.method == "http":
                    # The answer has begun: it may take as long as its reader stays.
                    self._exchange.lift_deadline()
            return item
        except WireError as error:
            raise await self._explained(error) from error

    async def send(self, item: Any) -> None:
        """Send one item; waits while the plugin does not read."""
        try:
            await self._exchange.send(item)
        except WireError as error:
            raise await self._explained(error) from error

    def end(self) -> None:
        """No more items from here."""
        self._exchange.end()

    async def result(self) -> msgspec.Raw:
        """The call's result, encoded; raises as a call does."""
        try:
            return await self._exchange.result()
        except WireError as error:
            raise await self._explained(error) from error

    async def close(self) -> None:
        """Cancel the call where it still runs, and give its place back."""
        if not self._closed:
            self._closed = True
            self._exchange.cancel()
            self._release(self)

    def cut(self, reason: SomnusError) -> None:
        """End the call from here; whoever takes its items gets the reason."""
        self._exchange.cancel(reason)
