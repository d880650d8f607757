"""Threads wait for what runs on the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from somnus_plugins.errors import UsageError
from somnus_plugins.sdk.threads import LoopAccess

pytestmark = pytest.mark.anyio


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def test_a_thread_gets_the_result_of_a_coroutine() -> None:
    access = LoopAccess(asyncio.get_running_loop())

    assert await asyncio.to_thread(access.wait, doubled(21)) == 42
    assert not access.cancelled


async def test_a_thread_gets_the_result_of_a_future() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()
    loop.call_later(0.01, future.set_result, "there")

    assert await asyncio.to_thread(LoopAccess(loop).wait, future) == "there"
    assert future.done()


async def test_what_is_raised_on_the_loop_is_raised_in_the_thread() -> None:
    async def fails() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        await asyncio.to_thread(LoopAccess(asyncio.get_running_loop()).wait, fails())
    assert asyncio.get_running_loop().is_running()


async def test_waiting_on_the_loop_itself_is_refused_and_leaves_no_coroutine_behind() -> None:
    access = LoopAccess(asyncio.get_running_loop())
    coroutine = doubled(1)

    with pytest.raises(UsageError, match="block for ever") as caught:
        access.wait(coroutine)

    assert "await" in caught.value.remedy
    assert coroutine.cr_frame is None


async def test_cancelling_ends_the_waits_that_are_under_way() -> None:
    loop = asyncio.get_running_loop()
    access = LoopAccess(loop)
    started, forever = asyncio.Event(), loop.create_future()

    async def waits() -> None:
        started.set()
        await forever

    with ThreadPoolExecutor(1) as executor:
        waiting = loop.run_in_executor(executor, access.wait, waits())
        await started.wait()
        access.cancel()
        with pytest.raises((asyncio.CancelledError, CancelledError)):
            await asyncio.wait_for(asyncio.shield(waiting), 5)

    assert forever.cancelled()
    assert access.cancelled


async def test_after_cancelling_every_further_wait_ends_at_once() -> None:
    access = LoopAccess(asyncio.get_running_loop())
    access.cancel()

    def tries() -> str:
        try:
            access.wait(asyncio.sleep(60))
        except CancelledError:
            return "cancelled"
        return "waited"

    assert await asyncio.wait_for(asyncio.to_thread(tries), 5) == "cancelled"
    assert access.cancelled
