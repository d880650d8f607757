"""The fixture `plugin` at the level `process`: the same as in memory, and what only a process has."""

from __future__ import annotations

import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from somnus_plugins.errors import PluginCrashed, UsageError
from somnus_plugins.testing import PluginFactory, PluginUnderTest
from tests.support.wire import until

MANIFEST = """
[project]
name = "cellar"
version = "1.0"
description = "What only a process can do."
requires-python = ">=3.11"

[tool.somnus]
type = "tool_integration"
entry = "cellar:Cellar"
api = ">=1,<2"
"""
CODE = """
import os
from collections.abc import AsyncIterator

from somnus_plugins.sdk import Call, Plugin, tool


class Cellar(Plugin):
    @tool
    async def pid(self) -> int:
        print("in the cellar")
        return os.getpid()

    @tool
    async def die(self) -> None:
        os._exit(3)

    @tool
    async def count(self, call: Call) -> AsyncIterator[int]:
        try:
            for number in range(1_000_000):
                await call.progress(number)
                yield number
        finally:
            print("counted")
"""

pytestmark = pytest.mark.anyio


@pytest.fixture
def cellar(plugin_factory: PluginFactory, tmp_path: Path) -> PluginUnderTest:
    """A plugin in a process, which starts when it is used."""
    (tmp_path / "pyproject.toml").write_text(MANIFEST)
    (tmp_path / "cellar.py").write_text(CODE)
    return plugin_factory(directory=tmp_path, level="process")


async def test_it_lives_in_one_process_until_it_sleeps(cellar: PluginUnderTest) -> None:
    first = await cellar.call("pid")
    assert await cellar.call("pid") == first
    await cellar.sleep()

    assert await cellar.call("pid") != first
    assert not Path("/proc", str(first)).exists()
    with pytest.raises(UsageError, match="another process"):
        _ = cellar.instance


async def test_a_crash_is_an_error_and_the_next_call_finds_it_alive(cellar: PluginUnderTest) -> None:
    await cellar.start()
    with pytest.raises(PluginCrashed, match="code 3"):
        await cellar.call("die")

    assert await cellar.call("pid") > 0
    assert [line.message for line in cellar.logs if line.stream == "host"] == ["crashed: it exited with code 3"]


async def test_what_it_prints_is_in_its_log(cellar: PluginUnderTest) -> None:
    await cellar.call("pid")

    await until(lambda: cellar.logs)
    assert [(line.message, line.stream) for line in cellar.logs] == [("in the cellar", "stdout")]


async def test_items_and_progress_come_on_the_loop_of_the_test_and_stop_with_the_reader(
    cellar: PluginUnderTest,
) -> None:
    threads: set[str] = set()
    told = cellar.stream("count", progress=lambda *each: threads.add(threading.current_thread().name))
    async with aclosing(told) as stream:
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]

    await until(lambda: any(line.message == "counted" for line in cellar.logs))
    assert threads == {threading.current_thread().name}
