"""What two peers promise each other about bodies that travel in shared memory, over each kind of socket."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from somnus_plugins.errors import CallTimeout, InvalidInput, InvalidResult, PeerClosed, PluginError
from somnus_plugins.wire import shared_memory
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.peer import Incoming, Side
from tests.support.wire import KIB, LIMITS, decoded, joined, open_descriptors, turns, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not shared_memory.available(), reason="this kernel has no sealed shared memory"),
]

join = partial(joined, "socket", channel=True)
LARGE = bytes(range(256)) * (4 * KIB)
BOTH_DIRECTIONS = pytest.mark.parametrize("caller", [Side.HOST, Side.WORKER], ids=["host calls", "worker calls"])


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return "asyncio", {"use_uvloop": request.param}


async def sized(incoming: Incoming) -> bytes:
    """As many bytes as the arguments say."""
    return b"x" * int(decoded(incoming.payload))


async def lengths(incoming: Incoming) -> list[int]:
    """How long the caller's items are."""
    return [len(decoded(each)) async for each in incoming.items()]


@BOTH_DIRECTIONS
async def test_a_large_body_arrives_whole_as_argument_and_as_result(caller: Side) -> None:
    before = open_descriptors()
    async with join() as pair:
        calling, _ = pair.sides(caller)
        for _ in range(3):
            assert decoded(await calling.request("echo", LARGE)) == LARGE

        assert calling.pending == 0
        assert pair.strikes == []
    await until(lambda: open_descriptors() == before)


async def test_large_bodies_of_many_calls_pass_in_both_directions_at_once() -> None:
    bodies = [bytes([number]) * (100 + number) * KIB for number in range(12)]
    async with join() as pair:
        calls = [peer.request("echo", body) for body in bodies for peer in (pair.host, pair.worker)]
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*calls)

        assert [decoded(each) for each in answers] == [body for body in bodies for _ in "ab"]
        assert pair.strikes == []


async def test_a_large_result_for_which_there_is_no_thread_fails_alone() -> None:
    spent = ThreadPoolExecutor(1)
    spent.shutdown()
    async with join(worker=sized) as pair:
        asyncio.get_running_loop().set_default_executor(spent)
        with pytest.raises(PluginError, match="could not be filled"):
            await pair.host.request("tool", 200 * KIB, header=Header(timeout_s=5))
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

        assert len(decoded(await pair.host.request("tool", 200 * KIB, header=Header(timeout_s=5)))) == 200 * KIB
        assert pair.strikes == []


async def test_where_there_is_no_sealed_memory_a_peer_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.memfd_create")
    async with join(worker=sized) as pair:
        with pytest.raises(InvalidInput, match="takes at once"):
            await pair.host.request("tool", LARGE)
        with pytest.raises(InvalidResult, match="takes at once"):
            await pair.host.request("tool", 200 * KIB)

        assert len(decoded(await pair.host.request("tool", 1))) == 1
        assert pair.strikes == []


@BOTH_DIRECTIONS
async def test_large_and_small_items_keep_their_order(caller: Side) -> None:
    sizes = [10, 200 * KIB, 0, 1, 300 * KIB, 100 * KIB, 2]

    async def sending(incoming: Incoming) -> str:
        for size in sizes:
            await incoming.send(b"x" * size)
        return "all"

    async with join(host=sending, worker=sending) as pair:
        exchange = await pair.sides(caller)[0].exchange("blobs")

        assert [len(decoded(each)) async for each in exchange] == sizes
        assert decoded(await exchange.result()) == "all"
        assert pair.strikes == []


@BOTH_DIRECTIONS
async def test_the_end_of_a_stream_does_not_overtake_its_last_large_item(caller: Side) -> None:
    async with join(host=lengths, worker=lengths) as pair:
        exchange = await pair.sides(caller)[0].exchange("lengths", sends=True, takes=False)
        for size in (1, 500 * KIB, 2, 400 * KIB):
            await exchange.send(b"x" * size)
        exchange.end()

        assert decoded(await exchange.result()) == [1, 500 * KIB, 2, 400 * KIB]
        assert pair.strikes == []


@BOTH_DIRECTIONS
async def test_what_is_too_large_is_an_error_of_the_arguments_or_of_the_result(caller: Side) -> None:
    allowed = LIMITS.send_max_bytes if caller is Side.HOST else LIMITS.receive_max_bytes
    returned = LIMITS.receive_max_bytes if caller is Side.HOST else LIMITS.send_max_bytes
    async with join(host=sized, worker=sized) as pair:
        calling, called = pair.sides(caller)
        with pytest.raises(InvalidInput) as refused:
            await calling.request("tool", b"x" * allowed)
        with pytest.raises(InvalidResult) as spoiled:
            await calling.request("tool", returned)

        assert f"{allowed + 1:,}"[:6] in refused.value.message
        assert all(error.value.remedy for error in (refused, spoiled))
        assert len(decoded(await calling.request("tool", returned - 100))) == returned - 100
        await until(lambda: (calling.pending, called.serving) == (0, 0))


@BOTH_DIRECTIONS
async def test_a_large_call_that_is_cancelled_on_its_way_leaves_nothing_behind(caller: Side) -> None:
    before = open_descriptors()
    async with join() as pair:
        calling, _ = pair.sides(caller)
        for wait in range(12):
            call = asyncio.ensure_future(calling.request("echo", LARGE))
            await turns(wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        assert decoded(await calling.request("echo", LARGE)) == LARGE
        assert calling.pending == 0
        assert pair.strikes == []
    await until(lambda: open_descriptors() == before)


async def test_a_large_item_that_is_cancelled_on_its_way_neither_arrives_nor_blocks() -> None:
    async def hesitating(incoming: Incoming) -> Any:
        for wait in range(8):
            sending = asyncio.ensure_future(incoming.send(LARGE))
            await turns(wait)
            sending.cancel()
            await asyncio.wait([sending])
            await incoming.send(sending.cancelled())
        await incoming.send(LARGE)

    async with join(worker=hesitating) as pair:
        async with asyncio.timeout(5):
            items = [decoded(each) async for each in await pair.host.exchange("items")]

        assert items[-1] == LARGE
        assert [each for each in items if each != LARGE][:2] == [True, True]
        assert sum(each is False for each in items) == items.count(LARGE) - 1
        assert pair.strikes == []


async def test_a_large_answer_is_sent_though_its_caller_no_longer_wants_it() -> None:
    leaving = asyncio.Event()

    async def handler(incoming: Incoming) -> Any:
        leaving.set()
        return LARGE

    async with join(worker=handler) as pair:
        exchange = await pair.host.exchange("big")
        await leaving.wait()
        exchange.cancel()

        await until(lambda: not pair.host.is_abandoned(exchange.id))
        await until(lambda: not pair.worker.serving)
        assert decoded(await pair.host.request("big")) == LARGE
        assert pair.strikes == []


async def test_a_deadline_holds_for_a_large_call_too() -> None:
    async def never(incoming: Incoming) -> Any:
        await asyncio.Event().wait()

    async with join(worker=never) as pair:
        with pytest.raises(CallTimeout):
            await pair.host.request("tool", LARGE, header=Header(timeout_s=0.02))

        await until(lambda: not pair.worker.serving)
        assert pair.host.pending == 0


@BOTH_DIRECTIONS
async def test_the_end_of_the_connection_ends_what_is_under_way_in_shared_memory(caller: Side) -> None:
    async def cut_after(waiting: int) -> None:
        async with join() as pair:
            calling, called = pair.sides(caller)
            calls = [asyncio.ensure_future(calling.request("echo", LARGE)) for _ in range(3)]
            await turns(waiting)
            called.close()

            async with asyncio.timeout(5):
                ends = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(end, PeerClosed) or decoded(end) == LARGE for end in ends)
            assert calling.pending == 0

    before = open_descriptors()
    for waiting in range(0, 12, 3):
        await cut_after(waiting)
    await until(lambda: open_descriptors() == before)
