"""Methods for events and times take what they are given, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk import Call, Event, Plugin, every, on
from somnus_plugins.worker.inventory import Inventory
from somnus_plugins.worker.receivers import ReceiverAdapter


class Good(Plugin):
    """What is allowed."""

    @on("a")
    async def nothing(self) -> None: ...

    @on("a")
    async def event(self, event: Event) -> None: ...

    @on("a")
    def by_any_name(self, what, call: Call) -> None: ...  # type: ignore[no-untyped-def]  # as authors write it

    @on("a")
    async def call_first(self, call: Call, *, event: Event, limit: int = 3) -> None: ...


class GoodTimes(Plugin):
    """What is allowed."""

    @every("1s")
    async def nothing(self) -> None: ...

    @every("1s")
    def with_call(self, call: Call | None, limit: int = 3) -> None: ...


class Bad(Plugin):
    """What is refused."""

    @on("a")
    async def two(self, event: Event, other: int) -> None: ...

    @on("a")
    async def many(self, *events: Event) -> None: ...

    @on("a")
    async def generator(self, event: Event) -> AsyncIterator[int]:
        yield 1

    @every("1s")
    async def event_by_time(self, event: Event) -> None: ...

    @every("1s")
    async def anything(self, **keywords: Any) -> None: ...


def adapters(kind: type[Plugin]) -> dict[str, ReceiverAdapter]:
    found = Inventory.of(kind)
    return {each.attribute: ReceiverAdapter(each, each.function) for each in (*found.subscriptions, *found.schedules)}


def test_the_event_goes_to_the_first_parameter_that_is_no_call() -> None:
    found = adapters(Good)

    assert {name: each.event_parameter for name, each in found.items()} == {
        "nothing": "",
        "event": "event",
        "by_any_name": "what",
        "call_first": "event",
    }
    assert [each.call_parameters for each in found.values()] == [(), (), ("call",), ("call",)]


def test_a_scheduled_method_takes_no_event() -> None:
    found = adapters(GoodTimes)

    assert [each.event_parameter for each in found.values()] == ["", ""]
    assert found["with_call"].call_parameters == ("call",)


def test_async_methods_are_told_from_others() -> None:
    assert adapters(Good)["event"].is_async
    assert not adapters(Good)["by_any_name"].is_async


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("two", "takes event, other; allowed is one Event, and a Call"),
        ("many", "takes events; allowed is one Event, and a Call"),
        ("generator", "is a generator"),
        ("event_by_time", "takes event; allowed is nothing but a Call"),
        ("anything", "takes keywords; allowed is nothing but a Call"),
    ],
)
def test_what_nobody_gives_is_refused(name: str, text: str) -> None:
    found = Inventory.of(Bad)
    (declared,) = [each for each in (*found.subscriptions, *found.schedules) if each.attribute == name]

    with pytest.raises(InvalidPlugin) as caught:
        ReceiverAdapter(declared, declared.function)
    assert caught.value.message == f"{name} {text}" or text in caught.value.message
