"""Credit: who may send, who waits, and what is given back."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import PeerClosed, ToolError
from somnus_plugins.wire.streams import Inbox, Outbox
from tests.support.wire import decoded, turns

pytestmark = pytest.mark.anyio


def item(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))


class Returned(list[int]):
    """Credit that an inbox gave back."""

    def __call__(self, count: int) -> None:
        self.append(count)


async def test_items_come_out_in_order_and_the_stream_ends_after_them() -> None:
    inbox = Inbox(100, Returned())
    for number in range(3):
        assert inbox.put(item(number), 10)
    inbox.end()

    assert [decoded(each) async for each in inbox] == [0, 1, 2]
    assert inbox.ended
    with pytest.raises(StopAsyncIteration):
        await anext(inbox)


async def test_an_error_comes_after_the_items_and_stays() -> None:
    inbox = Inbox(100, Returned())
    inbox.put(item("a"), 10)
    inbox.end(ToolError("broken"))
    inbox.end(PeerClosed("later"))

    assert decoded(await anext(inbox)) == "a"
    for _ in range(2):
        with pytest.raises(ToolError):
            await anext(inbox)


async def test_a_reader_waits_for_an_item_and_for_the_end() -> None:
    inbox = Inbox(100, Returned())
    reading = asyncio.ensure_future(anext(inbox))
    await turns(2)
    assert not reading.done()
    inbox.put(item("late"), 10)
    assert decoded(await reading) == "late"

    ending = asyncio.ensure_future(anext(inbox, "end"))  # type: ignore[arg-type]  # the default is what is looked for
    await turns(2)
    inbox.end()
    assert await ending == "end"


async def test_a_reader_that_was_cancelled_loses_nothing() -> None:
    inbox = Inbox(100, Returned())
    reading = asyncio.ensure_future(anext(inbox))
    await turns(2)
    reading.cancel()
    await asyncio.wait([reading])
    inbox.put(item("kept"), 10)

    assert decoded(await anext(inbox)) == "kept"
    assert reading.cancelled()


async def test_an_item_without_credit_or_after_the_end_is_not_taken() -> None:
    inbox = Inbox(100, Returned())

    assert inbox.put(item(1), 99)
    assert inbox.put(item(2), 500), "one item may exceed what is left"
    assert not inbox.put(item(3), 1)
    inbox.end()
    assert not inbox.put(item(4), 1)
    assert [decoded(each) async for each in inbox] == [1, 2]


async def test_credit_is_given_back_by_half_windows_and_not_after_the_end() -> None:
    returned = Returned()
    inbox = Inbox(100, returned)
    for _ in range(5):
        inbox.put(item(None), 20)
    assert not inbox.put(item(None), 20)
    for _ in range(2):
        await anext(inbox)
    assert returned == []
    await anext(inbox)
    assert returned == [60]
    assert inbox.put(item(None), 20)

    inbox.end()
    assert len([each async for each in inbox]) == 3
    assert returned == [60]


async def test_a_sender_waits_without_credit_and_goes_on_with_it() -> None:
    outbox = Outbox(10)
    await outbox.ready()
    outbox.spend(25)
    waiting = asyncio.ensure_future(outbox.ready())
    outbox.add(15)
    await turns(3)
    assert not waiting.done()
    outbox.add(1)

    await asyncio.wait_for(waiting, 5)
    assert not outbox.closed


async def test_every_waiting_sender_wakes_and_none_is_forgotten() -> None:
    outbox = Outbox(1)
    outbox.spend(1)
    sent: list[int] = []

    async def sender(number: int) -> None:
        await outbox.ready()
        outbox.spend(1)
        sent.append(number)

    senders = [asyncio.ensure_future(sender(number)) for number in range(4)]
    for expected in range(1, 5):
        await turns(5)
        outbox.add(1)
        await turns(5)
        assert len(sent) == expected
    await asyncio.wait_for(asyncio.gather(*senders), 5)
    assert sorted(sent) == [0, 1, 2, 3]


async def test_closing_wakes_all_senders() -> None:
    outbox = Outbox(0)
    waiting = [asyncio.ensure_future(outbox.ready()) for _ in range(3)]
    await turns(2)
    assert not any(each.done() for each in waiting)
    outbox.close()

    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert outbox.closed
