"""From installed to asleep to awake and back, and everything that holds a plugin on the way."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins.errors import (
    CallTimeout,
    HostNotRunning,
    InvalidConfig,
    NameTaken,
    NotAPlugin,
    NotReady,
    Overloaded,
    PlanChanged,
    PluginCrashed,
    UnknownPlugin,
    UnknownTool,
)
from tests.support.plugins import House, open_house, short_settings, write_plugin
from tests.support.processes import Held
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

COUNTER = """
class Main(Plugin):
    async def on_start(self) -> None:
        with open(self.data / "starts", "a") as file:
            file.write(f"{os.getpid()}\\n")

    @tool
    async def starts(self) -> list[int]:
        return [int(line) for line in (self.data / "starts").read_text().split()]

    @tool
    async def die(self) -> None:
        os._exit(7)

    @tool
    async def nap(self, s: float) -> str:
        await asyncio.sleep(s)
        return "rested"
"""


async def test_a_plugin_starts_with_its_first_call_and_not_before(shared: House) -> None:
    view = await shared.add("lazy", COUNTER)

    assert (view.state, view.word) == ("asleep", "asleep")
    assert (await shared.host.info("lazy")).pid is None
    assert await shared.call("lazy", "starts") == [await shared.process("lazy")]
    assert await shared.state("lazy") == "active"


async def test_callers_who_come_at_once_share_one_start(shared: House) -> None:
    await shared.add("crowded", COUNTER)

    answers = await asyncio.gather(*(shared.call("crowded", "starts") for _ in range(12)))

    assert [len(each) for each in answers] == [1] * 12
    assert (await shared.host.info("crowded")).starts == 1


async def test_a_plugin_answers_to_id_mount_and_name(shared: House) -> None:
    await shared.add("named", COUNTER, mount="nick")

    answers = [await shared.call(name, "starts") for name in ("local/named", "nick", "named")]

    assert answers[0] == answers[1] == answers[2]
    with pytest.raises(UnknownPlugin, match="no plugin 'nobody'"):
        await shared.call("nobody", "starts")
    with pytest.raises(UnknownTool, match="its tools: die, nap, starts"):
        await shared.call("nick", "nothing")


async def test_an_idle_plugin_sleeps_and_the_next_call_wakes_it(shared: House) -> None:
    await shared.add("drowsy", COUNTER, somnus="sleep_after_s = 0.2")
    first = await shared.call("drowsy", "starts")

    with Held(first) as held:
        await shared.becomes("drowsy", "asleep")
        assert held.living() == set()
    assert (await shared.host.info("drowsy")).pid is None
    assert len(await shared.call("drowsy", "starts")) == 2


async def test_a_call_keeps_a_plugin_awake_for_longer_than_its_idle_time(shared: House) -> None:
    await shared.add("busy", COUNTER, somnus="sleep_after_s = 0.1")

    assert await shared.call("busy", "nap", {"s": 0.4}) == "rested"
    assert (await shared.host.info("busy")).starts == 1


async def test_too_many_crashes_hold_a_plugin_until_it_is_enabled_again(tmp_path: Path) -> None:
    async with open_house(tmp_path, runtime__crash_max=3) as house:
        await house.add("crashes", COUNTER)
        for _ in range(3):
            with pytest.raises(PluginCrashed, match="exited with code 7"):
                await house.call("crashes", "die")

        held = await house.becomes("crashes", "crash_loop")
        assert (held.word, held.desired) == ("failed", "enabled")
        assert "3 crashes within" in held.reason
        with pytest.raises(NotReady, match="crash_loop"):
            await house.call("crashes", "starts")
        assert (await house.host.enable("crashes")).state == "asleep"
        assert len(await house.call("crashes", "starts")) == 4


async def test_a_crash_is_followed_by_a_pause_that_a_deadline_cuts_short(tmp_path: Path) -> None:
    async with open_house(tmp_path, runtime__crash_backoff_s=(30.0,)) as house:
        await house.add("crashes", COUNTER)
        with pytest.raises(PluginCrashed):
            await house.call("crashes", "die")

        with pytest.raises(CallTimeout, match="did not start within"):
            await house.call("crashes", "starts", timeout_s=0.2)
        waiting = asyncio.create_task(house.call("crashes", "starts", timeout_s=5))
        await eventually(lambda: not waiting.done())
        began = time.monotonic()
        await house.host.enable("crashes")

        assert len(await waiting) == 2
        assert time.monotonic() - began < 3


SETTINGS = """
class Settings(BaseModel):
    word: str
    loud: bool = False

class Main(Plugin):
    config: Settings

    @tool
    async def say(self) -> str:
        return self.config.word.upper() if self.config.loud else self.config.word
"""


async def test_a_plugin_without_its_settings_needs_you_and_gets_them(shared: House) -> None:
    view = await shared.add("speaker", SETTINGS)

    assert (view.state, view.word) == ("needs_setup", "needs you")
    assert "word" in view.reason
    assert (await shared.host.info("speaker")).unset == ("word",)
    with pytest.raises(NotReady, match="needs_setup"):
        await shared.call("speaker", "say")
    assert (await shared.host.configure("speaker", word="hello")).state == "asleep"
    assert await shared.call("speaker", "say") == "hello"


async def test_a_change_of_settings_restarts_a_running_plugin(shared: House) -> None:
    await shared.add("loudspeaker", SETTINGS)
    before = await shared.host.configure("loudspeaker", word="hello")
    await shared.call("loudspeaker", "say")

    after = await shared.host.configure("loudspeaker", loud=True)

    assert after.generation == before.generation + 1
    assert await shared.call("loudspeaker", "say") == "HELLO"
    with pytest.raises(InvalidConfig):
        await shared.host.configure("loudspeaker", loud=7)
    assert await shared.call("loudspeaker", "say") == "HELLO"


async def test_callers_during_a_change_of_settings_wait_and_are_served(shared: House) -> None:
    await shared.add("steady", SETTINGS)
    await shared.host.configure("steady", word="a")
    await shared.call("steady", "say")
    said: list[str] = []

    async def keep_calling() -> None:
        while len(said) < 400 and "g" not in said:
            said.append(await shared.call("steady", "say", timeout_s=10))

    callers = [asyncio.create_task(keep_calling()) for _ in range(4)]
    for word in "bcdefg":
        await shared.host.configure("steady", word=word)
    await asyncio.gather(*callers)

    assert set(said) <= set("abcdefg")
    assert await shared.call("steady", "say") == "g"


async def test_a_plugin_for_another_api_is_incompatible(shared: House) -> None:
    view = await shared.add("elder", COUNTER, api=">=9")

    assert (view.state, view.word) == ("incompatible", "needs you")
    assert ">=9" in view.reason
    with pytest.raises(NotReady, match="incompatible"):
        await shared.call("elder", "starts")


async def test_what_is_missing_is_named_with_its_chain_and_installing_it_helps(shared: House) -> None:
    await shared.add("middle", COUNTER, somnus='requires = ["local/last >=2"]')
    view = await shared.add("first", COUNTER, somnus='requires = ["local/middle"]')

    assert view.state == "incompatible"
    assert "local/first → local/middle → local/last" in view.reason
    await shared.add("last", COUNTER, version="1.0")
    assert "local/last 1.0 is installed, >=2" in (await shared.host.info("first")).plugin.reason
    await shared.add("last", COUNTER, version="2.0")
    assert await shared.state("first") == await shared.state("middle") == "asleep"
    assert len(await shared.call("first", "starts")) == 1


async def test_taking_a_plugin_away_reaches_all_who_need_it_through_others(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("last", COUNTER)
        await house.add("middle", COUNTER, somnus='requires = ["local/last"]')
        await house.add("first", COUNTER, somnus='requires = ["local/middle"]')
        assert await house.state("first") == "asleep"

        await house.host.disable("last")
        states = [await house.state(each) for each in ("first", "middle", "last")]
        await house.host.enable("last")

        assert states == ["incompatible", "incompatible", "stopped"]
        assert await house.state("first") == "asleep"


async def test_what_people_decided_survives_a_restart_of_the_host(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("stays", SETTINGS, mount="here")
        await house.host.configure("stays", word="kept")
        await house.add("off", COUNTER)
        await house.host.disable("off")
        await house.add("gone", COUNTER)
        await house.host.operate("uninstall", plugin="gone")

    async with open_house(tmp_path) as house:
        assert [each.id for each in await house.host.plugins()] == ["local/off", "local/stays"]
        assert await house.call("here", "say") == "kept"
        assert (await house.host.info("local/off")).plugin.state == "stopped"
        with pytest.raises(NotReady, match="stopped: disabled"):
            await house.call("off", "starts")
        await house.host.enable("off")
        assert len(await house.call("off", "starts")) == 1


async def test_a_disabled_plugin_is_gone_from_what_is_served(shared: House) -> None:
    await shared.add("fickle", COUNTER)
    first = await shared.call("fickle", "starts")
    assert "fickle" in shared.host.catalogue.mounts

    with Held(first) as held:
        assert (await shared.host.disable("fickle")).word == "off"
        assert held.living() == set()
    assert "fickle" not in shared.host.catalogue.mounts
    for name in ("fickle", "local/fickle"):
        with pytest.raises(NotReady, match="stopped: disabled"):
            await shared.call(name, "starts")


async def test_code_that_adds_something_else_than_agreed_is_blocked(shared: House) -> None:
    await shared.add("shifty", COUNTER)
    directory = write_plugin(shared.root / "plugins", "shifty", COUNTER.replace("async def die", "async def steal"))

    with pytest.raises(NotReady, match="contributions_changed"):
        await shared.call("shifty", "starts")

    view = (await shared.host.info("shifty")).plugin
    assert (view.state, view.word) == ("blocked", "needs you")
    plan = await shared.host.plan(directory)
    assert {"added tool steal", "removed tool die"} <= set(plan.adds)
    assert (await shared.host.apply(plan)).state == "asleep"
    assert len(await shared.call("shifty", "starts")) == 1


async def test_a_plan_is_refused_when_what_it_was_made_from_has_changed(shared: House) -> None:
    directory = write_plugin(shared.root / "plugins", "edited", COUNTER)
    plan = await shared.host.plan(directory)
    write_plugin(shared.root / "plugins", "edited", COUNTER, version="0.2.0")

    with pytest.raises(PlanChanged):
        await shared.host.apply(plan)

    with pytest.raises(UnknownPlugin):
        await shared.host.info("edited")
    again = await shared.host.plan(directory)
    assert (again.version, again.replaces) == ("0.2.0", "")
    assert (await shared.host.apply(again)).version == "0.2.0"
    assert (await shared.host.plan(directory)).replaces == "0.2.0"


async def test_a_mount_belongs_to_the_plugin_that_has_it(shared: House) -> None:
    await shared.add("owner", COUNTER, mount="corner")
    rival = write_plugin(shared.root / "plugins", "rival", COUNTER)

    with pytest.raises(NameTaken, match="belongs to local/owner"):
        await shared.host.plan(rival, mount="corner")
    with pytest.raises(NotAPlugin):
        await shared.host.plan(shared.root)
    assert (await shared.install(rival)).mount == "rival"


async def test_an_installed_plugin_whose_folder_is_gone_can_be_taken_out(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("lost", COUNTER, mount="there")
    (tmp_path / "plugins" / "lost" / "pyproject.toml").unlink()

    async with open_house(tmp_path) as house:
        (view,) = await house.host.plugins()
        assert (view.id, view.state) == ("local/lost", "failed")
        with pytest.raises(UnknownPlugin, match="pyproject"):
            await house.host.info("local/lost")
        await house.host.operate("uninstall", plugin="there")
        assert await house.host.plugins() == []
        await house.add("other", COUNTER, mount="there")


async def test_drain_lets_running_calls_finish(shared: House) -> None:
    await shared.add("drained", COUNTER)
    await shared.call("drained", "starts")
    running = asyncio.create_task(shared.call("drained", "nap", {"s": 0.3}))

    async def taken() -> bool:
        return (await shared.host.info("drained")).running == 1

    await eventually(taken)
    view = await shared.host.operate("restart", plugin="drained")

    assert running.done()
    assert await running == "rested"
    assert view["state"] == "asleep"


CROWD = """
class Main(Plugin):
    inside = 0
    most = 0

    @tool
    async def enter(self, s: float = 0.05) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(s)
        self.inside -= 1
        return self.most

    @tool
    async def look(self) -> int:
        return self.inside
"""


async def test_calls_over_the_limit_wait_their_turn(shared: House) -> None:
    await shared.add("narrow", CROWD, somnus="[tool.somnus.limits]\nconcurrency = 2")

    answers = await asyncio.gather(*(shared.call("narrow", "enter", {"s": 0.02}) for _ in range(8)))

    assert max(answers) == 2
    assert (await shared.host.info("narrow")).running == 0


async def test_calls_over_the_queue_are_refused_at_once(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits__queue=2) as house:
        await house.add("full", CROWD, somnus="[tool.somnus.limits]\nconcurrency = 1")
        await house.call("full", "look")

        calls = [house.call("full", "enter", {"s": 0.1}) for _ in range(6)]
        answers = await asyncio.gather(*calls, return_exceptions=True)

        assert [type(each) for each in answers].count(Overloaded) == 3
        assert [each for each in answers if not isinstance(each, Overloaded)] == [1, 1, 1]
        assert await house.call("full", "enter", {"s": 0}) == 1


async def test_a_deadline_holds_for_waiting_waking_and_running_together(shared: House) -> None:
    slow = "\n    async def on_start(self) -> None:\n        await asyncio.sleep(0.4)\n"
    code = CROWD.replace("    inside = 0\n", f"    inside = 0\n{slow}")
    await shared.add("slow", code, somnus="[tool.somnus.limits]\nconcurrency = 1")
    began = time.monotonic()

    calls = [shared.call("slow", "enter", {"s": 5}, timeout_s=0.8) for _ in range(2)]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(each) for each in answers] == [CallTimeout, CallTimeout]
    assert time.monotonic() - began < 1.4


@pytest.mark.parametrize("kind", ["call", "stream"])
async def test_giving_up_reaches_the_plugin(shared: House, kind: str) -> None:
    code = """
    class Main(Plugin):
        ended: list[str] = []

        @tool
        async def call(self) -> None:
            try:
                await asyncio.sleep(600)
            finally:
                self.ended.append("call")

        @tool
        async def stream(self) -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
            finally:
                self.ended.append("stream")

        @tool
        async def seen(self) -> list[str]:
            return self.ended
    """
    name = f"giver-{kind}"
    await shared.add(name, code.replace("\n    ", "\n"))
    if kind == "call":
        task = asyncio.create_task(shared.call(name, "call"))
        await shared.call(name, "seen")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    else:
        stream = shared.host.stream(name, "stream")
        assert await anext(stream) == 1
        await stream.aclose()

    assert await eventually(lambda: shared.call(name, "seen")) == [kind]
    assert (await shared.host.info(name)).running == 0


async def test_progress_user_and_session_travel_with_a_call(shared: House) -> None:
    await shared.add(
        "curious",
        """
class Main(Plugin):
    @tool
    async def who(self, call: Call) -> list[Any]:
        await call.progress(1, 2, "half")
        return [call.user, call.session, call.caller, call.depth, len(call.trace_id), call.deadline is not None]
""",
    )
    told: list[Any] = []

    answer = await shared.call(
        "curious", "who", user="ada", session="s-1", progress=lambda done, total, text: told.append((done, total, text))
    )

    assert answer == ["ada", "s-1", "", 0, 32, True]
    assert await eventually(lambda: told) == [(1.0, 2.0, "half")]


async def test_large_payloads_travel_both_ways(shared: House) -> None:
    limits = "[tool.somnus.limits]\nresult_mb = 40"
    code = (
        "class Main(Plugin):\n    @tool\n    async def same(self, data: bytes) -> bytes:\n        return data[::-1]\n"
    )
    await shared.add("heavy", code, somnus=limits)
    data = bytes(range(256)) * 4096 * 32

    assert await shared.call("heavy", "same", {"data": data}, returns=bytes) == data[::-1]
    assert (await shared.host.info("heavy")).strikes == {}


async def test_after_the_host_has_stopped_calls_are_typed_errors(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("brief", COUNTER)
        napping = asyncio.create_task(house.call("brief", "nap", {"s": 60}, timeout_s=30))
        await house.becomes("brief", "active")

    with pytest.raises((PluginCrashed, HostNotRunning)):
        await napping
    with pytest.raises(HostNotRunning):
        await house.call("brief", "starts")
    assert house.host.role == "stopped"
    assert house.host.catalogue.mounts == {}


async def test_who_waits_for_a_start_when_the_host_stops_gets_a_typed_error(tmp_path: Path) -> None:
    hanging = COUNTER.replace("        with open", "        await asyncio.sleep(600)\n        with open")
    async with open_house(tmp_path, runtime__start_timeout_s=30) as house:
        await house.add("starting", hanging)
        waiting = asyncio.create_task(house.call("starting", "starts"))
        await house.becomes("starting", "starting")

    with pytest.raises((NotReady, HostNotRunning, PluginCrashed)):
        await waiting


async def test_in_safe_mode_nothing_starts_whatever_it_is_called(tmp_path: Path) -> None:
    subscribed = 'activation = ["startup", "event:system.started"]'
    async with open_house(tmp_path) as house:
        await house.add("eager", COUNTER, somnus=subscribed)

    async with open_house(tmp_path, host_options={"safe": True}) as house:
        for name in ("eager", "local/eager"):
            with pytest.raises(NotReady, match="not served"):
                await house.call(name, "starts")
        assert await house.host.publish("system.started") == 0
        assert (await house.host.info("eager")).starts == 0


def test_settings_of_these_tests_are_within_what_is_allowed() -> None:
    settings = short_settings(limits__queue=1)

    assert settings.limits.queue == 1
    assert settings.runtime.cancel_grace_s == 0.2
