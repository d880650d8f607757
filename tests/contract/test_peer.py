"""What two peers promise each other, over each way they can be joined."""

from __future__ import annotations

import asyncio
import datetime
import gc
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import (
    CallTimeout,
    ConsentRequired,
    HostLost,
    InvalidInput,
    InvalidResult,
    Overloaded,
    PeerClosed,
    PermissionDenied,
    PluginError,
    PluginRaised,
    TemporaryError,
    ToolError,
    error_classes,
)
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.peer import Incoming, Peer, Side
from tests.contract.conftest import Join, Way
from tests.support.wire import KIB, LIMITS, Gate, Pair, decoded, faults_of_the_loop, turns, until

pytestmark = pytest.mark.anyio

BOTH_DIRECTIONS = pytest.mark.parametrize("caller", [Side.HOST, Side.WORKER], ids=["host calls", "worker calls"])


@pytest.fixture
def anyio_backend(way: Way) -> Any:
    return way.backend


def failing(error: BaseException) -> Callable[[Incoming], Awaitable[Any]]:
    async def handler(incoming: Incoming) -> Any:
        raise error

    return handler


# --- one request, one answer ------------------------------------------------------------------------------------------


@BOTH_DIRECTIONS
async def test_a_request_reaches_the_other_side_and_its_result_comes_back(join: Join, caller: Side) -> None:
    seen: list[Incoming] = []

    async def handler(incoming: Incoming) -> Any:
        seen.append(incoming)
        return {"length": len(decoded(incoming.payload)["text"])}

    header = Header(timeout_s=9.0, trace="ab" * 16, caller="a/b", depth=2, chain=("x/y", "a/b"), user="u", session="s")
    async with join(host=handler, worker=handler) as pair:
        calling, called = pair.sides(caller)
        result = await calling.request("tool", {"text": "zygote"}, "search", header)

        assert decoded(result) == {"length": 6}
        assert (seen[0].method, seen[0].target, seen[0].header) == ("tool", "search", header)
        assert not seen[0].streams_in
        assert not seen[0].wants_items
        await until(lambda: called.serving == 0)
        assert calling.pending == 0
        assert pair.strikes == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**63),
        2**64 - 1,
        0.1,
        float("inf"),
        "",
        "Schlaf, 眠り, 😴",
        b"\x00\xff" * 100,
        [],
        [1, [2, [3, [None]]]],
        {"a": {"b": [1, 2.5, "c"]}, "": None},
        {1: "one", 2: "two"},
        datetime.datetime(2024, 2, 29, 12, 0, 0, 1, datetime.UTC),
        "x" * 20_000,
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_a_value_arrives_as_it_was_sent(join: Join, value: Any) -> None:
    async with join() as pair:
        assert decoded(await pair.host.request("echo", value)) == value
        assert decoded(await pair.worker.request("echo", value)) == value


async def test_a_result_can_be_decoded_as_the_type_it_should_have(join: Join) -> None:
    class Hit(msgspec.Struct):
        title: str
        score: float

    async def handler(incoming: Incoming) -> Any:
        return [Hit("a", 0.5), Hit("b", 0.25)]

    async with join(worker=handler) as pair:
        result = await pair.host.request("search")

        assert msgspec.msgpack.decode(result, type=list[Hit]) == [Hit("a", 0.5), Hit("b", 0.25)]
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(result, type=int)


async def test_many_calls_in_flight_each_get_their_own_answer(join: Join) -> None:
    async def late_first(incoming: Incoming) -> Any:
        number = decoded(incoming.payload)
        await turns(50 - number)
        return number

    async with join(worker=late_first, limits=replace(LIMITS, incoming_max=64)) as pair:
        answers = await asyncio.gather(*(pair.host.request("n", number) for number in range(50)))

        assert [decoded(each) for each in answers] == list(range(50))
        assert pair.host.pending == 0
        assert pair.strikes == []


async def test_ids_of_the_two_sides_never_meet(join: Join) -> None:
    ids: dict[str, list[int]] = {"host": [], "worker": []}

    async def noting(side: str, incoming: Incoming) -> Any:
        ids[side].append(incoming.id)

    async with join(host=partial(noting, "host"), worker=partial(noting, "worker")) as pair:
        for _ in range(3):
            await asyncio.gather(pair.host.request("a"), pair.worker.request("b"))

        assert ids["worker"] == [1, 3, 5]
        assert ids["host"] == [2, 4, 6]


async def test_calls_nest_in_both_directions_without_waiting_for_each_other(join: Join) -> None:
    pairs: list[Pair] = []

    async def descend(other: str, incoming: Incoming) -> int:
        depth: int = decoded(incoming.payload)
        peer: Peer = getattr(pairs[0], other)
        return depth if depth == 0 else 1 + decoded(await peer.request("down", depth - 1))

    limits = replace(LIMITS, incoming_max=64)
    async with join(host=partial(descend, "host"), worker=partial(descend, "worker"), limits=limits) as pair:
        pairs.append(pair)
        answers = await asyncio.gather(*(peer.request("down", 6) for peer in (pair.host, pair.worker) * 4))

        assert [decoded(each) for each in answers] == [6] * 8
        assert pair.strikes == []


# --- errors -----------------------------------------------------------------------------------------------------------

PLUGIN_ERRORS = [each for each in error_classes() if issubclass(each, PluginError)]


@pytest.mark.parametrize("kind", PLUGIN_ERRORS, ids=lambda kind: kind.code)
@BOTH_DIRECTIONS
async def test_an_error_of_the_tree_keeps_class_message_remedy_and_data(join: Join, kind: Any, caller: Side) -> None:
    error = kind("found 3, allowed 2", remedy="Remove one.", data={"found": 3, "where": ["a", {"b": 1}]})
    async with join(host=failing(error), worker=failing(error)) as pair:
        with pytest.raises(PluginError) as caught:
            await pair.sides(caller)[0].request("tool")

    assert type(caught.value) is kind
    assert caught.value.code == error.code
    assert (caught.value.message, caught.value.remedy) == ("found 3, allowed 2", "Remove one.")
    assert caught.value.data == error.data


async def test_the_delay_of_a_temporary_error_arrives(join: Join) -> None:
    async with join(worker=failing(TemporaryError("busy", 7.5))) as pair:
        with pytest.raises(TemporaryError) as caught:
            await pair.host.request("tool")

    assert caught.value.delay_s == 7.5
    assert caught.value.data == {"delay_s": 7.5}


async def test_only_a_worker_can_be_told_of_errors_beyond_plugin_errors(join: Join) -> None:
    handler = failing(ConsentRequired("a person has to agree", data={"plan": {"steps": ["x"] * 10_000}}))
    async with join(host=handler, worker=handler) as pair:
        with pytest.raises(ConsentRequired) as told:
            await pair.worker.request("tool")
        with pytest.raises(PluginError) as refused:
            await pair.host.request("tool")

    assert len(told.value.data["plan"]["steps"]) == 10_000
    assert type(refused.value) is PluginError
    assert refused.value.message == "a person has to agree"
    assert refused.value.data == {}


async def test_the_words_of_a_foreign_exception_do_not_cross(join: Join) -> None:
    secret = RuntimeError("password=hunter2")
    async with join(worker=failing(secret)) as pair:
        with faults_of_the_loop() as faults, pytest.raises(PluginRaised) as caught:
            await pair.host.request("tool")

    assert caught.value.data == {"class": "RuntimeError"}
    assert "hunter2" not in str(caught.value.to_record())
    assert [each["exception"] for each in faults] == [secret]


@pytest.mark.parametrize(
    "value",
    [object(), 2**70, "\ud800", {"a": complex(1)}, {(): [{()}], b"": 1j}],
    ids=["an object", "a large number", "a lone surrogate", "a complex number", "a set"],
)
async def test_what_cannot_be_encoded_is_an_error_of_that_call_alone(join: Join, value: Any) -> None:
    async def returning(incoming: Incoming) -> Any:
        return value if incoming.method == "bad" else "good"

    async with join(worker=returning) as pair:
        with pytest.raises(InvalidInput, match="arguments cannot be sent"):
            await pair.host.request("tool", value)
        with pytest.raises(InvalidResult, match="result cannot be sent"):
            await pair.host.request("bad")
        with pytest.raises(InvalidInput):
            await pair.host.exchange("tool", value)

        assert decoded(await pair.host.request("good")) == "good"
        assert pair.host.pending == 0


async def test_an_error_whose_data_cannot_be_encoded_still_ends_the_call(join: Join) -> None:
    async with join(worker=failing(ToolError("odd", data={"thing": object()}))) as pair:
        with pytest.raises(InvalidResult):
            await pair.host.request("tool")
        assert pair.strikes == []


async def test_without_shared_memory_a_large_body_is_refused_on_the_side_that_made_it(join: Join) -> None:
    large = b"x" * (LIMITS.inline_max_bytes + 1)

    async def returning(incoming: Incoming) -> Any:
        return large if incoming.method == "big" else None

    async with join(worker=returning) as pair:
        with pytest.raises(InvalidInput, match="65,"):
            await pair.host.request("tool", large)
        with pytest.raises(InvalidResult, match="65,"):
            await pair.host.request("big")

        assert decoded(await pair.host.request("small")) is None
        assert pair.strikes == []


# --- deadlines and cancelling -----------------------------------------------------------------------------------------


@BOTH_DIRECTIONS
async def test_a_call_past_its_deadline_fails_and_its_callee_is_cancelled(join: Join, caller: Side) -> None:
    gate = Gate()
    async with join(host=gate, worker=gate) as pair:
        calling, called = pair.sides(caller)
        with pytest.raises(CallTimeout):
            await calling.request("wait", header=Header(timeout_s=0.02))

        await until(lambda: gate.cancelled == 1 and not called.serving)
        assert calling.pending == 0
        assert not any(calling.is_abandoned(call_id) for call_id in (1, 2))
        assert pair.strikes == []


async def test_an_answer_after_the_deadline_is_no_strike(join: Join) -> None:
    async def stubborn(incoming: Incoming) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "too late"

    async with join(worker=stubborn) as pair:
        with pytest.raises(CallTimeout):
            await pair.host.request("wait", header=Header(timeout_s=0.01))
        assert pair.abandoned == [1]

        await until(lambda: not pair.host.is_abandoned(1))
        assert pair.strikes == []
        assert pair.host.closed is None


async def test_a_call_without_a_deadline_outlives_those_that_have_one(join: Join) -> None:
    gate = Gate()
    async with join(worker=gate) as pair:
        patient = asyncio.ensure_future(pair.host.request("wait"))
        with pytest.raises(CallTimeout):
            await pair.host.request("wait", header=Header(timeout_s=0.01))
        await until(lambda: gate.cancelled == 1)
        gate.open.set()

        assert decoded(await patient) == "through"
        assert pair.worker.closed is None


@BOTH_DIRECTIONS
async def test_cancelling_the_caller_cancels_the_callee(join: Join, caller: Side) -> None:
    gate = Gate()
    async with join(host=gate, worker=gate) as pair:
        calling, called = pair.sides(caller)
        call = asyncio.ensure_future(calling.request("wait"))
        await until(lambda: gate.entered)
        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: gate.cancelled and not called.serving)
        assert calling.pending == 0


async def test_a_call_cancelled_before_its_handler_ran_is_still_acknowledged(join: Join) -> None:
    gate = Gate()
    async with join(worker=gate) as pair:
        call = asyncio.ensure_future(pair.host.request("wait"))
        await turns(1)
        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not pair.host.is_abandoned(1))
        assert pair.abandoned == [1]
        assert pair.worker.serving == 0


async def test_a_handler_that_cleans_up_is_cancelled_once(join: Join) -> None:
    cleaned = asyncio.Event()
    cleaning = asyncio.Event()

    async def handler(incoming: Incoming) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await cleaned.wait()

    async with join(worker=handler) as pair:
        exchange = await pair.host.exchange("wait")
        exchange.cancel()
        await cleaning.wait()
        exchange.cancel()
        assert pair.worker.serving == 1
        cleaned.set()

        await until(lambda: pair.worker.serving == 0)
        await until(lambda: not pair.host.is_abandoned(exchange.id))


async def test_a_callback_that_closes_the_peer_at_a_deadline_does_no_harm(join: Join) -> None:
    gate = Gate()
    pairs: list[Pair] = []
    async with join(worker=gate, on_abandoned=lambda call_id: pairs[0].host.close()) as pair:
        pairs.append(pair)
        with faults_of_the_loop() as faults:
            calls = [pair.host.request("wait", header=Header(timeout_s=0.01)) for _ in range(3)]
            ends = await asyncio.gather(*calls, return_exceptions=True)

        assert faults == []
        assert isinstance(ends[0], CallTimeout)
        assert all(isinstance(end, CallTimeout | PeerClosed) for end in ends)


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_progress_reaches_the_caller_in_order_and_before_the_result(join: Join) -> None:
    async def handler(incoming: Incoming) -> Any:
        for step in range(3):
            incoming.progress(step, 3 if step else None, f"step {step}")
        return "done"

    heard: list[tuple[float, float | None, str]] = []
    async with join(worker=handler) as pair:
        result = await pair.host.request("tool", progress=lambda *each: heard.append(each))

        assert decoded(result) == "done"
        assert heard == [(0, None, "step 0"), (1, 3, "step 1"), (2, 3, "step 2")]


async def test_progress_nobody_asked_for_or_after_the_end_is_dropped(join: Join) -> None:
    seen: list[Incoming] = []

    async def handler(incoming: Incoming) -> Any:
        seen.append(incoming)
        incoming.progress(1, 2, "x" * 5_000)

    async with join(worker=handler) as pair:
        await pair.host.request("tool")
        await until(lambda: pair.worker.serving == 0)
        seen[0].progress(2, 2, "late")

        assert decoded(await pair.host.request("tool")) is None
        assert pair.strikes == []


async def test_a_progress_sink_that_raises_does_not_end_the_connection(join: Join) -> None:
    async def handler(incoming: Incoming) -> Any:
        incoming.progress(1, 2, "half")
        return "done"

    def sink(done: float, total: float | None, message: str) -> None:
        raise ValueError(message)

    async with join(worker=handler) as pair:
        with faults_of_the_loop() as faults:
            assert decoded(await pair.host.request("tool", progress=sink)) == "done"

        assert [str(each["exception"]) for each in faults] == ["half"]
        assert pair.host.closed is None


# --- ends and limits --------------------------------------------------------------------------------------------------


@BOTH_DIRECTIONS
async def test_the_end_of_the_connection_fails_every_call(join: Join, caller: Side) -> None:
    gate = Gate()
    async with join(host=gate, worker=gate) as pair:
        calling, called = pair.sides(caller)
        calls = [asyncio.ensure_future(calling.request("wait")) for _ in range(5)]
        exchange = await calling.exchange("wait", sends=True)
        await until(lambda: gate.entered == 6)
        called.close()

        ends = await asyncio.gather(*calls, exchange.result(), anext(aiter(exchange)), return_exceptions=True)
        assert [type(end) for end in ends] == [PeerClosed] * 7
        for late in (calling.request("more"), calling.exchange("more"), exchange.send("more")):
            with pytest.raises(PeerClosed):
                await late
        await until(lambda: gate.cancelled == 6)
        assert (calling.pending, called.serving) == (0, 0)
        assert len(pair.ends) == 1


async def test_closing_with_a_reason_gives_the_callers_that_reason_once(join: Join) -> None:
    gate = Gate()
    async with join(worker=gate) as pair:
        call = asyncio.ensure_future(pair.host.request("wait"))
        await until(lambda: gate.entered)
        pair.host.close(HostLost("moved"))
        pair.host.close(PeerClosed("again"))

        with pytest.raises(HostLost, match="moved"):
            await call
        assert [str(each) for each in pair.ends] == ["moved"]
        assert pair.host.closed is pair.ends[0]


async def test_requests_over_the_cap_are_answered_overloaded(join: Join) -> None:
    gate = Gate()
    async with join(worker=gate) as pair:
        calls = [asyncio.ensure_future(pair.host.request("wait")) for _ in range(LIMITS.incoming_max)]
        await until(lambda: gate.entered == LIMITS.incoming_max)
        with pytest.raises(Overloaded):
            await pair.host.request("one more")
        gate.open.set()

        assert {decoded(each) for each in await asyncio.gather(*calls)} == {"through"}
        assert decoded(await pair.host.request("now")) == "through"
        assert gate.entered == LIMITS.incoming_max + 1


async def test_traffic_larger_than_every_buffer_passes_in_both_directions_at_once(join: Join) -> None:
    limits = replace(LIMITS, incoming_max=200)
    blob = b"x" * (48 * KIB)
    async with join(limits=limits) as pair:
        calls = [peer.request("echo", blob) for peer in (pair.host, pair.worker) for _ in range(100)]
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*calls)

        assert all(decoded(each) == blob for each in answers)
        assert (pair.host.pending, pair.worker.pending) == (0, 0)
        assert pair.strikes == []


async def test_a_permission_error_of_the_host_reaches_the_plugin(join: Join) -> None:
    async with join(host=failing(PermissionDenied("memory:write is not granted"))) as pair:
        with pytest.raises(PermissionDenied, match="memory:write"):
            await pair.worker.request("memory")
        assert decoded(await pair.host.request("echo", 1)) == 1


async def test_finished_calls_leave_nothing_behind(join: Join) -> None:
    async with join() as pair:
        for _ in range(20):
            await pair.host.request("echo", "x")
        await until(lambda: not pair.worker.serving)
        gc.collect()
        before = sum(isinstance(each, Incoming | asyncio.Task) for each in gc.get_objects())
        for _ in range(200):
            await pair.host.request("echo", "x")
        await until(lambda: not pair.worker.serving)
        gc.collect()

        assert sum(isinstance(each, Incoming | asyncio.Task) for each in gc.get_objects()) <= before
        assert pair.host.pending == 0
