"""Waiting for what must come true, and no longer than it may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["eventually", "eventually_now"]

T = TypeVar("T")
STEP_S = 0.01


async def eventually(condition: Callable[[], T | Awaitable[T]], timeout_s: float = 5.0) -> T:
    """The first true value that the condition gives; fails the test when the time is up, with the last value."""
    until = time.monotonic() + timeout_s
    while True:
        found = condition()
        value = await found if isinstance(found, Awaitable) else found
        if value:
            return value
        assert time.monotonic() < until, f"not within {timeout_s:g} s: {condition}, last {value!r}"
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=STEP_S)


def eventually_now(condition: Callable[[], T], timeout_s: float = 5.0) -> T:
    """The same where no loop runs."""

    async def wait() -> T:
        return await eventually(condition, timeout_s)

    return asyncio.run(wait())
