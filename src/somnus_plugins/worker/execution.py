"""How an author's code is run: on the loop, in threads, item by item; and what becomes of what it raises."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from somnus_plugins.errors import PluginError, PluginRaised
from somnus_plugins.sdk.threads import LOOP_ACCESS, LoopAccess

__all__ = ["LOG", "Threads", "author_error", "stream_from_loop", "stream_from_thread"]

LOG: Final = logging.getLogger("somnus.plugin")
"""Tracebacks of the author's code; they go nowhere else."""
CLASS_NAME_MAX_CHARS: Final = 100

T = TypeVar("T")


def author_error(error: BaseException, place: str, **facts: Any) -> PluginError:
    """What a caller is told of an exception: its class, never its words, which may hold anything.

    Errors that an author raises to be read (`ToolError` and its kin) are given back as they are. The traceback of any
    other goes to the log.

    Args:
        error: What was raised.
        place: Where: the tool, the hook, the route.
        facts: More for `data`.
    """
    if isinstance(error, PluginError):
        return error
    name = type(error).__name__[:CLASS_NAME_MAX_CHARS]
    LOG.error("%s in %s", name, place, exc_info=(type(error), error, error.__traceback__))
    return PluginRaised(
        f"{name} in {place}", remedy="Its traceback is in the plugin's log.", data={"class": name, **facts}
    )


class Threads:
    """The threads that methods without `async` run in.

    Args:
        count: How many at the same time; further ones wait.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., T], /, *arguments: Any, **keywords: Any) -> T:
        """Run a function in a thread, in a copy of this context.

        When the task is cancelled the function's waits on the loop end, and so does a function that has not begun. One
        that runs goes on, because a thread cannot be stopped, and so does this: that a call has ended is said when it
        has, and the host counts those that do not.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="somnus-method")
        loop = asyncio.get_running_loop()
        access = LoopAccess(loop)
        context = contextvars.copy_context()
        context.run(LOOP_ACCESS.set, access)
        job = self._executor.submit(context.run, _without_stop_iteration, function, arguments, keywords)
        running = asyncio.wrap_future(job, loop=loop)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            access.cancel()
            if not job.cancel():
                await _ended(running)
            raise

    def close(self) -> None:
        """Start no further function; those that run go on."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)


async def _ended(running: asyncio.Future[Any]) -> None:
    """Wait for the end, however often the wait is cancelled."""
    while not running.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([running])
    if not running.cancelled():
        running.exception()


def _without_stop_iteration(function: Callable[..., T], arguments: Any, keywords: Any) -> T:
    """A future cannot carry StopIteration: the one who waits for it would wait for ever."""
    try:
        return function(*arguments, **keywords)
    except StopIteration as error:
        raise RuntimeError("StopIteration left a function") from error


async def stream_from_loop(
    source: AsyncIterator[Any], write: Callable[[Any], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Send every item of an asynchronous iterator, which is closed in every case."""
    try:
        async for item in source:
            await send(write(item))
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def stream_from_thread(source: Iterable[Any], write: Callable[[Any], Any], deliver: Callable[[Any], None]) -> None:
    """Deliver every item of an iterator, from beginning to end in this one thread; it is closed in every case."""
    access = LOOP_ACCESS.get()
    try:
        for item in source:
            if access.cancelled:
                break
            deliver(write(item))
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
