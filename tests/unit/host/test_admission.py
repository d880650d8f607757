"""Places: never more than there are, in the order of coming, and none is ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from somnus_plugins.errors import CallTimeout, Overloaded
from somnus_plugins.host.admission import Gate, header, seconds
from tests.support.plugins import VERIFY

pytestmark = pytest.mark.anyio


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_first_enters_first() -> None:
    gate, entered = Gate(1, 10), []

    async def visit(number: int) -> None:
        await gate.enter(None)
        entered.append(number)

    await gate.enter(None)
    tasks = [asyncio.create_task(visit(number)) for number in range(4)]
    await settle()
    assert (gate.taken, gate.waiting, entered) == (1, 4, [])
    for _ in range(5):
        gate.leave()
        await settle()

    await asyncio.gather(*tasks)
    assert entered == [0, 1, 2, 3]
    assert (gate.taken, gate.waiting) == (0, 0)


async def test_one_too_many_is_refused_at_once() -> None:
    gate = Gate(1, 1)
    await gate.enter(None)
    waiting = asyncio.create_task(gate.enter(None))
    await settle()

    with pytest.raises(Overloaded, match="1 calls run and 1 wait"):
        await gate.enter(None)

    gate.leave()
    await waiting
    assert (gate.taken, gate.waiting) == (1, 0)


async def test_a_place_that_does_not_come_in_time_is_a_timeout() -> None:
    gate = Gate(1, 5)
    await gate.enter(None)

    with pytest.raises(CallTimeout, match="free place"):
        await gate.enter(0.01)

    assert (gate.taken, gate.waiting) == (1, 0)
    gate.leave()
    await gate.enter(0)
    assert gate.taken == 1


async def test_a_place_that_is_given_in_the_moment_of_a_cancellation_goes_on() -> None:
    gate = Gate(1, 5)
    await gate.enter(None)
    first, second = (asyncio.create_task(gate.enter(None)) for _ in range(2))
    await settle()

    gate.leave()
    first.cancel()
    await settle()

    assert first.cancelled()
    assert second.done()
    assert (gate.taken, gate.waiting) == (1, 0)


@pytest.mark.parametrize("seed", range(200 if VERIFY else 20))
async def test_no_place_is_ever_lost_or_made(seed: int) -> None:
    chance, gate, most = random.Random(seed), Gate(3, 6), 0

    async def visit(timeout_s: float | None, turns: int) -> None:
        nonlocal most
        try:
            await gate.enter(timeout_s)
        except (Overloaded, CallTimeout):
            return
        try:
            most = max(most, gate.taken)
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            gate.leave()

    tasks: list[asyncio.Task[None]] = []
    for _ in range(200):
        match chance.randrange(4):
            case 0 | 1:
                timeout_s = chance.choice([None, 0.0, 0.0005])
                tasks.append(asyncio.create_task(visit(timeout_s, chance.randrange(6))))
            case 2 if tasks:
                chance.choice(tasks).cancel()
            case _:
                await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (gate.taken, gate.waiting) == (0, 0)
    assert most <= 3


def test_every_call_of_the_application_begins_a_trace_of_its_own() -> None:
    one, two = header(1.5, "ada", "s"), header(None)

    assert (one.timeout_s, one.user, one.session, one.caller, one.depth, one.chain) == (1.5, "ada", "s", "", 0, ())
    assert one.trace != two.trace
    assert len(bytes.fromhex(one.trace)) == 16


@pytest.mark.parametrize(
    ("span_s", "text"), [(30, "30 s"), (0.29999, "0.3 s"), (1234.5, "1230 s"), (0, "0 s"), (2.5, "2.5 s")]
)
def test_seconds_are_rounded_for_people(span_s: float, text: str) -> None:
    assert seconds(span_s) == text
    assert seconds(-span_s).endswith(text)


async def test_a_timeout_says_how_long_it_was_and_what_helps() -> None:
    gate = Gate(1, 5)
    await gate.enter(None)

    with pytest.raises(CallTimeout, match=r"no free place within 0\.01 s: 1 calls run") as caught:
        await gate.enter(0.01)

    assert "concurrency" in caught.value.remedy
