"""The transport without a socket keeps what a socket keeps."""

from __future__ import annotations

import asyncio

import pytest

from somnus_plugins.wire.memory import HIGH_WATER_BYTES, MemoryTransport
from tests.support.wire import turns, until

pytestmark = pytest.mark.anyio


class Noting(asyncio.Protocol):
    """A protocol that notes what it is told."""

    def __init__(self) -> None:
        self.received = b""
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += data

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")


def ends() -> tuple[MemoryTransport, Noting, MemoryTransport, Noting]:
    loop = asyncio.get_running_loop()
    near, far, near_protocol, far_protocol = MemoryTransport(loop), MemoryTransport(loop), Noting(), Noting()
    near.join(near_protocol, far)
    far.join(far_protocol, near)
    return near, near_protocol, far, far_protocol


async def test_bytes_arrive_in_order_on_the_next_turn_and_never_at_once() -> None:
    near, _, _, far_protocol = ends()
    near.write(b"ab")
    near.write(bytearray(b"cd"))
    near.write(memoryview(b"ef"))
    assert far_protocol.received == b""

    await turns(2)
    assert far_protocol.received == b"abcdef"
    assert far_protocol.told == ["made"]


async def test_what_is_written_is_not_changed_by_what_happens_to_the_buffer_later() -> None:
    near, _, _, far_protocol = ends()
    buffer = bytearray(b"before")
    near.write(buffer)
    buffer[:] = b"after!"

    await turns(2)
    assert far_protocol.received == b"before"
    assert not near.is_closing()


async def test_a_writer_is_paused_once_and_resumed_when_the_other_end_reads() -> None:
    near, near_protocol, far, far_protocol = ends()
    far.pause_reading()
    for _ in range(5):
        near.write(b"x" * HIGH_WATER_BYTES)
    await turns(5)
    assert near_protocol.told == ["made", "pause"]
    assert far_protocol.received == b""

    far.resume_reading()
    await until(lambda: len(far_protocol.received) == 5 * HIGH_WATER_BYTES)
    assert near_protocol.told == ["made", "pause", "resume"]


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_closing_one_end_closes_both_and_tells_each_once(how: str) -> None:
    near, near_protocol, far, far_protocol = ends()
    getattr(far, how)()
    getattr(near, how)()
    near.write(b"into the void")

    await turns(3)
    assert near_protocol.told == far_protocol.told == ["made", "lost"]
    assert near.is_closing()
    assert far.is_closing()
    assert far_protocol.received == b""
