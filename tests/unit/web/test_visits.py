"""A timer that costs one assignment a time."""

from __future__ import annotations

import asyncio

import pytest

from somnus_plugins.web.visits import IdleTimer, too_large
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def test_it_calls_once_when_nothing_moved() -> None:
    calls: list[float] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    IdleTimer(0.05, lambda: calls.append(loop.time() - began))
    await eventually(lambda: calls)

    assert calls[0] >= 0.05
    assert len(calls) == 1


async def test_it_waits_as_long_as_something_moves() -> None:
    calls: list[float] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    timer = IdleTimer(0.1, lambda: calls.append(loop.time() - began))
    for delay in (0.03, 0.06, 0.09):
        loop.call_later(delay, timer.moved)
    await eventually(lambda: calls)

    assert calls[0] >= 0.18
    assert len(calls) == 1


async def test_it_says_nothing_once_it_is_cancelled() -> None:
    calls: list[int] = []
    later: list[int] = []
    IdleTimer(0.01, lambda: calls.append(1)).cancel()
    IdleTimer(0.05, lambda: later.append(1))
    await eventually(lambda: later)

    assert calls == []
    assert later == [1]


async def test_a_body_that_is_too_large_ends_the_connection() -> None:
    problem = too_large(10)

    assert (problem.status, problem.code) == (413, "body_too_large")
    assert (b"connection", b"close") in problem.headers
