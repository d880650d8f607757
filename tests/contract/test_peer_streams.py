"""What two peers promise each other about the streams inside a call, over each way they can be joined."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from somnus_plugins.errors import InvalidResult, PeerClosed, ToolError
from somnus_plugins.wire.peer import Incoming, Side
from tests.contract.conftest import Join, Way
from tests.support.wire import KIB, LIMITS, Gate, decoded, listed, turns, until

pytestmark = pytest.mark.anyio

BOTH_DIRECTIONS = pytest.mark.parametrize("caller", [Side.HOST, Side.WORKER], ids=["host calls", "worker calls"])


@pytest.fixture
def anyio_backend(way: Way) -> Any:
    return way.backend


async def counting(incoming: Incoming) -> int:
    """Send as many items as the arguments say."""
    for number in range(decoded(incoming.payload)):
        await incoming.send(number)
    return -1


@BOTH_DIRECTIONS
async def test_items_of_the_callee_arrive_in_order_and_end_with_the_result(join: Join, caller: Side) -> None:
    async with join(host=counting, worker=counting) as pair:
        exchange = await pair.sides(caller)[0].exchange("count", 1_000)

        assert await listed(aiter(exchange)) == list(range(1_000))
        assert decoded(await exchange.result()) == -1
        assert exchange.ended
        assert pair.strikes == []


@BOTH_DIRECTIONS
async def test_items_of_the_caller_arrive_in_order_and_end_when_it_says_so(join: Join, caller: Side) -> None:
    async def adding(incoming: Incoming) -> Any:
        assert incoming.streams_in
        return sum(await listed(incoming.items()))

    async with join(host=adding, worker=adding) as pair:
        exchange = await pair.sides(caller)[0].exchange("sum", sends=True, takes=False)
        for number in range(1_000):
            await exchange.send(number)
        exchange.end()

        assert decoded(await exchange.result()) == sum(range(1_000))
        with pytest.raises(TypeError):
            aiter(exchange)
        assert pair.strikes == []


async def test_both_streams_of_a_call_run_at_once(join: Join) -> None:
    async def doubling(incoming: Incoming) -> Any:
        async for item in incoming.items():
            await incoming.send(2 * decoded(item))

    async with join(worker=doubling) as pair:
        exchange = await pair.host.exchange("double", sends=True)
        items = aiter(exchange)
        for number in range(200):
            await exchange.send(number)
            assert decoded(await anext(items)) == 2 * number
        exchange.end()

        assert await listed(items) == []
        assert decoded(await exchange.result()) is None


@BOTH_DIRECTIONS
async def test_a_sender_waits_for_a_reader_that_does_not_read(join: Join, caller: Side) -> None:
    sent: list[int] = []

    async def endless(incoming: Incoming) -> Any:
        while True:
            await incoming.send(b"x" * KIB)
            sent.append(1)

    async with join(host=endless, worker=endless) as pair:
        calling = pair.sides(caller)[0]
        exchange = await calling.exchange("pour")
        await until(lambda: len(sent) >= 15)
        await turns(100)
        assert len(sent) * KIB <= LIMITS.window_bytes
        items = aiter(exchange)
        for _ in range(20):
            await anext(items)

        await until(lambda: len(sent) >= 28)
        assert len(sent) * KIB <= LIMITS.window_bytes + 21 * KIB
        exchange.cancel()


async def test_a_caller_waits_for_a_callee_that_does_not_read(join: Join) -> None:
    gate = Gate()
    async with join(worker=gate) as pair:
        exchange = await pair.host.exchange("pour", sends=True, takes=False)
        sent = 0

        async def pour() -> None:
            nonlocal sent
            while True:
                await exchange.send(b"x" * KIB)
                sent += 1

        pouring = asyncio.ensure_future(pour())
        await until(lambda: sent >= 15)
        await turns(100)
        assert sent * KIB <= LIMITS.window_bytes
        gate.open.set()

        with pytest.raises(PeerClosed):
            await pouring
        assert decoded(await exchange.result()) == "through"


async def test_several_tasks_may_send_items_of_one_call(join: Join) -> None:
    async def many(incoming: Incoming) -> Any:
        async def some(start: int) -> None:
            for number in range(start, start + 50):
                await incoming.send([number, b"x" * KIB])

        await asyncio.gather(*(some(50 * part) for part in range(4)))

    async with join(worker=many) as pair:
        async with asyncio.timeout(5):
            items = await listed(aiter(await pair.host.exchange("many")))

        assert sorted(number for number, _ in items) == list(range(200))
        assert pair.strikes == []


async def test_an_item_larger_than_the_window_passes_and_the_next_one_waits(join: Join) -> None:
    sizes = [LIMITS.window_bytes * 3, 10, LIMITS.window_bytes * 2, 0]

    async def handler(incoming: Incoming) -> Any:
        for size in sizes:
            await incoming.send(b"x" * size)

    async with join(worker=handler) as pair:
        async with asyncio.timeout(5):
            items = await listed(aiter(await pair.host.exchange("blobs")))

        assert [len(each) for each in items] == sizes
        assert pair.strikes == []


async def test_an_item_that_cannot_be_sent_costs_no_credit(join: Join) -> None:
    async def handler(incoming: Incoming) -> Any:
        for _ in range(5):
            with pytest.raises(InvalidResult):
                await incoming.send(b"x" * (LIMITS.inline_max_bytes + 1))
            with pytest.raises(InvalidResult):
                await incoming.send(object())
        await incoming.send("after all")

    async with join(worker=handler) as pair:
        async with asyncio.timeout(5):
            assert await listed(aiter(await pair.host.exchange("items"))) == ["after all"]
        assert pair.strikes == []


async def test_an_error_after_items_comes_after_the_items(join: Join) -> None:
    async def handler(incoming: Incoming) -> Any:
        await incoming.send(1)
        await incoming.send(2)
        raise ToolError("no third")

    async with join(worker=handler) as pair:
        exchange = await pair.host.exchange("items")
        items = aiter(exchange)

        assert [decoded(await anext(items)), decoded(await anext(items))] == [1, 2]
        with pytest.raises(ToolError, match="no third"):
            await anext(items)
        with pytest.raises(ToolError, match="no third"):
            await exchange.result()


async def test_cancelling_an_exchange_ends_it_on_both_sides(join: Join) -> None:
    gate = Gate()
    async with join(worker=gate) as pair:
        exchange = await pair.host.exchange("wait", sends=True)
        await until(lambda: gate.entered)
        exchange.cancel()

        with pytest.raises(PeerClosed):
            await exchange.send("more")
        with pytest.raises(PeerClosed):
            await anext(aiter(exchange))
        await until(lambda: gate.cancelled and not pair.host.is_abandoned(exchange.id))
        assert pair.strikes == []


async def test_what_a_handler_did_not_read_or_keeps_reading_is_no_fault(join: Join) -> None:
    readers: list[asyncio.Task[Any]] = []

    async def handler(incoming: Incoming) -> Any:
        readers.append(asyncio.ensure_future(listed(incoming.items())))
        return "early"

    async with join(worker=handler) as pair:
        exchange = await pair.host.exchange("sum", sends=True, takes=False)
        await exchange.send(1)
        assert decoded(await exchange.result()) == "early"
        exchange.end()

        with pytest.raises(PeerClosed):
            await asyncio.wait_for(readers[0], 5)
        assert decoded(await pair.host.request("again")) == "early"
        assert pair.strikes == []


async def test_a_call_without_streams_has_none(join: Join) -> None:
    async def handler(incoming: Incoming) -> Any:
        with pytest.raises(PeerClosed):
            await incoming.send("nobody takes it")
        return await listed(incoming.items())

    async with join(worker=handler) as pair:
        assert decoded(await pair.host.request("tool")) == []
        exchange = await pair.host.exchange("tool")
        with pytest.raises(TypeError):
            await exchange.send("nobody reads it")
        assert pair.strikes == []
