"""Events to those who may hear them, and schedules that neither stop the host nor pile up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somnus_plugins.errors import NotReady
from somnus_plugins.host.occurrences import DEFERRED_MAX, Events, Timetable, matches
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.trust.manifest import Manifest, parse_manifest
from somnus_plugins.wire.contributions import Contributions, Schedule, Subscription
from somnus_plugins.wire.frames import Header
from tests.support.plugins import short_settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

WORD = st.sampled_from(["a", "b", "stored"])


def manifest_of(*, subscribe: tuple[str, ...] = (), activation: tuple[str, ...] = ("on_call",)) -> Manifest:
    text = (
        '[project]\nname = "fake"\nversion = "1.0"\n[tool.somnus]\ntype = "tool_integration"\nentry = "a:B"\n'
        f'api = ">=1"\nactivation = {list(activation)}\n'
        f"[tool.somnus.permissions.events]\nsubscribe = {list(subscribe)}\n"
    )
    return parse_manifest(text.encode(), "pyproject.toml")


class Actor:
    """Stands for an instance: remembers what it is asked."""

    def __init__(
        self,
        name: str = "local/fake",
        *,
        subscriptions: dict[str, str] | None = None,
        schedules: tuple[Schedule, ...] = (),
        **manifest: Any,
    ) -> None:
        self.id = name
        self.manifest = manifest_of(**manifest)
        listed = tuple(Subscription(pattern=each, method=to) for each, to in (subscriptions or {}).items())
        self.contributions = Contributions(fingerprint="", subscriptions=listed, schedules=schedules)
        self.book = LogBook(name, None, short_settings().logs)
        self.asked: list[tuple[str, str, Any]] = []
        self.awakened = 0
        self.refuses = False
        self.gate = asyncio.Event()
        self.gate.set()

    def timeout_s(self) -> float:
        return 5.0

    async def request(self, method: str, payload: Any, target: str, header: Header) -> msgspec.Raw:
        self.asked.append((method, target, payload))
        await self.gate.wait()
        if self.refuses:
            raise NotReady("not now")
        return msgspec.Raw(b"\xc0")

    async def awake(self, timeout_s: float) -> None:
        self.awakened += 1


def events_for(*actors: Any) -> Events:
    return Events(lambda: actors)


def notes(actor: Actor) -> str:
    return "\n".join(each.message for each in actor.book.recent())


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("memory.stored", "memory.stored", True),
        ("memory.stored", "memory.stored.again", False),
        ("memory.*", "memory.stored", True),
        ("memory.*", "memory.stored.again", True),
        ("memory.*", "memory", False),
        ("*.stored", "memory.stored", True),
        ("*.stored", "a.b.stored", False),
        ("*", "anything.at.all", True),
        ("memory.stored", "memory", False),
        ("*.b.*", "a.b.c.d", True),
        ("*.b.*", "a.c.c", False),
    ],
)
def test_a_pattern_fits_words_and_at_its_end_the_rest(pattern: str, topic: str, fits: bool) -> None:
    assert matches(pattern, topic) is fits
    assert matches(topic, topic)


@given(st.lists(WORD, min_size=1, max_size=4), st.data())
def test_a_star_in_place_of_any_word_still_fits(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    pattern = [*words[:place], "*", *words[place + 1 :]]

    assert matches(".".join(pattern), ".".join(words))
    assert not matches(".".join([*words, "more"]), ".".join(words))


async def test_an_event_goes_to_the_methods_that_subscribed_and_may() -> None:
    allowed = Actor(subscriptions={"door.*": "opened", "door.front": "front"}, subscribe=("door.*",))
    narrow = Actor(subscriptions={"door.*": "opened"}, subscribe=("door.front",))
    events = events_for(allowed, narrow)

    assert events.publish("door.front", {"a": 1}, "local/other") == 2

    await eventually(lambda: len(allowed.asked) == 2)
    assert {target for _, target, _ in allowed.asked} == {"opened", "front"}
    occurrence = allowed.asked[0][2]
    assert (occurrence.topic, occurrence.data, occurrence.source) == ("door.front", {"a": 1}, "local/other")
    assert abs(occurrence.time_s - time.time()) < 5
    assert narrow.asked == []
    await events.close()


async def test_an_activation_by_event_wakes_and_a_refusal_is_noted() -> None:
    sleeper = Actor(activation=("event:alarm.*",))
    grumpy = Actor(subscriptions={"alarm.rang": "rise"}, subscribe=("alarm.rang",))
    grumpy.refuses = True
    events = events_for(sleeper, grumpy)

    assert events.publish("alarm.rang") == 2
    await eventually(lambda: "not now" in notes(grumpy))

    assert (sleeper.awakened, sleeper.asked) == (1, [])
    assert "event alarm.rang was not taken" in notes(grumpy)
    await events.close()


async def test_a_flood_of_events_is_dropped_and_noted() -> None:
    slow = Actor(subscriptions={"a": "take"}, subscribe=("a",))
    slow.gate.clear()
    events = events_for(slow)

    made = sum(events.publish("a") for _ in range(DEFERRED_MAX + 5))

    assert made == DEFERRED_MAX
    assert notes(slow).count("event a dropped") == 5
    await events.close()
    assert events.publish("a") == 0


async def test_a_schedule_comes_again_and_again_and_not_before_its_time() -> None:
    actor = Actor(schedules=(Schedule(method="tick", every_s=0.1), Schedule(method="later", every_s=3600.0)))
    timetable = Timetable()
    began = time.monotonic()
    timetable.set([actor])  # type: ignore[list-item]  # stands for an instance

    await eventually(lambda: len(actor.asked) >= 3)

    assert time.monotonic() - began >= 0.25
    assert {(method, target) for method, target, _ in actor.asked} == {("schedule", "tick")}
    await timetable.close()


async def test_a_period_too_short_to_end_does_not_stop_the_host() -> None:
    hasty = Actor(schedules=tuple(Schedule(method=f"m{each}", every_s=each) for each in (1e-9, 5e-324, 0.001)))
    timetable = Timetable()
    timetable.set([hasty])  # type: ignore[list-item]  # stands for an instance

    await eventually(lambda: len(hasty.asked) >= 6)

    assert len(hasty.asked) <= 9
    await timetable.close()


async def test_a_time_that_lies_beyond_all_clocks_is_waited_for() -> None:
    patient = Actor(schedules=(Schedule(method="never", every_s=1e300),))
    timetable = Timetable()
    timetable.set([patient])  # type: ignore[list-item]  # stands for an instance
    await asyncio.sleep(0)

    patient.contributions = Contributions(fingerprint="", schedules=(Schedule(method="tick", every_s=0.1),))
    timetable.set([patient])  # type: ignore[list-item]  # stands for an instance

    await eventually(lambda: len(patient.asked) == 1)
    assert patient.asked[0][1] == "tick"
    await timetable.close()


async def test_a_method_that_still_runs_is_not_called_beside_itself() -> None:
    slow = Actor(schedules=(Schedule(method="long", every_s=0.1),))
    slow.gate.clear()
    quick = Actor("local/quick", schedules=(Schedule(method="short", every_s=0.1),))
    timetable = Timetable()
    timetable.set([slow, quick])  # type: ignore[list-item]  # stand for instances

    await eventually(lambda: len(quick.asked) >= 3)
    assert len(slow.asked) == 1
    slow.gate.set()
    await eventually(lambda: len(slow.asked) >= 2)
    await timetable.close()


@pytest.mark.parametrize("expression", ["99 * * * *", "0 0 30 2 *", "a b c d e", ""])
async def test_an_expression_that_means_no_time_hurts_only_itself(expression: str) -> None:
    forged = Actor(schedules=(Schedule(method="never", cron=expression), Schedule(method="tick", every_s=0.1)))
    timetable = Timetable()
    timetable.set([forged])  # type: ignore[list-item]  # stands for an instance

    await eventually(lambda: forged.asked)

    assert {target for _, target, _ in forged.asked} == {"tick"}
    assert "never comes" in notes(forged)
    await timetable.close()


async def test_a_cron_expression_comes_at_its_time_and_a_failure_is_noted() -> None:
    actor = Actor(schedules=(Schedule(method="strike", cron="* * * * * *"),))
    actor.refuses = True
    timetable = Timetable()
    timetable.set([actor])  # type: ignore[list-item]  # stands for an instance

    await eventually(lambda: "scheduled strike failed: not now" in notes(actor))

    assert actor.asked[0][:2] == ("schedule", "strike")
    timetable.set([])
    await timetable.close()
