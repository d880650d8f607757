"""Who may call now: places, a bounded queue for those who wait, and the header every call carries."""

from __future__ import annotations

import asyncio
from collections import deque
from random import getrandbits

from somnus_plugins.errors import CallTimeout, Overloaded
from somnus_plugins.wire.frames import Header

__all__ = ["Gate", "header", "seconds"]


def seconds(span_s: float) -> str:
    """A span of time as a person wants to read it: `0.25 s`, `30 s`."""
    return f"{float(f'{span_s:.3g}'):g} s"


class Gate:
    """Places of one plugin.

    Args:
        places: Calls at the same time.
        queue: Calls that may wait for a place.
    """

    __slots__ = ("_queue", "_waiting", "places", "taken")

    def __init__(self, places: int, queue: int) -> None:
        self.places = places
        self.taken = 0
        """Calls that have a place."""
        self._queue = queue
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Calls that wait for a place."""
        return len(self._waiting)

    async def enter(self, timeout_s: float | None) -> None:
        """Take a place, waiting for it in turn.

        Raises:
            Overloaded: Too many wait already.
            CallTimeout: No place was free within `timeout_s`.
        """
        if self.taken < self.places and not self._waiting:
            self.taken += 1
            return
        if len(self._waiting) >= self._queue:
            raise Overloaded(
                f"{self.taken} calls run and {len(self._waiting)} wait; no more may",
                remedy="Try again later, or raise concurrency in [tool.somnus.limits].",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if turn.done() and not turn.cancelled():
                # The place was given in the same moment.
                self.leave()
            if isinstance(error, TimeoutError):
                raise CallTimeout(
                    f"there was no free place within {seconds(timeout_s or 0.0)}: {self.taken} calls run",
                    remedy="Try again later, or raise concurrency in [tool.somnus.limits].",
                ) from None
            raise

    def leave(self) -> None:
        """Give the place to whoever has waited longest, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.taken -= 1


def header(timeout_s: float | None, user: str | None = None, session: str | None = None) -> Header:
    """The header of a call that the application makes: the root of a trace.

    Args:
        timeout_s: Seconds the callee has; None for none.
        user: The person on whose behalf, as the application names them.
        session: The application's session.
    """
    return Header(timeout_s, f"{getrandbits(128):032x}", "", 0, (), user, session)
