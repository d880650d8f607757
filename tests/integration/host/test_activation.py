"""What wakes a plugin without a call: the start of the host, events, and time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plugins import House, open_house
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

LISTENER = """
class Main(Plugin):
    seen: list[Any] = []

    @on("door.*")
    async def opened(self, event: Event) -> None:
        self.seen.append([event.topic, event.data, event.source])

    @tool
    async def told(self) -> list[Any]:
        return self.seen
"""
MAY_LISTEN = '[tool.somnus.permissions.events]\nsubscribe = ["door.*"]'
PLAIN = """
class Main(Plugin):
    @tool
    async def calm(self) -> str:
        return "calm"
"""


async def test_a_plugin_that_wants_it_starts_with_the_host_after_those_it_needs(tmp_path: Path) -> None:
    up = 'self.log.info("up at %s", time.monotonic_ns())'
    note = f"class Main(Plugin):\n    async def on_start(self) -> None:\n        {up}\n"
    async with open_house(tmp_path) as house:
        await house.add("second", note, somnus='activation = ["startup"]\nrequires = ["local/zero"]')
        await house.add("zero", note, somnus='activation = ["startup"]')
        await house.add("third", note)

    async with open_house(tmp_path) as house:
        await house.becomes("second", "active")
        at = [int((await house.logged(each, "up at")).split()[-1]) for each in ("zero", "second")]

        assert at[0] < at[1]
        assert await house.state("third") == "asleep"

    async with open_house(tmp_path, host_options={"background": False}) as house:
        assert await house.state("second") == "asleep"


async def test_an_event_wakes_those_who_may_hear_it(shared: House) -> None:
    await shared.add("listener", LISTENER, somnus=MAY_LISTEN)
    await shared.add("deaf", LISTENER)

    assert await shared.host.publish("door.front", {"open": True}) == 1

    assert await eventually(lambda: shared.call("listener", "told")) == [["door.front", {"open": True}, ""]]
    assert await shared.state("deaf") == "asleep"
    assert await shared.host.publish("window.front") == 0


async def test_an_event_named_in_activation_wakes_without_a_subscription(shared: House) -> None:
    await shared.add("woken", PLAIN, somnus='activation = ["event:alarm.rang"]')

    assert await shared.host.publish("alarm.rang") == 1

    assert (await shared.becomes("woken", "active")).reason == ""


async def test_an_event_that_a_plugin_does_not_take_stands_in_its_log(shared: House) -> None:
    code = LISTENER.replace("self.seen.append([event.topic, event.data, event.source])", 'raise ToolError("no thanks")')
    await shared.add("unwilling", code, somnus=MAY_LISTEN)

    await shared.host.publish("door.back")

    assert "no thanks" in await shared.logged("unwilling", "event door.back was not taken")
    assert await shared.state("unwilling") == "active"


async def test_a_schedule_wakes_its_plugin_again_and_again(shared: House) -> None:
    code = """
class Main(Plugin):
    @every("100ms")
    async def tick(self) -> None:
        self.log.info("tick")
"""
    await shared.add("clock", code)

    async def ticks() -> bool:
        return (await shared.messages("clock")).count("tick") >= 3

    await eventually(ticks)
    await shared.host.disable("clock")
    assert await shared.state("clock") == "stopped"


async def test_a_plugin_that_stays_awake_comes_back_after_a_crash(tmp_path: Path) -> None:
    code = PLAIN + "\n    @tool\n    async def die(self) -> None:\n        os._exit(1)\n"
    awake = "sleep_after_s = 0\n[tool.somnus.permissions]\nbackground = true"
    async with open_house(tmp_path) as house:
        await house.add("guard", code, somnus=awake)
        await house.becomes("guard", "active")
        first = await house.process("guard")

        await house.host.operate("restart", plugin="guard")
        await house.becomes("guard", "active")

        assert await house.process("guard") != first
        assert await house.call("guard", "calm") == "calm"
