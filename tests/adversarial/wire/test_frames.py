"""Well-formed frames at the wrong time, with the wrong id, or with a lie inside."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import struct
import time
import tracemalloc
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import CallTimeout, PluginError, ProtocolViolation, SomnusError, ToolError, error_classes
from somnus_plugins.wire import shared_memory
from somnus_plugins.wire.connection import IDLE_MAX, PAUSE_S
from somnus_plugins.wire.frames import (
    Cancel,
    Credit,
    End,
    Failure,
    Filled,
    Header,
    Item,
    Progress,
    Request,
    Reserve,
    Reserved,
    Response,
    raw,
)
from somnus_plugins.wire.peer import Exchange, Incoming
from somnus_plugins.wire.streams import ITEM_COST
from tests.support.wire import (
    KIB,
    LIMITS,
    Gate,
    Siege,
    besieged,
    decoded,
    framed,
    open_descriptors,
    request,
    until,
)

pytestmark = pytest.mark.anyio

MAX = LIMITS.strikes_max
HUGE = 2**64 - 1
EVERY_FRAME = [
    Response(1, raw(None)),
    Failure(1, {}),
    Cancel(2),
    Item(1, raw(None)),
    End(2),
    Credit(1, 1),
    Progress(1, 0.5, None, ""),
    Filled(1),
]


async def called(siege: Siege, **options: Any) -> tuple[asyncio.Task[msgspec.Raw], int]:
    """A call of the host's that the stranger has received, and its id."""
    call = asyncio.ensure_future(siege.host.request("tool", **options))
    opening = await siege.stranger.receive()
    assert isinstance(opening, Request)
    return call, opening.id


async def exchanged(siege: Siege, **options: Any) -> Exchange:
    """A call with streams that the stranger has received."""
    exchange = await siege.host.exchange("tool", **options)
    assert isinstance(await siege.stranger.receive(), Request)
    return exchange


async def read_until(exchange: Exchange, error: type[SomnusError]) -> int:
    """How many items there are before the stream ends in this error."""
    count = 0
    with contextlib.suppress(error):
        async for _ in exchange:
            count += 1
        count = -1
    return count


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", EVERY_FRAME, ids=lambda frame: type(frame).__name__)
async def test_a_frame_of_a_call_that_never_was_is_a_strike(frame: Any) -> None:
    async with besieged() as siege:
        await siege.stranger.send(frame)

        assert await siege.answers()
        assert len(siege.strikes) == 1
        assert siege.ends == []


@pytest.mark.parametrize("call_id", [0, 1, 3, -1, -2, -(2**63), HUGE], ids=str)
async def test_a_request_with_an_id_that_is_not_the_workers_is_a_strike(call_id: int) -> None:
    gate = Gate()
    async with besieged(gate) as siege:
        await siege.stranger.send(request(call_id))
        await until(lambda: siege.strikes)

        assert siege.strikes == ["request with an id that is taken or not its own"]
        assert (gate.entered, siege.host.serving) == (0, 0)


async def test_an_id_is_used_once_and_never_again() -> None:
    async with besieged() as siege:
        await siege.stranger.send(request(4), request(4), request(2))
        assert isinstance(await siege.stranger.receive(), Response)
        await siege.stranger.send(request(4))

        assert await siege.answers()
        assert siege.strikes == ["request with an id that is taken or not its own"] * 3


async def test_the_largest_id_is_served_and_leaves_none_after_it() -> None:
    async with besieged() as siege:
        await siege.stranger.send(request(HUGE - 1, payload="last"), request(HUGE - 1), request(2))
        answer = await siege.stranger.receive()

        assert isinstance(answer, Response)
        assert answer.id == HUGE - 1
        await until(lambda: len(siege.strikes) == 2)
        assert siege.host.serving == 0


async def test_the_second_answer_to_a_call_is_a_strike_and_changes_nothing() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        await siege.stranger.send(
            Response(call_id, raw("first")), Response(call_id, raw("second")), Failure(call_id, {"message": "third"})
        )

        assert decoded(await call) == "first"
        assert await siege.answers()
        assert siege.strikes == ["answer to no call"] * 2


async def test_an_answer_to_another_call_does_not_answer_this_one() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege, header=Header(timeout_s=0.05))
        await siege.stranger.send(Response(call_id + 2, raw("yours?")), Response(2, raw("mine?")))

        with pytest.raises(CallTimeout):
            await call
        assert siege.strikes == ["answer to no call"] * 2


async def test_answers_of_one_plugin_never_reach_a_call_to_another() -> None:
    async with besieged() as first, besieged() as second:
        call, call_id = await called(first)
        other, _ = await called(second)
        await second.stranger.send(Response(call_id, raw("from the second")))
        await first.stranger.send(Response(call_id, raw("from the first")))

        assert decoded(await call) == "from the first"
        assert decoded(await other) == "from the second"


async def test_answering_everything_cuts_the_connection_and_fails_what_is_open() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        await siege.stranger.send(*(Response(call_id + 2 * number, raw("?")) for number in range(1, MAX + 3)))

        with pytest.raises(ProtocolViolation, match="answer to no call"):
            await call
        assert siege.host.pending == 0
        assert len(siege.strikes) == MAX + 1


async def test_a_late_answer_is_free_once_and_then_a_strike() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege, header=Header(timeout_s=0.01))
        with pytest.raises(CallTimeout):
            await call
        late = [Progress(call_id, 1, 1, "late"), Item(call_id, raw(1)), Credit(call_id, 1), Response(call_id, raw(1))]
        assert await siege.stranger.receive() == Cancel(call_id)
        await siege.stranger.send(*late)
        assert await siege.answers()
        assert siege.strikes == []
        await siege.stranger.send(*late)

        assert await siege.answers()
        assert len(siege.strikes) == 4


# --- streams ----------------------------------------------------------------------------------------------------------


async def test_items_without_credit_are_strikes_and_are_not_kept() -> None:
    async with besieged() as siege:
        exchange = await exchanged(siege)
        flood = framed(*[Item(exchange.id, raw(b"x" * KIB))] * 1_000)
        tracemalloc.start()
        try:
            await siege.stranger.send_bytes(flood)
            end = await siege.end()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert isinstance(end, ProtocolViolation)
        assert siege.strikes == ["item without credit"] * (MAX + 1)
        assert held < 8 * LIMITS.window_bytes + len(flood)
        kept = await read_until(exchange, ProtocolViolation)
        assert 0 < kept * KIB <= LIMITS.window_bytes


async def test_empty_items_cost_what_they_take() -> None:
    async with besieged() as siege:
        exchange = await exchanged(siege)
        await siege.stranger.send(*[Item(exchange.id, raw(None))] * 400)

        await siege.end()
        assert set(siege.strikes) == {"item without credit"}


async def test_items_and_ends_where_no_stream_is_are_strikes() -> None:
    gate = Gate()
    async with besieged(gate) as siege:
        call, call_id = await called(siege)
        await siege.stranger.send(Item(call_id, raw(1)), End(call_id), Credit(call_id, 1))
        await siege.stranger.send(request(2), Item(2, raw(1)), End(2), Credit(2, 1))

        await until(lambda: len(siege.strikes) == 6)
        assert siege.strikes[0] == "item of no stream"
        assert siege.strikes[3:] == ["item of no stream", "end of no stream", "credit for no stream"]
        await siege.stranger.send(Response(call_id, raw("fine")))
        assert decoded(await call) == "fine"


async def test_an_item_after_the_end_is_a_strike() -> None:
    async def listing(incoming: Incoming) -> Any:
        items = [decoded(each) async for each in incoming.items()]
        await gate.open.wait()
        return items

    gate = Gate()
    async with besieged(listing) as siege:
        await siege.stranger.send(request(2, streams=1), Item(2, raw("a")), End(2), End(2), Item(2, raw("b")))
        await until(lambda: siege.strikes)
        gate.open.set()
        answer = await siege.stranger.receive()

        assert isinstance(answer, Response)
        assert decoded(answer.payload) == ["a"]
        assert siege.strikes == ["item without credit"]


async def test_an_item_after_the_answer_is_a_strike() -> None:
    async with besieged() as siege:
        exchange = await exchanged(siege)
        await siege.stranger.send(
            Item(exchange.id, raw(1)), Response(exchange.id, raw("end")), Item(exchange.id, raw(2))
        )

        assert [decoded(each) async for each in exchange] == [1]
        assert await siege.answers()
        assert siege.strikes == ["item of no stream"]


@pytest.mark.parametrize("count", [0, -1, -(2**63)])
async def test_credit_that_is_not_positive_is_a_strike(count: int) -> None:
    async with besieged() as siege:
        exchange = await exchanged(siege, sends=True)
        await siege.stranger.send(*[Credit(exchange.id, count)] * 3)

        assert await siege.answers()
        assert siege.strikes == ["credit that is not positive"] * 3
        await exchange.send("within the window")
        assert isinstance(await siege.stranger.receive(), Item)


async def test_endless_credit_does_not_make_the_host_pour_into_a_socket_that_is_not_read() -> None:
    async with besieged() as siege:
        exchange = await exchanged(siege, sends=True)
        await siege.stranger.send(*[Credit(exchange.id, HUGE)] * 3)

        async def pour() -> None:
            while True:
                await exchange.send(b"x" * (16 * KIB))

        pouring = asyncio.ensure_future(pour())
        await until(lambda: not siege.host.connection.writable.is_set())
        assert await siege.neighbour_answers()
        assert siege.transport.get_write_buffer_size() < 512 * KIB
        assert not pouring.done()
        pouring.cancel()
        await asyncio.wait([pouring])
        assert siege.strikes == []


@pytest.mark.parametrize("streams", [-1, 4, 2**62 + 3, HUGE])
async def test_unknown_kinds_of_streams_do_no_harm(streams: int) -> None:
    async with besieged() as siege:
        await siege.stranger.send(request(2, payload="x", streams=streams))
        answer = await siege.stranger.receive()

        assert isinstance(answer, Response)
        assert siege.strikes == []


# --- requests and cancels ---------------------------------------------------------------------------------------------


async def test_a_flood_of_requests_is_answered_overloaded_beyond_the_cap() -> None:
    gate = Gate()
    async with besieged(gate) as siege:
        await siege.stranger.send(*(request(call_id) for call_id in range(2, 402, 2)))
        answers = [await siege.stranger.receive() for _ in range(200 - LIMITS.incoming_max)]

        assert all(isinstance(each, Failure) and each.error["code"] == "overloaded" for each in answers)
        assert siege.host.serving == gate.entered == LIMITS.incoming_max
        gate.open.set()
        assert [type(await siege.stranger.receive()) for _ in range(LIMITS.incoming_max)] == [Response] * 16
        assert siege.strikes == []


async def test_a_request_cancelled_in_the_same_breath_is_answered_and_forgotten() -> None:
    gate = Gate()
    async with besieged(gate) as siege:
        for call_id in range(2, 202, 2):
            await siege.stranger.send(request(call_id), Cancel(call_id), Cancel(call_id))
            answer = await siege.stranger.receive()
            assert isinstance(answer, Failure)
            assert answer.id == call_id

        await until(lambda: siege.host.serving == 0)
        assert siege.strikes == []


async def test_repeated_cancels_do_not_break_into_what_a_handler_cleans_up() -> None:
    cleaned: list[str] = []

    async def careful(incoming: Incoming) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            await gate.open.wait()
            cleaned.append("all")

    gate = Gate()
    async with besieged(careful) as siege:
        await siege.stranger.send(request(2))
        await until(lambda: siege.host.serving)
        for _ in range(5):
            await siege.stranger.send(*[Cancel(2)] * 20)
            assert await siege.neighbour_answers()
        assert siege.host.serving == 1
        gate.open.set()

        assert isinstance(await siege.stranger.receive(), Failure)
        assert cleaned == ["all"]


async def test_a_cancel_does_not_stop_an_answer_that_waits_for_the_plugin_to_read() -> None:
    async def generous(incoming: Incoming) -> Any:
        return b"x" * (48 * KIB)

    async with besieged(generous) as siege:
        ids = range(2, 34, 2)
        await siege.stranger.send(*(request(call_id) for call_id in ids))
        await until(lambda: siege.host.serving and not siege.host.connection.writable.is_set())
        for call_id in ids:
            siege.host.connection.take(framed(Cancel(call_id))[4:])
        answered = [(await siege.stranger.receive()).id for _ in ids]  # type: ignore[union-attr]  # all of them have ids

        assert sorted(answered) == list(ids)
        await until(lambda: siege.host.serving == 0)


async def test_a_header_of_the_plugins_own_gives_it_nothing() -> None:
    seen: list[Header] = []

    async def slow(incoming: Incoming) -> Any:
        seen.append(incoming.header)
        await gate.open.wait()

    gate = Gate()
    forged = Header(float("nan"), "0" * 32, "root/admin", -5, ("a/b",) * 1_000, "operator", "stolen")
    async with besieged(slow) as siege:
        for call_id, header in ((2, forged), (4, Header(timeout_s=-1.0)), (6, Header(timeout_s=float("inf")))):
            await siege.stranger.send(Request(call_id, "tool", "", header, 0, raw(None)))
        await until(lambda: len(seen) == 3)

        call, call_id = await called(siege, header=Header(caller="a/b", user="u"))
        await siege.stranger.send(Response(call_id, raw("ok")))
        assert decoded(await call) == "ok"
        assert siege.host.serving == 3, "a deadline of the plugin's own choice has no effect"
        gate.open.set()


# --- errors -----------------------------------------------------------------------------------------------------------

FOREIGN = sorted({each.code for each in error_classes() if not issubclass(each, PluginError)})


@pytest.mark.parametrize("code", [*FOREIGN, "SystemExit", "", "tool_error\x00", "x" * 10_000])
async def test_a_plugin_cannot_make_the_host_raise_anything_but_a_plugin_error(code: str) -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        await siege.stranger.send(Failure(call_id, {"code": code, "message": "you must agree", "remedy": "Run it."}))
        with pytest.raises(PluginError) as caught:
            await call

        assert type(caught.value) is PluginError
        assert caught.value.exit_code == 1
        assert siege.strikes == []


async def test_long_texts_of_an_error_are_cut() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        await siege.stranger.send(
            Failure(call_id, {"code": "tool_error", "message": "m" * 20_000, "remedy": "r" * 20_000})
        )
        with pytest.raises(ToolError) as caught:
            await call

        assert (len(caught.value.message), len(caught.value.remedy)) == (4_000, 4_000)
        assert siege.strikes == []


def colliding_keys(count: int) -> bytes:
    """A map whose keys are pairs of integers with one hash."""
    prime_1, prime_2, prime_5, full = 11400714785074694791, 14029467366897019727, 2870177450012600261, 2**64
    keys: list[tuple[int, int]] = []
    first = 0
    while len(keys) < count:
        first += 1
        lane = (prime_5 + first * prime_2) % full
        lane = ((lane << 31 | lane >> 33) % full) * prime_1 % full
        target = 12345 * pow(prime_1, -1, full) % full
        second = ((target << 33 | target >> 31) % full - lane) * pow(prime_2, -1, full) % full
        second -= full if second >> 63 else 0
        if abs(second) < 2**61 - 1:
            keys.append((first, second))
    assert len({hash(key) for key in keys}) == 1
    return b"\xde" + struct.pack(">H", count) + b"".join(msgspec.msgpack.encode(key) + b"\x01" for key in keys)


@pytest.mark.parametrize(
    "data",
    [
        colliding_keys(4_000),
        b"\xdd" + struct.pack(">I", 60_000) + b"\x90" * 60_000,
        b"\x91" * 900 + b"\x01",
        b"\xa2\xff\xfe",
        b"\x05",
        b"\x81\x81\x01\x01\x01",
        b"\x81\x92\x01\x02\x03",
        b"\x81\xa1a\x81\x92\x01\x02\x03",
        b"\x81\x05\x01",
    ],
    ids=[
        "keys of one hash",
        "60,000 lists",
        "deep",
        "invalid UTF-8",
        "a number",
        "a map as key",
        "an array as key",
        "an array as key further in",
        "a number as key",
    ],
)
async def test_hostile_data_of_an_error_is_dropped(data: bytes) -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        body = b"\x93\x03" + msgspec.msgpack.encode(call_id) + b"\x82\xa4code\xaatool_error\xa4data" + data
        await siege.stranger.send(body)
        with pytest.raises(PluginError) as caught:
            await call

        assert type(caught.value) is ToolError
        assert caught.value.data == {}
        assert siege.strikes == []


async def test_small_data_of_an_error_is_kept() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        await siege.stranger.send(Failure(call_id, {"code": "tool_error", "data": raw({"row": 7})}))
        with pytest.raises(ToolError) as caught:
            await call

        assert caught.value.data == {"row": 7}
        assert caught.value.message != ""


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_a_flood_of_progress_with_long_texts_is_cut_to_size() -> None:
    heard: list[tuple[float, float | None, str]] = []
    async with besieged() as siege:
        call, call_id = await called(siege, progress=lambda *each: heard.append(each))
        await siege.stranger.send(*[Progress(call_id, float("inf"), -1.0, "\x1b[2J" + "x" * 9_000)] * 50)
        await siege.stranger.send(Response(call_id, raw("done")))

        assert decoded(await call) == "done"
        assert len(heard) == 50
        assert max(len(text) for _, _, text in heard) == 1_000
        assert siege.strikes == []


# --- floods -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [Cancel(2), End(2), Credit(2, 1), Item(2, raw(None))], ids=lambda it: type(it).__name__
)
async def test_frames_of_ended_calls_without_end_cut_the_connection(kind: Any) -> None:
    on_their_way = LIMITS.incoming_max * LIMITS.window_bytes // ITEM_COST
    async with besieged() as siege:
        await siege.stranger.send(request(2, streams=3))
        assert isinstance(await siege.stranger.receive(), Response)
        await siege.stranger.send(*[kind] * on_their_way)
        assert await siege.answers()
        assert siege.strikes == []
        await siege.stranger.send(*[kind] * 3 * on_their_way)

        assert isinstance(await siege.end(), ProtocolViolation)
        assert set(siege.strikes) == {"frames of ended calls without end"}


async def test_a_flood_of_progress_leaves_the_host_most_of_its_time() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege, progress=lambda *_: None)
        flood = asyncio.ensure_future(siege.stranger.send(*[Progress(call_id, 1.0, None, "")] * 5_000))
        used, began = time.process_time(), time.monotonic()
        await flood
        await siege.stranger.send(Response(call_id, raw("done")))

        assert decoded(await call) == "done"
        assert time.monotonic() - began > 5_000 / IDLE_MAX * PAUSE_S * 0.8
        assert time.process_time() - used < 0.6 * (time.monotonic() - began)
        assert siege.strikes == []


# --- shared memory ----------------------------------------------------------------------------------------------------


async def test_reserving_again_and_again_holds_one_piece_of_memory() -> None:
    async with besieged() as siege:
        before = len(open_descriptors())
        await siege.stranger.send(*(Reserve(ticket % 3, 1024 * KIB) for ticket in range(300)))
        grants = [await siege.stranger.receive() for _ in range(300)]

        assert [each.granted for each in grants if isinstance(each, Reserved)] == [True] + [False] * 299
        assert len(open_descriptors()) == before + 1
        assert siege.strikes == []


@pytest.mark.parametrize("length", [0, -1, LIMITS.receive_max_bytes + 1, HUGE])
async def test_memory_of_an_impossible_size_is_not_made(length: int) -> None:
    async with besieged() as siege:
        before = open_descriptors()
        await siege.stranger.send(Reserve(1, length))

        assert await siege.stranger.receive() == Reserved(1, False)
        assert open_descriptors() == before
        with pytest.raises(OSError, match="unavailable"):
            shared_memory.collect(siege.channel)


async def test_filling_what_was_not_reserved_or_filling_twice_is_a_strike() -> None:
    async with besieged() as siege:
        await siege.stranger.send(Filled(7), Reserve(1, 100), Filled(2), Filled(1, written=False), Filled(1))

        assert await siege.stranger.receive() == Reserved(1, True)
        assert await siege.answers()
        assert siege.strikes == ["memory that was not reserved"] * 3


async def test_memory_that_was_never_written_is_a_malformed_frame() -> None:
    async with besieged() as siege:
        before = open_descriptors()
        for ticket in range(3):
            await siege.stranger.send(Reserve(ticket, 1024 * KIB), Filled(ticket))
            assert await siege.stranger.receive() == Reserved(ticket, True)
            os.close(shared_memory.collect(siege.channel))

        assert await siege.answers()
        assert siege.strikes == ["malformed frame"] * 3
        assert open_descriptors() == before


async def test_a_channel_that_is_never_emptied_refuses_the_next_memory_and_nothing_else() -> None:
    async with besieged(strikes_max=1_000) as siege:
        granted = True
        ticket = 0
        while granted and ticket < 10_000:
            ticket += 1
            await siege.stranger.send(Reserve(ticket, 1), Filled(ticket, written=False))
            answer = await siege.stranger.receive()
            granted = isinstance(answer, Reserved) and answer.granted

        assert not granted
        assert await siege.answers()
        assert siege.host.closed is None


async def test_what_a_plugin_writes_after_it_said_filled_changes_nothing() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        body = framed(Response(call_id, raw(b"honest" * 20_000)))[4:]
        await siege.stranger.send(Reserve(1, len(body)))
        assert await siege.stranger.receive() == Reserved(1, True)
        descriptor = shared_memory.collect(siege.channel)
        with mmap.mmap(descriptor, len(body)) as theirs:
            theirs[:] = body
            for size in (0, len(body) - 1, len(body) + 1):
                with pytest.raises(PermissionError):
                    os.ftruncate(descriptor, size)
            await siege.stranger.send(Filled(1))
            result = await call
            theirs[:] = b"\xc1" * len(body)

            assert decoded(result) == b"honest" * 20_000
        os.close(descriptor)
        assert siege.strikes == []


async def test_what_follows_a_large_frame_waits_until_it_has_been_taken() -> None:
    async with besieged() as siege:
        exchange = await exchanged(siege)
        body = framed(Item(exchange.id, raw(b"x" * (1024 * KIB))))[4:]
        await siege.stranger.send(Reserve(1, len(body)))
        assert await siege.stranger.receive() == Reserved(1, True)
        shared_memory.fill(shared_memory.collect(siege.channel), body)
        await siege.stranger.send(Filled(1), Response(exchange.id, raw("end")))

        assert [len(decoded(each)) async for each in exchange] == [1024 * KIB]
        assert decoded(await exchange.result()) == "end"
        assert siege.strikes == []


async def test_a_large_error_of_a_plugin_is_not_decoded_into_the_hosts_memory() -> None:
    async with besieged() as siege:
        call, call_id = await called(siege)
        lists = b"\xdd" + struct.pack(">I", 1_500_000) + b"\x90" * 1_500_000
        body = b"\x93\x03" + msgspec.msgpack.encode(call_id) + b"\x81\xa4data" + lists
        await siege.stranger.send(Reserve(1, len(body)))
        assert await siege.stranger.receive() == Reserved(1, True)
        shared_memory.fill(shared_memory.collect(siege.channel), body)
        tracemalloc.start()
        try:
            await siege.stranger.send(Filled(1))
            with pytest.raises(PluginError):
                await call
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 3 * len(body)
        assert siege.strikes == []
