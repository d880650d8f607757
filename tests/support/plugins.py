"""Tiny plugins on disk, and a host of short patience to serve them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from somnus_plugins import PluginHost
from somnus_plugins.host.views import PluginView
from somnus_plugins.settings import Settings, load_settings
from tests.support.processes import Census
from tests.support.waiting import eventually

__all__ = ["HOSTILE", "VERIFY", "House", "Pulse", "hostile_code", "open_house", "short_settings", "write_plugin"]

VERIFY = bool(os.environ.get("SOMNUS_VERIFY"))
HOSTILE = Path(__file__).parents[1] / "adversarial" / "plugins"

PRELUDE = """\
import asyncio, os, sys, time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from pydantic import BaseModel
from somnus_plugins.errors import TemporaryError, ToolError
from somnus_plugins.sdk import Call, Event, Plugin, cron, every, get, on, tool
"""

IMPATIENT: dict[str, Any] = {
    "runtime.pool_size": 1,
    "runtime.start_timeout_s": 3,
    "runtime.stop_timeout_s": 0.4,
    "runtime.cancel_grace_s": 0.2,
    "runtime.crash_backoff_s": (0.0,),
    "host.drain_timeout_s": 2,
    "host.sleep_check_s": 0.05,
    "host.barrier_timeout_s": 2,
    "host.door_timeout_s": 5,
}


def short_settings(**overrides: Any) -> Settings:
    """Settings with little patience; `runtime__pool_size=3` overrides `runtime.pool_size`."""
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings(environment={}, overrides={**IMPATIENT, **named})


def write_plugin(
    folder: Path,
    name: str,
    code: str = "class Main(Plugin):\n    pass\n",
    *,
    version: str = "0.1.0",
    somnus: str = "",
    api: str = ">=1,<2",
    prelude: str = PRELUDE,
) -> Path:
    """Write a plugin `local/<name>` whose class is `Main`; `somnus` are further lines of its table."""
    module = name.replace("-", "_")
    directory = folder / name
    (directory / module).mkdir(parents=True, exist_ok=True)
    (directory / module / "__init__.py").write_text(prelude + code, encoding="utf-8")
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = "A plugin of a test."\n'
        f'[tool.somnus]\ntype = "tool_integration"\nentry = "{module}:Main"\napi = "{api}"\n{somnus}\n',
        encoding="utf-8",
    )
    return directory


def hostile_code(name: str) -> str:
    """The source of one hostile plugin."""
    return (HOSTILE / f"{name}.py").read_text(encoding="utf-8")


class House:
    """A running host, a folder for plugins beside its home, and short ways to both."""

    def __init__(self, root: Path, host: PluginHost) -> None:
        self.root = root
        self.host = host
        self.call = host.call

    async def add(self, name: str, code: str, *, mount: str | None = None, **options: Any) -> PluginView:
        """Write a plugin and install it."""
        return await self.install(write_plugin(self.root / "plugins", name, code, **options), mount)

    async def install(self, directory: Path, mount: str | None = None) -> PluginView:
        """Install what lies there."""
        return await self.host.apply(await self.host.plan(directory, mount=mount))

    async def state(self, name: str) -> str:
        """What is observed of a plugin."""
        return (await self.host.info(name)).plugin.state

    async def becomes(self, name: str, state: str, timeout_s: float = 5.0) -> PluginView:
        """Wait until a plugin is in a state."""

        async def look() -> PluginView | None:
            view = (await self.host.info(name)).plugin
            return view if view.state == state else None

        found = await eventually(look, timeout_s)
        assert found is not None
        return found

    async def messages(self, name: str) -> list[str]:
        """What is in a plugin's log."""
        return [line.message for line in await self.host.logs(name, 1000)]

    async def logged(self, name: str, text: str, timeout_s: float = 5.0) -> str:
        """Wait until a line of the log has this text."""

        async def look() -> str:
            return next((each for each in await self.messages(name) if text in each), "")

        return await eventually(look, timeout_s)

    async def zygote(self) -> int:
        """Process id of the zygote."""
        pid = (await self.host.status()).zygote_pid
        assert pid is not None
        return pid

    async def process(self, name: str) -> int:
        """Process id of a plugin that runs."""
        pid = (await self.host.info(name)).pid
        assert pid is not None
        return pid

    async def census(self) -> Census:
        """What the host holds, once its pool is full."""
        wanted = self.host.settings.runtime.pool_size

        async def full() -> bool:
            return (await self.host.status()).blank >= wanted

        await eventually(full)
        return Census.now(await self.zygote())


@asynccontextmanager
async def open_house(
    root: Path, *, host_options: dict[str, Any] | None = None, **overrides: Any
) -> AsyncIterator[House]:
    """Run a host with its home below a folder."""
    host = PluginHost(root / "home", settings=short_settings(**overrides), **(host_options or {}))
    async with host:
        yield House(root, host)


class Pulse:
    """Calls an innocent plugin again and again while something else happens.

    Args:
        house: The host.
        plugin: A plugin with a tool `echo`.
    """

    PAUSE_S = 0.005

    def __init__(self, house: House, plugin: str = "bystander") -> None:
        self._house = house
        self._plugin = plugin
        self._end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.beats = 0
        self.slowest_s = 0.0

    async def __aenter__(self) -> Pulse:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end.set()
        assert self._task is not None
        await self._task

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.create_task(self._end.wait())
        while not ended.done():
            began = loop.time()
            assert await self._house.call(self._plugin, "echo", {"value": self.beats}, timeout_s=5) == self.beats
            self.slowest_s = max(self.slowest_s, loop.time() - began)
            self.beats += 1
            await asyncio.wait([ended], timeout=self.PAUSE_S)
