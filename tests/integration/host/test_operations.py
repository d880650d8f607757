"""What is said to whoever asks for what is not there or takes too long, and the operation that starts a plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from somnus_plugins.errors import (
    CallTimeout,
    InvalidConfig,
    NotReady,
    Overloaded,
    UnknownPlugin,
    UnknownTool,
    UsageError,
)
from somnus_plugins.host.core import Terms
from tests.support.plugins import House, open_house, write_plugin

pytestmark = pytest.mark.anyio

SLOW = """
class Settings(BaseModel):
    word: str = "x"
    loud: bool = False

class Main(Plugin):
    config: Settings

    @tool
    async def nap(self, s: float) -> None:
        await asyncio.sleep(s)

    @tool(timeout_s=0.1)
    async def dream(self) -> None:
        await asyncio.sleep(60)

    @tool
    async def relay(self) -> None:
        from somnus_plugins.errors import CallTimeout
        raise CallTimeout("another one took too long")
"""


async def test_a_deadline_says_whose_it_was_how_long_and_what_moves_it(shared: House) -> None:
    await shared.add("slow", SLOW)

    with pytest.raises(
        CallTimeout, match=r"^local/slow did not answer within its deadline of 0\.2 s: tool 'nap'$"
    ) as asked:
        await shared.call("slow", "nap", {"s": 60}, timeout_s=0.2)
    with pytest.raises(
        CallTimeout, match=r"^local/slow did not answer within its deadline of 0\.1 s: tool 'dream'$"
    ) as own:
        await shared.call("slow", "dream")
    with pytest.raises(CallTimeout, match=r"^another one took too long$"):
        await shared.call("slow", "relay")

    assert "`timeout_s=`, or `--timeout`; it may take " in asked.value.remedy
    assert "`@tool(timeout_s=…)`, or `call_timeout_s` in [tool.somnus.limits]" in own.value.remedy
    assert own.value.data == {"plugin": "local/slow", "target": "dream", "timeout_s": 0.1}


async def test_who_finds_no_place_is_told_of_which_plugin(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits__queue=0) as house:
        await house.add("narrow", SLOW, somnus="[tool.somnus.limits]\nconcurrency = 1")
        first = await house.host.converse("narrow", "tool", "nap", {"s": 60}, Terms())

        with pytest.raises(Overloaded, match=r"^local/narrow: 1 calls run and 0 wait") as caught:
            await house.call("narrow", "nap", {"s": 0})
        await first.close()

    assert "concurrency" in caught.value.remedy


async def test_whatever_is_unknown_comes_with_what_can_be_done(shared: House) -> None:
    await shared.add("plain", SLOW)
    host = shared.host

    with pytest.raises(UnknownTool) as tool:
        await shared.call("plain", "nip")
    with pytest.raises(UnknownPlugin) as plugin:
        await shared.call("plian", "nap")
    with pytest.raises(UsageError, match="there is no operation 'enabel'") as operation:
        await host.operate("enabel")
    with pytest.raises(UsageError, match="do not fit enable") as arguments:
        await host.operate("enable", plugin=7)

    assert tool.value.remedy == "`somnus-plugins info plain` shows each with its arguments."
    assert "somnus-plugins list" in plugin.value.remedy
    assert operation.value.remedy == "Perhaps 'enable' is meant."
    assert arguments.value.remedy == "Its arguments are: plugin."


async def test_a_plugin_nobody_agreed_to_comes_with_the_way_to_install_it(tmp_path: Path) -> None:
    directory = write_plugin(tmp_path / "more", "stray", SLOW)

    async with open_house(tmp_path, host__extra_paths=[str(tmp_path / "more")]) as house:
        with pytest.raises(UnknownPlugin, match="local/stray is not installed") as caught:
            await house.host.info("local/stray")

    assert caught.value.remedy == f"`somnus-plugins install {directory}` installs it."
    assert caught.value.http_status == 404


async def test_a_setting_that_is_neither_known_nor_stored_cannot_be_unset(shared: House) -> None:
    await shared.add("worded", SLOW)
    before = await shared.host.configure("worded", word="hello")

    with pytest.raises(InvalidConfig, match="the nearest known key is word") as caught:
        await shared.host.operate("configure", plugin="worded", remove=["wrod"])
    unset = await shared.host.operate("configure", plugin="worded", remove=["word", "loud"])

    assert caught.value.data["problems"][0]["key"] == "wrod"
    assert unset["generation"] == before.generation + 1
    assert (await shared.host.operate("config", plugin="worded"))["values"] == {}


async def test_a_plugin_can_be_started_without_a_call(shared: House) -> None:
    asleep = await shared.add("sleepy", SLOW)

    view = await shared.host.operate("wake", plugin="sleepy")
    again = await shared.host.operate("wake", plugin="sleepy")

    assert (asleep.state, view["state"], again["state"]) == ("asleep", "active", "active")
    await shared.host.disable("sleepy")
    with pytest.raises(NotReady, match="is stopped"):
        await shared.host.operate("wake", plugin="sleepy")


async def test_no_plugin_is_started_in_safe_mode(tmp_path: Path) -> None:
    async with open_house(tmp_path, host_options={"safe": True}) as house:
        await house.add("sleepy", SLOW)

        with pytest.raises(NotReady, match="safe mode"):
            await house.host.operate("wake", plugin="sleepy")
        assert (await house.host.info("sleepy")).pid is None


async def test_a_home_that_others_may_enter_is_told_once_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o755)

    async with open_house(tmp_path):
        told = [each.getMessage() for each in caplog.records if "is open to others" in each.getMessage()]

    assert len(told) == 1
    assert "chmod 700" in told[0]
