"""A plugin under test: calls, streams, events, schedules, and what can be seen of it."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from somnus_plugins.errors import (
    CallTimeout,
    InvalidInput,
    InvalidPlugin,
    InvalidResult,
    NotReady,
    PluginRaised,
    ToolError,
    UnknownTool,
    UsageError,
)
from somnus_plugins.testing import PluginFactory, PluginUnderTest
from tests.support.wire import until
from tests.unit.testing.garden import CODE, MANIFEST, plant

pytestmark = pytest.mark.anyio


# --- calls -----------------------------------------------------------------------------------------------------------


async def test_a_call_carries_its_arguments_user_and_session(garden: PluginUnderTest) -> None:
    assert await garden.call("greet", {"name": "Ada"}) == "hello Ada, for None in None"
    assert await garden.call("greet", {"name": "Bo"}, user="u1", session="s1") == "hello Bo, for u1 in s1"


async def test_a_result_is_decoded_as_the_type_that_is_asked_for(garden: PluginUnderTest) -> None:
    assert await garden.call("sow", {"count": 3}) == [0, 1, 2]
    assert await garden.call("sow", {"count": 3}, returns=tuple[int, ...]) == (0, 1, 2)


async def test_errors_are_those_that_a_host_gives(garden: PluginUnderTest) -> None:
    with pytest.raises(UnknownTool, match=r"its tools: .*greet"):
        await garden.call("dance")
    with pytest.raises(InvalidInput, match="name"):
        await garden.call("greet", {"nam": "Ada"})
    with pytest.raises(ToolError, match=r"^too dry$"):
        await garden.call("fail", {"how": "too dry"})
    with pytest.raises(PluginRaised) as raised:
        await garden.call("fail", {"how": ""})

    assert raised.value.data["class"] == "KeyError"
    assert "secret" not in str(raised.value)


async def test_a_tool_has_its_own_deadline_and_a_caller_may_wait_less(garden: PluginUnderTest) -> None:
    with pytest.raises(CallTimeout):
        await garden.call("doze")
    with pytest.raises(CallTimeout):
        await garden.call("doze", timeout_s=0.01)
    assert await garden.call("greet", {"name": "Ada"}, timeout_s=5)


async def test_a_stream_gives_its_items_and_progress_as_they_come(garden: PluginUnderTest) -> None:
    told: list[tuple[float, float | None, str]] = []
    async with aclosing(garden.stream("grow", progress=lambda *each: told.append(each))) as stream:
        heights = [await anext(stream) for _ in range(3)]
        assert garden.instance.streams == 1

    assert heights == [1, 2, 3]
    assert told[0] == (1.0, None, "1 cm")
    await until(lambda: garden.instance.streams == 0)


async def test_a_tool_that_does_not_stream_gives_one_item(garden: PluginUnderTest) -> None:
    assert [each async for each in garden.stream("greet", {"name": "Ada"})] == ["hello Ada, for None in None"]
    assert [each async for each in garden.stream("sow", {"count": 2})] == [0, 1]
    with pytest.raises(UnknownTool):
        await anext(garden.stream("dance"))


# --- settings --------------------------------------------------------------------------------------------------------


async def test_settings_reach_the_plugin_as_plain_values(
    plugin_factory: PluginFactory, garden_directory: Path, tmp_path: Path
) -> None:
    garden = plugin_factory(config={"greeting": "good day", "folder": tmp_path}, directory=garden_directory)

    assert (await garden.call("greet", {"name": "Ada"})).startswith("good day Ada")
    assert garden.config == {"greeting": "good day", "folder": str(tmp_path)}
    assert garden.instance.config.folder == tmp_path


async def test_settings_that_do_not_fit_are_named(plugin_factory: PluginFactory, garden_directory: Path) -> None:
    with pytest.raises(NotReady, match="greeting"):
        await plugin_factory(config={"greeting": 1}, directory=garden_directory).start()
    with pytest.raises(UsageError, match="config"):
        plugin_factory(config={"greeting": object()}, directory=garden_directory)


# --- what a host does by itself --------------------------------------------------------------------------------------


async def test_events_reach_the_methods_that_listen_and_may(garden: PluginUnderTest) -> None:
    assert await garden.publish("garden.rose", {"petals": 5}, source="somnus/wind") == 1
    assert await garden.publish("weather.rain") == 0
    assert await garden.publish("desert.cactus") == 0
    assert garden.instance.seen == [("garden.rose", {"petals": 5}, "somnus/wind")]


async def test_a_scheduled_method_runs_when_it_is_told_to(garden: PluginUnderTest) -> None:
    await garden.run_schedule("tidy")

    assert garden.instance.seen == ["tidied"]
    with pytest.raises(UnknownTool, match="there are: tidy"):
        await garden.run_schedule("greet")


async def test_sleep_ends_it_in_order_and_the_next_call_starts_another_instance(garden: PluginUnderTest) -> None:
    await garden.sleep()
    await garden.start()
    first = garden.instance
    await garden.sleep()

    assert (garden.data / "closed").read_text() == "in order"
    with pytest.raises(UsageError, match="does not run"):
        _ = garden.instance
    assert await garden.call("sow", {"count": 1}) == [0]
    assert garden.instance is not first


# --- what can be seen ------------------------------------------------------------------------------------------------


async def test_what_it_logs_can_be_read_and_tracebacks_are_there(garden: PluginUnderTest) -> None:
    assert garden.logs == []
    await garden.call("greet", {"name": "Ada"})
    with pytest.raises(PluginRaised):
        await garden.call("fail", {"how": ""})
    await garden.http.get("/plants/rose")

    assert [line.message for line in garden.logs[:3]] == ["the garden is open", "greeting Ada", "it fails"]
    assert [line.level for line in garden.logs] == ["INFO", "INFO", "WARNING", "ERROR"]
    assert "KeyError: 'secret words'" in garden.logs[-1].message


async def test_what_it_adds_is_known_once_it_has_started(plugin_factory: PluginFactory, tmp_path: Path) -> None:
    garden = plugin_factory(directory=plant(tmp_path / "fresh"))
    with pytest.raises(UsageError, match="nobody has asked"):
        _ = garden.contributions

    async with garden:
        names = {tool.name for tool in garden.contributions.tools}
        assert names == {"greet", "sow", "doze", "grow", "fail"}
        assert {route.path for route in garden.contributions.routes} >= {"/plants/{name}", "/talk"}


async def test_once_it_has_ended_it_is_not_started_again_and_its_log_stays(garden: PluginUnderTest) -> None:
    async with garden:
        assert len(garden.logs) == 1

    with pytest.raises(UsageError, match="has ended"):
        await garden.call("sow", {"count": 1})
    assert [line.message for line in garden.logs] == ["the garden is open"]


async def test_its_data_is_its_own_and_there_before_it_starts(
    plugin_factory: PluginFactory, garden_directory: Path, garden: PluginUnderTest
) -> None:
    other = plugin_factory(directory=garden_directory)
    (other.data / "seed").write_text("poppy")
    await other.start()
    await garden.start()

    assert (other.instance.data / "seed").read_text() == "poppy"
    assert list(garden.data.iterdir()) == []


async def test_code_that_cannot_be_loaded_is_said_with_its_place(plugin_factory: PluginFactory, tmp_path: Path) -> None:
    broken = plant(tmp_path / "broken", code="import nothing_of_this_name\n")
    late = plant(tmp_path / "late", code=CODE.replace('self.log.info("the garden is open")', "1 / 0"))

    with pytest.raises(InvalidPlugin, match="nothing_of_this_name"):
        await plugin_factory(directory=broken).start()
    with pytest.raises(NotReady, match="ZeroDivisionError"):
        await plugin_factory(directory=late).start()


async def test_a_result_over_the_plugins_limit_is_refused(plugin_factory: PluginFactory, tmp_path: Path) -> None:
    manifest = MANIFEST + "\n[tool.somnus.limits]\nresult_mb = 1\n"
    garden = plugin_factory(directory=plant(tmp_path / "small", manifest=manifest))

    with pytest.raises(InvalidResult):
        await garden.call("sow", {"count": 500_000})
    assert await garden.call("sow", {"count": 1}) == [0]
