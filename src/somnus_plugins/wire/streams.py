"""The two ends of a stream inside a call: credit-based flow control.

A sender may have `window` bytes on their way. The reader gives credit back as it consumes; an item may exceed the
credit that is left, the next one then waits. So neither side ever holds more than one window and one item.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from somnus_plugins.errors import SomnusError

__all__ = ["ITEM_COST", "Inbox", "Outbox"]

ITEM_COST: Final = 64
"""Bytes of credit that an item costs besides its own: a million empty items then cost what they take in memory."""


class Inbox:
    """Items that have arrived and wait for their reader."""

    __slots__ = ("_consumed", "_ended", "_error", "_items", "_left", "_return", "_waiter", "_window")

    def __init__(self, window: int, give_back: Callable[[int], None]) -> None:
        self._items: deque[tuple[msgspec.Raw, int]] = deque()
        self._window = window
        self._left = window
        self._consumed = 0
        self._return = give_back
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: SomnusError | None = None

    def put(self, item: msgspec.Raw, size: int) -> bool:
        """Take one item from the wire; false where the sender had no credit left or had ended the stream."""
        if self._left <= 0 or self._ended:
            return False
        self._left -= size
        self._items.append((item, size))
        self._wake()
        return True

    def end(self, error: SomnusError | None = None) -> None:
        """No more items come; with an error, the reader gets it after the items that are here."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    @property
    def ended(self) -> bool:
        """Whether the sender has ended the stream; items may still wait."""
        return self._ended

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> msgspec.Raw:
        while not self._items:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        item, size = self._items.popleft()
        self._consumed += size
        if self._consumed * 2 >= self._window and not self._ended:
            self._left += self._consumed
            self._return(self._consumed)
            self._consumed = 0
        return item


class Outbox:
    """Credit for items that go to the other side."""

    __slots__ = ("_credit", "_ready", "closed")

    def __init__(self, window: int) -> None:
        self._credit = window
        self._ready = asyncio.Event()
        self.closed = False
        """The call has ended; nothing more is sent."""

    def add(self, count: int) -> None:
        """The reader has consumed this many bytes."""
        self._credit += count
        self._ready.set()

    def close(self) -> None:
        """Wake whoever waits for credit; it finds `closed`."""
        self.closed = True
        self._ready.set()

    def spend(self, size: int) -> None:
        """Count one item that is sent."""
        self._credit -= size

    async def ready(self) -> None:
        """Wait until there is credit, or the call has ended."""
        while self._credit <= 0 and not self.closed:
            self._ready.clear()
            await self._ready.wait()
