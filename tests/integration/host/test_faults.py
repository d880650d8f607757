"""What a plugin can do to the others and to its host: nothing. Each fault is one of `tests/adversarial/plugins`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins import errors
from somnus_plugins.errors import (
    CallTimeout,
    InvalidResult,
    NotReady,
    PluginCrashed,
    PluginError,
    PluginRaised,
    WireError,
)
from tests.support.plugins import House, Pulse, hostile_code, write_plugin
from tests.support.processes import Census, Held
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

DEADLINE_S = 1.5
GRACE_S = 1.5
"""Beyond a deadline, on a machine that is busy with other tests; the host's own grace is far less."""


@dataclass(frozen=True)
class Fault:
    """One hostile plugin: what its caller gets, and what becomes of it."""

    plugin: str
    gets: type[PluginError] | Any
    """The error's class, or the result."""
    then: str
    """Its state when the dust has settled."""
    words: str = ""
    """In the error's message, or in the log."""
    timeout_s: float = DEADLINE_S

    def __str__(self) -> str:
        return self.plugin


FAULTS = [
    Fault("raises", PluginRaised, "active", "ValueError in go"),
    Fault("unserialisable", InvalidResult, "active", "object"),
    Fault("exits", PluginCrashed, "asleep", "exited with code 3"),
    Fault("exits_politely", PluginRaised, "active", "SystemExit in go"),
    Fault("interrupts", PluginRaised, "active", "KeyboardInterrupt in go"),
    Fault("segfaults", PluginCrashed, "asleep", "SIGSEGV"),
    Fault("spins", CallTimeout, "asleep", "deadline", 0.3),
    Fault("oversleeps", CallTimeout, "active", "deadline", 0.3),
    Fault("blocks_thread", CallTimeout, "active", "deadline", 0.3),
    Fault("swallows_cancellation", CallTimeout, "active", "deadline", 0.3),
    Fault("floods_stdout", CallTimeout, "asleep", "deadline", 0.5),
    Fault("floods_stderr", 20_000, "active", "lines dropped: too many", 10),
    Fault("writes_garbage", PluginCrashed, "asleep", "broke the protocol"),
    Fault("announces_too_much", CallTimeout, "asleep", "deadline", 0.3),
    Fault("answers_twice", "first", "active", "broke the protocol: answer to no call"),
    Fault("answers_others", "its own", "active", "broke the protocol: answer to no call"),
    Fault("hangs_up", PluginCrashed, "asleep", "ended before it answered"),
    Fault("closes_everything", PluginCrashed, "asleep", "ended before it answered"),
    Fault("returns_too_much", InvalidResult, "active", "result_mb"),
    Fault("returns_too_deep", InvalidResult, "active", "cannot be"),
    Fault("eats_memory", PluginRaised, "active", "MemoryError"),
    Fault("eats_descriptors", PluginRaised, "active", "OSError"),
]
LIMITS = "[tool.somnus.limits]\nresult_mb = 1\nmemory_mb = 256\nopen_files = 64"


async def outcome(house: House, fault: Fault) -> tuple[Any, str, float]:
    """Result or class of error, the words for it, and how long it took."""
    began = time.monotonic()
    try:
        result = await house.call(fault.plugin.replace("_", "-"), "go", timeout_s=fault.timeout_s)
    except errors.SomnusError as error:
        return type(error), f"{error} {error.remedy}", time.monotonic() - began
    return result, "", time.monotonic() - began


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_ends_its_own_call_and_nothing_else(shared: House, fault: Fault) -> None:
    before = await shared.census()
    name = fault.plugin.replace("_", "-")
    await shared.add(name, hostile_code(fault.plugin), prelude="", somnus=LIMITS)
    assert await shared.call(name, "calm") == "calm"

    async with Pulse(shared) as pulse:
        got, words, took_s = await outcome(shared, fault)
        await shared.becomes(name, fault.then)

    assert got == fault.gets
    assert took_s < fault.timeout_s + GRACE_S
    assert fault.words in words or await shared.logged(name, fault.words)
    assert pulse.beats > 0
    assert pulse.slowest_s < 1
    assert await shared.call(name, "calm", timeout_s=5) == "calm"
    await shared.host.operate("uninstall", plugin=name)
    assert await leaves_only(shared, before)


async def leaves_only(house: House, before: Census) -> bool:
    """Whether descriptors, threads and processes are what they were."""

    async def same() -> bool:
        return await house.census() == before

    return await eventually(same)


@pytest.mark.parametrize(
    ("plugin", "error", "words"),
    [
        ("import_raises", PluginRaised, "Stop in import"),
        ("import_exits", PluginCrashed, "exited with code 5"),
        ("import_loops", CallTimeout, "deadline"),
        ("import_answers", PluginError, "something else than its"),
    ],
)
async def test_a_fault_at_import_stops_the_plan_or_the_start(
    shared: House, plugin: str, error: type[PluginError], words: str
) -> None:
    before = await shared.census()
    name = plugin.replace("_", "-")
    directory = write_plugin(shared.root / "plugins", name, hostile_code(plugin), prelude="")
    await shared.install(directory)
    (directory / "armed").touch()

    async with Pulse(shared) as pulse:
        with pytest.raises(error, match=words):
            await shared.host.plan(directory)
        with pytest.raises(NotReady, match="did not start"):
            await shared.call(name, "calm", timeout_s=10)

    assert pulse.slowest_s < 1
    assert await shared.state(name) == "failed"
    (directory / "armed").unlink()
    await shared.host.enable(name)
    assert await shared.call(name, "calm") == "calm"
    await shared.host.operate("uninstall", plugin=name)
    assert await leaves_only(shared, before)


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ("start_raises", "RuntimeError in start"),
        ("start_hangs", "deadline"),
        ("start_exits", "ended while it started: it exited with code 6"),
        ("start_lies", "believe me"),
    ],
)
async def test_a_plugin_that_does_not_start_is_held_as_failed(shared: House, plugin: str, words: str) -> None:
    before = await shared.census()
    name = plugin.replace("_", "-")
    await shared.add(name, hostile_code(plugin), prelude="")

    with pytest.raises(NotReady, match=words):
        await shared.call(name, "calm", timeout_s=10)
    with pytest.raises(NotReady, match="is failed"):
        await shared.call(name, "calm", timeout_s=10)

    view = (await shared.host.info(name)).plugin
    assert (view.state, view.word, view.desired) == ("failed", "failed", "enabled")
    assert words in view.reason
    assert (await shared.host.info(name)).starts == 1
    await shared.host.operate("uninstall", plugin=name)
    assert await leaves_only(shared, before)


async def test_a_start_that_is_put_off_for_ever_costs_its_callers_no_more_than_their_deadline(shared: House) -> None:
    await shared.add("start-postpones", hostile_code("start_postpones"), prelude="")

    with pytest.raises(NotReady, match="later"):
        await shared.call("start-postpones", "calm")
    with pytest.raises(CallTimeout):
        await shared.call("start-postpones", "calm", timeout_s=0.2)
    began = time.monotonic()
    disabled = await shared.host.disable("start-postpones")

    assert disabled.state == "stopped"
    assert time.monotonic() - began < 1
    await shared.host.operate("uninstall", plugin="start-postpones")


async def test_a_plugin_that_will_not_end_is_ended(shared: House) -> None:
    await shared.add("stays", hostile_code("will_not_end"), prelude="")
    await shared.call("stays", "calm")
    process = await shared.process("stays")

    with Held([process]) as held:
        began = time.monotonic()
        view = await shared.host.disable("stays")

        assert time.monotonic() - began < 0.4 + 0.2 + GRACE_S
        assert held.living() == set()
    assert (view.state, view.desired) == ("stopped", "disabled")
    await shared.host.operate("uninstall", plugin="stays")


async def test_processes_that_a_plugin_started_end_with_it(shared: House) -> None:
    await shared.add("forks", hostile_code("forks"), prelude="")
    started = await shared.call("forks", "begin")

    with Held(started) as held:
        assert held.living() == set(started)
        with pytest.raises(PluginCrashed, match="code 4"):
            await shared.call("forks", "go")

        await eventually(lambda: not held.living(), 2)
    assert await shared.call("forks", "calm") == "calm"
    await shared.host.operate("uninstall", plugin="forks")


async def test_a_daemon_of_a_plugin_does_not_outlive_its_plugin(shared: House) -> None:
    await shared.add("forks", hostile_code("forks"), prelude="")
    daemon = await shared.call("forks", "forget")

    with Held([daemon]) as held:
        await shared.host.operate("uninstall", plugin="forks")

        await eventually(lambda: not held.living(), 2)


async def read_slowly(stream: AsyncIterator[Any]) -> None:
    """Take what comes, with a turn of the loop for each item."""
    async for _ in stream:
        await asyncio.sleep(0)


async def test_a_stream_that_nobody_reads_stands_still_until_its_deadline(shared: House) -> None:
    await shared.add("endless", hostile_code("streams_for_ever"), prelude="")
    window = shared.host.settings.wire.window_bytes
    stream = shared.host.stream("endless", "go", timeout_s=1.5)

    assert len(await anext(stream)) == 10_000
    sent = [await shared.call("endless", "sent") for _ in range(20)][-1]
    assert sent * 10_000 < 3 * window
    with pytest.raises(CallTimeout):
        await read_slowly(stream)

    assert (await shared.host.info("endless")).running == 0
    assert await shared.state("endless") == "active"
    await shared.host.operate("uninstall", plugin="endless")


WEARING = [
    "swallows_cancellation",
    "blocks_thread",
]


@pytest.mark.parametrize("plugin", WEARING)
async def test_calls_that_never_end_wear_a_process_out_and_it_is_replaced(shared: House, plugin: str) -> None:
    name = plugin.replace("_", "-")
    await shared.add(name, hostile_code(plugin), prelude="")
    await shared.call(name, "calm")
    first = await shared.process(name)

    for _ in range(shared.host.settings.runtime.abandoned_calls_max + 1):
        with pytest.raises(CallTimeout):
            await shared.call(name, "go", timeout_s=0.05)
    await shared.becomes(name, "asleep", 3)

    assert await shared.call(name, "calm") == "calm"
    assert await shared.process(name) != first
    assert await shared.logged(name, "go on after their deadline")
    await shared.host.operate("uninstall", plugin=name)


async def test_a_plugin_that_kills_the_zygote_is_only_a_short_interruption(shared: House) -> None:
    await shared.add("parricide", hostile_code("kills_its_parent"), prelude="")
    zygote = await shared.zygote()

    with pytest.raises(PluginCrashed, match="its zygote ended"):
        await shared.call("parricide", "go", timeout_s=5)
    await shared.becomes("bystander", "asleep")

    assert await shared.call("bystander", "echo", {"value": 1}, timeout_s=10) == 1
    assert await shared.zygote() != zygote
    assert await shared.state("parricide") == "asleep"
    assert await shared.call("parricide", "calm", timeout_s=10) == "calm"
    await shared.host.operate("uninstall", plugin="parricide")


def test_every_hostile_plugin_is_used_here() -> None:
    used = Path(__file__).read_text(encoding="utf-8")
    files = sorted((Path(__file__).parents[2] / "adversarial" / "plugins").glob("*.py"))

    assert len(files) > 30
    assert [each.stem for each in files if f'"{each.stem}"' not in used] == []
    assert issubclass(WireError, errors.SomnusError)
