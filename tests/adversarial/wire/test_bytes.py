"""Bytes that are no frames, or frames that nobody may send: strikes for the sender, nothing for anybody else."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import CallTimeout, PeerClosed, ProtocolViolation
from somnus_plugins.wire.frames import Cancel, Header, Request, Response, raw
from tests.support.wire import KIB, LIMITS, Siege, besieged, decoded, framed, open_descriptors, request, until

pytestmark = pytest.mark.anyio

MAX = LIMITS.strikes_max


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return "asyncio", {"use_uvloop": request.param}


async def is_cut(siege: Siege, kind: str) -> None:
    """The connection ends for this kind of strike, one more than is allowed."""
    end = await siege.end()
    assert isinstance(end, ProtocolViolation)
    assert siege.strikes.count(kind) == len(siege.strikes) == MAX + 1
    with pytest.raises(ProtocolViolation):
        await siege.host.request("echo")
    with pytest.raises(EOFError):
        await siege.stranger.receive()


BIG_INTEGER = b"\xc4\xff" + b"\x7f" * 255
MALFORMED = {
    "nothing at all": b"",
    "an opcode that does not exist": b"\xc1",
    "text instead of an array": msgspec.msgpack.encode("hello"),
    "a map instead of an array": msgspec.msgpack.encode({"id": 1}),
    "an unknown type of frame": msgspec.msgpack.encode([99, 1]),
    "a type that is no integer": msgspec.msgpack.encode(["tool", 1]),
    "no id": msgspec.msgpack.encode([4]),
    "an id that is a fraction": msgspec.msgpack.encode([4, 1.5]),
    "an id that is text": msgspec.msgpack.encode([4, "1"]),
    "an id larger than any integer": b"\x92\x04" + BIG_INTEGER,
    "an id beyond 64 bit": b"\x92\x04\xc7\x10\x00" + b"\xff" * 16,
    "less than its lengths say": msgspec.msgpack.encode([2, 1, "x" * 100])[:-1],
    "more than its lengths say": msgspec.msgpack.encode([4, 1]) + b"\x00",
    "an array of 2^32-1 elements": b"\x93\x03\x02\x81\xa4data\xdd\xff\xff\xff\xff",
    "a map of 2^32-1 entries": b"\x93\x03\x02\xdf\xff\xff\xff\xff",
    "text of 2^32-1 bytes": b"\x96\x01\x02\xdb\xff\xff\xff\xff",
    "invalid UTF-8": b"\x97\x01\x02\xa2\xff\xfe\xa0\x90\x00\xc0",
    "a lone surrogate": b"\x97\x01\x02\xa3\xed\xa0\x80\xa0\x90\x00\xc0",
    "nesting 60,000 deep": b"\x93\x02\x01" + b"\x91" * 60_000 + b"\x01",
    "maps nested 30,000 deep": b"\x93\x02\x01" + b"\x81\x01" * 30_000 + b"\x01",
    "a map as the key of a map": b"\x93\x03\x02\x81\x81\x01\x01\x01",
    "an error that is no record": msgspec.msgpack.encode([3, 2, "boom"]),
    "an error whose message is a list": msgspec.msgpack.encode([3, 2, {"message": [[]]}]),
    "a pickle": b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "JSON": b'{"id": 1}',
    "a frame only the host may send": msgspec.msgpack.encode([9, 100]),
    "a grant only the host may send": msgspec.msgpack.encode([11, 1, True]),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_frame_is_a_strike_and_the_next_frame_is_read(body: bytes) -> None:
    async with besieged() as siege:
        await siege.stranger.send(body, request(2, payload="still?"))
        answer = await siege.stranger.receive()

        assert isinstance(answer, Response)
        assert decoded(answer.payload) == "still?"
        assert siege.strikes == ["malformed frame"]
        assert siege.ends == []


@pytest.mark.parametrize("body", [b"\xc1", b"", MALFORMED["nesting 60,000 deep"]], ids=["opcode", "empty", "deep"])
async def test_one_malformed_frame_too_many_cuts_the_connection(body: bytes) -> None:
    async with besieged() as siege:
        await siege.stranger.send(*[body] * (MAX + 3))

        await is_cut(siege, "malformed frame")


@pytest.mark.parametrize("length", [2**31, 2**32 - 1], ids=["2^31", "2^32-1"])
async def test_an_impossible_length_allocates_nothing_and_its_flood_is_cut(length: int) -> None:
    async with besieged() as siege:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await siege.stranger.send_bytes(struct.pack(">I", length))
        await until(lambda: siege.strikes == ["oversized frame"])
        assert siege.ends == []
        sending = asyncio.ensure_future(siege.stranger.send_bytes(b"x" * (LIMITS.inline_max_bytes * (MAX + 4))))

        await is_cut(siege, "oversized frame")
        await sending
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * KIB


async def test_a_frame_that_is_a_little_too_long_is_a_strike_and_the_next_one_is_read() -> None:
    async with besieged() as siege:
        await siege.stranger.send(b"x" * (LIMITS.inline_max_bytes + 1))

        assert await siege.answers()
        assert set(siege.strikes) == {"oversized frame"}


async def test_a_truncated_frame_and_then_silence_costs_the_callers_their_deadline_and_nothing_more() -> None:
    async with besieged() as siege:
        await siege.stranger.send_bytes(framed(request(2))[:-1])
        with pytest.raises(CallTimeout):
            await siege.host.request("tool", header=Header(timeout_s=0.02))
        opening, cancel = await siege.stranger.receive(), await siege.stranger.receive()

        assert isinstance(opening, Request)
        assert cancel == Cancel(opening.id)
        assert (siege.strikes, siege.ends) == ([], [])


async def test_a_frame_sent_byte_by_byte_is_served_like_any_other() -> None:
    async with besieged() as siege:
        for each in framed(request(2, payload="slow")):
            await siege.stranger.send_bytes(bytes([each]))
        answer = await siege.stranger.receive()

        assert isinstance(answer, Response)
        assert decoded(answer.payload) == "slow"
        assert siege.strikes == []


# --- the socket itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["half close", "close", "close with unread bytes", "close inside a frame"])
async def test_however_the_socket_ends_every_call_fails_at_once(how: str) -> None:
    async with besieged() as siege:
        calls = [asyncio.ensure_future(siege.host.request("tool", number)) for number in range(5)]
        exchange = await siege.host.exchange("tool", sends=True)
        for _ in range(6 if how in ("half close", "close") else 1):
            await siege.stranger.receive()
        if how == "close inside a frame":
            await siege.stranger.send_bytes(b"\x00\x00\x00\x09abc")
        if how == "half close":
            siege.stranger.end.shutdown(socket.SHUT_WR)
        else:
            siege.stranger.end.close()

        ends = await asyncio.gather(*calls, exchange.result(), return_exceptions=True)
        assert [type(end) for end in ends] == [PeerClosed] * 6
        assert isinstance(await siege.end(), PeerClosed)
        assert (siege.host.pending, siege.strikes) == (0, [])


async def test_descriptors_that_ride_along_are_dropped_by_the_kernel() -> None:
    read_end, write_end = os.pipe()
    try:
        async with besieged() as siege:
            await siege.neighbour_answers()
            before = open_descriptors()
            for call_id in range(2, 42, 2):
                rights = [write_end] * 100 + [siege.stranger.end.fileno()]
                socket.send_fds(siege.stranger.end, [framed(request(call_id))], rights)
                assert isinstance(await siege.stranger.receive(), Response)

            assert open_descriptors() == before
            assert siege.strikes == []
        os.close(write_end)
        write_end = -1
        assert os.read(read_end, 1) == b"", "somebody still holds the other end of the pipe"
    finally:
        for each in (read_end, write_end):
            if each >= 0:
                os.close(each)


async def test_a_plugin_that_asks_and_never_reads_cannot_fill_the_hosts_memory() -> None:
    served = 0

    async def generous(incoming: Any) -> Any:
        nonlocal served
        served += 1
        return b"x" * (32 * KIB)

    async with besieged(generous, incoming_max=4) as siege:
        flood = framed(*(request(call_id) for call_id in range(2, 400_000, 2)))
        flooding = asyncio.ensure_future(siege.stranger.send_bytes(flood))
        await until(lambda: not siege.host.connection.writable.is_set())
        settled = -1
        while settled != served:
            settled = served
            assert await siege.neighbour_answers()

        assert not flooding.done()
        assert siege.host.serving <= 4
        assert siege.transport.get_write_buffer_size() < 2048 * KIB
        assert siege.host.closed is None
        siege.host.close()
        await flooding


async def test_a_plugin_that_never_reads_cannot_hold_a_caller_past_its_deadline() -> None:
    async with besieged() as siege:
        blob = b"x" * (32 * KIB)
        calls = [
            asyncio.ensure_future(siege.host.request("tool", blob, header=Header(timeout_s=0.1))) for _ in range(60)
        ]
        async with asyncio.timeout(5):
            ends = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(end) for end in ends} == {CallTimeout}
        assert siege.host.pending == 0
        openings = [frame for frame in [await siege.stranger.receive() for _ in range(4)] if isinstance(frame, Request)]
        assert len(openings) == 4


async def test_what_was_never_sent_is_not_sent_after_its_deadline() -> None:
    async with besieged() as siege:
        blob = b"x" * (32 * KIB)
        calls = [siege.host.request("tool", blob, header=Header(timeout_s=0.06)) for _ in range(40)]
        await asyncio.gather(*calls, return_exceptions=True)
        last = asyncio.ensure_future(siege.host.request("last"))
        frames: list[Any] = []
        while not (frames and isinstance(frames[-1], Request) and frames[-1].method == "last"):
            frames.append(await siege.stranger.receive())

        opened = [frame.id for frame in frames[:-1] if isinstance(frame, Request)]
        assert sorted(frame.id for frame in frames if isinstance(frame, Cancel)) == opened
        assert 0 < len(opened) < 40
        assert all(siege.host.is_abandoned(call_id) for call_id in opened)
        await siege.stranger.send(Response(frames[-1].id, raw("at last")))
        assert decoded(await last) == "at last"
