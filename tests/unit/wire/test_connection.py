"""How much of what arrives a host takes before everybody else has had a turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from somnus_plugins.wire.connection import IDLE_MAX, TURN_FRAMES, Connection, PeerLimits, Side
from somnus_plugins.wire.frames import Cancel, Frame
from tests.support.wire import StillTransport, framed, turns, until

pytestmark = pytest.mark.anyio

COUNT = 3 * TURN_FRAMES + 10


def listening(side: Side, *, idle: bool = False, **limits: Any) -> tuple[Connection, StillTransport, list[Frame]]:
    """A connection that notes what it takes."""
    connection, transport, taken = Connection(side, PeerLimits(**limits)), StillTransport(), list[Frame]()

    def take(frame: Frame) -> None:
        taken.append(frame)
        connection.idle += idle

    connection.receivers[Cancel] = take
    connection.connection_made(transport)
    return connection, transport, taken


async def test_a_host_takes_a_large_reading_in_several_turns_and_in_order() -> None:
    connection, transport, taken = listening(Side.HOST)
    connection.data_received(framed(*map(Cancel, range(COUNT))))
    assert len(taken) == TURN_FRAMES
    assert not transport.reading

    await turns(5)
    assert taken == [*map(Cancel, range(COUNT))]
    assert transport.reading


async def test_a_worker_takes_everything_at_once() -> None:
    connection, transport, taken = listening(Side.WORKER, idle=True)
    connection.data_received(framed(*map(Cancel, range(COUNT))))

    assert len(taken) == COUNT
    assert transport.reading


@pytest.mark.parametrize("together", [True, False], ids=["in one reading", "one by one"])
async def test_frames_that_carry_nothing_forward_make_a_host_pause(together: bool) -> None:
    connection, transport, taken = listening(Side.HOST, idle=True)
    frames = [framed(Cancel(number)) for number in range(COUNT)]
    for data in [b"".join(frames)] if together else frames[: IDLE_MAX + 1]:
        connection.data_received(data)
    await turns(3)
    assert TURN_FRAMES <= len(taken) <= TURN_FRAMES + IDLE_MAX + 1
    assert not transport.reading

    await until(lambda: transport.reading)
    assert len(taken) == (COUNT if together else IDLE_MAX + 1)


async def test_who_holds_a_connection_is_not_overtaken_by_another_who_lets_go() -> None:
    connection, transport, taken = listening(Side.HOST)
    connection.hold()
    connection.hold()
    connection.release()
    assert (connection.halted, transport.reading) == (True, False)

    connection.release()
    connection.data_received(framed(Cancel(2)))
    assert taken == [Cancel(2)]
    assert transport.reading


async def test_a_connection_that_ends_in_a_pause_takes_nothing_more() -> None:
    connection, transport, taken = listening(Side.HOST)
    connection.data_received(framed(*map(Cancel, range(COUNT))))
    connection.connection_lost(None)

    await turns(5)
    assert len(taken) == TURN_FRAMES
    assert transport.aborted
    assert asyncio.get_running_loop().is_running()
