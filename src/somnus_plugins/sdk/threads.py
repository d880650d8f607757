"""A thread's way to the event loop."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from somnus_plugins.errors import UsageError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable
    from concurrent.futures import Future

__all__ = ["LOOP_ACCESS", "LoopAccess"]

T = TypeVar("T")


class LoopAccess:
    """Lets threads wait for awaitables that run on the loop.

    Args:
        loop: Where they run.
    """

    __slots__ = ("_loop", "_pending", "cancelled")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: set[Future[Any]] = set()
        self.cancelled = False
        """Whether the call is no longer wanted: every wait then ends at once."""

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Block this thread until the awaitable is done, and give its result.

        Raises:
            UsageError: This thread runs the event loop, which would then wait for itself.
            concurrent.futures.CancelledError: The call was cancelled.
        """
        import asyncio

        if asyncio._get_running_loop() is not None:
            close = getattr(awaitable, "close", None)
            if close is not None:
                close()
            raise UsageError(
                "wait() was called on the event loop's own thread, which it would block for ever",
                remedy="Write `await …` here; `self.wait(…)` is for methods without `async`.",
            )
        coroutine = awaitable if asyncio.iscoroutine(awaitable) else _awaited(awaitable)
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._pending.add(future)
        if self.cancelled:
            future.cancel()
        try:
            return future.result()
        finally:
            self._pending.discard(future)

    def cancel(self) -> None:
        """End the waits that are under way and those to come. Called on the loop's thread."""
        self.cancelled = True
        for future in tuple(self._pending):
            future.cancel()


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


LOOP_ACCESS: Final[ContextVar[LoopAccess]] = ContextVar("somnus_plugins_loop_access")
"""Set by the worker in the context of each method that runs in a thread."""
