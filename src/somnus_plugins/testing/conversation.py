"""A call with streams whose host's side may live on another loop than the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from somnus_plugins.host.core import Conversation
from somnus_plugins.testing.background import Ground

__all__ = ["GroundedConversation"]


class GroundedConversation:
    """`host.core.Conversation` for any loop.

    Args:
        talk: The conversation.
        ground: Where it lives.
    """

    def __init__(self, talk: Conversation, ground: Ground) -> None:
        self._talk = talk
        self._ground = ground
        self._items = aiter(talk)

    def __aiter__(self) -> AsyncIterator[msgspec.Raw]:
        return self

    async def __anext__(self) -> msgspec.Raw:
        item = await self._ground.run(_next(self._items))
        if item is None:
            raise StopAsyncIteration
        return item

    async def send(self, item: Any) -> None:
        """Send one item; waits while the plugin does not read."""
        await self._ground.run(self._talk.send(item))

    async def end(self) -> None:
        """No more items from here."""
        await self._ground.run(self._end())

    async def _end(self) -> None:
        self._talk.end()

    async def result(self) -> msgspec.Raw:
        """The call's result, encoded; raises as a call does."""
        return await self._ground.run(self._talk.result())

    async def close(self) -> None:
        """Cancel the call where it still runs, and give its place back."""
        await self._ground.run(self._close())

    async def _close(self) -> None:
        await self._talk.close()
        stop = getattr(self._items, "aclose", None)
        if stop is not None:
            await stop()


async def _next(items: AsyncIterator[msgspec.Raw]) -> msgspec.Raw | None:
    return await anext(items, None)
