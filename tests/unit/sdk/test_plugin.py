"""The base class: what is there before the author's own code begins."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins.errors import UsageError
from somnus_plugins.sdk import Call, Plugin
from somnus_plugins.sdk.context import ACTIVE
from somnus_plugins.sdk.plugin import RESERVED, Belongings, instantiate
from somnus_plugins.sdk.threads import LoopAccess
from somnus_plugins.sdk.types import Event

from .test_context import Source

pytestmark = pytest.mark.anyio


class Diary(Plugin):
    def __init__(self) -> None:
        self.seen = (self.id, self.version, self.mount, self.base_path, self.data / "x", self.cache, self.config)
        self.log.info("made")


class Almanac(Plugin):
    pass


def belongings(**changes: Any) -> Belongings:
    facts: dict[str, Any] = {
        "id": "ada/diary",
        "version": "2.0",
        "mount": "diary",
        "base_path": "/plugins/diary",
        "data": Path("/data"),
        "cache": Path("/cache"),
        "log": logging.getLogger("test.diary"),
        "config": {"folder": "x"},
    }
    return Belongings(**(facts | changes))


def test_attributes_are_there_before_the_constructor_runs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        diary = instantiate(Diary, belongings())

    assert diary.seen == (
        "ada/diary",
        "2.0",
        "diary",
        "/plugins/diary",
        Path("/data/x"),
        Path("/cache"),
        {"folder": "x"},
    )
    assert caplog.record_tuples == [("test.diary", logging.INFO, "made")]


def test_a_plugin_without_a_constructor_of_its_own_is_made_too() -> None:
    almanac = instantiate(Almanac, belongings(id="ada/almanac", config=None))

    assert almanac.id == "ada/almanac"
    assert almanac.config is None
    assert Almanac.state_version == 1


def test_current_finds_the_running_instance_and_its_bases() -> None:
    diary = instantiate(Diary, belongings())

    assert copy_context().run(Diary.current) is diary
    assert copy_context().run(Plugin.current) is diary


def test_current_of_another_class_is_refused() -> None:
    instantiate(Diary, belongings())

    with pytest.raises(UsageError, match="no instance of Almanac") as caught:
        copy_context().run(Almanac.current)
    assert "while a call is served" in caught.value.remedy


def test_the_plugin_that_serves_the_call_comes_before_the_latest_one() -> None:
    first, second = instantiate(Diary, belongings()), instantiate(Diary, belongings())
    context = copy_context()
    context.run(ACTIVE.set, Call(Source(), first))

    assert context.run(Diary.current) is first
    assert copy_context().run(Diary.current) is second


async def test_hooks_do_nothing_unless_an_author_writes_them() -> None:
    almanac = instantiate(Almanac, belongings())

    for hook in (almanac.on_prepare, almanac.on_start, almanac.on_stop):
        await hook()
    assert almanac.id == "ada/diary"


async def test_a_thread_of_the_authors_own_may_wait() -> None:
    loop = asyncio.get_running_loop()
    almanac = instantiate(Almanac, belongings(), LoopAccess(loop))

    async def answer() -> int:
        return 42

    assert await asyncio.to_thread(almanac.wait, answer()) == 42
    with pytest.raises(UsageError, match="own thread"):
        almanac.wait(answer())


def test_without_a_loop_waiting_is_refused() -> None:
    almanac = instantiate(Almanac, belongings())

    with pytest.raises(UsageError, match="no event loop") as caught:
        almanac.wait(_Nothing())  # type: ignore[arg-type]  # it is never awaited
    assert "fixture" in caught.value.remedy


class _Nothing:
    """Something that is never awaited."""


@pytest.mark.parametrize("name", ["id", "version", "mount", "base_path", "data", "cache", "log", "wait", "current"])
def test_names_that_the_sdk_gives_are_reserved(name: str) -> None:
    assert name in RESERVED
    assert "config" not in RESERVED


def test_an_event_cannot_be_changed() -> None:
    event = Event(topic="memory.stored", data={"id": 1})

    with pytest.raises(AttributeError):
        event.topic = "other"  # type: ignore[misc]  # the very mistake
    assert (event.source, event.time_s, event.id) == ("", 0.0, "")
