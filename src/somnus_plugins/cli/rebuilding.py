"""Developing a plugin: every save is planned and applied, and what a plugin writes is shown as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchfiles import Change, DefaultFilter, awatch

from somnus_plugins.cli import failures, journal, portraits, terminal
from somnus_plugins.errors import NotAPlugin, PlanChanged, PluginError, SomnusError, UnknownPlugin
from somnus_plugins.trust.contributions import CONTRIBUTIONS_FILE

if TYPE_CHECKING:
    from somnus_plugins.cli.scene import Scene
    from somnus_plugins.cli.serving import Station
    from somnus_plugins.host.views import Plan, PluginView

__all__ = ["Rebuilding", "SourceFilter"]

DEBOUNCE_MS: Final = 100
"""Milliseconds in which several changes count as one save: an editor writes, renames and touches."""

STEP_MS: Final = 20
"""Milliseconds without a change that end a save."""

LOOK_S: Final = 0.2
"""Seconds between two looks for new lines of the log."""


class SourceFilter(DefaultFilter):
    """Passes what an author writes; not what tools and the host itself leave in the directory.

    Args:
        home: A home may lie in the directory; its files are nobody's source.
    """

    ignore_dirs = (*DefaultFilter.ignore_dirs, ".somnus", ".ruff_cache", "build", "dist")

    def __init__(self, home: Path) -> None:
        super().__init__(ignore_paths=[home])

    def __call__(self, change: Change, path: str) -> bool:
        """Whether this change is a save."""
        name = path.rpartition("/")[2]
        return not (name == CONTRIBUTIONS_FILE or name.endswith(".tmp")) and super().__call__(change, path)


@dataclass
class Rebuilding:
    """The plugin in one directory, installed anew on every save. To run it on one's own directory is the consent."""

    scene: Scene
    directory: Path
    saved: asyncio.Event = field(default_factory=asyncio.Event)
    plugin: str = ""
    """Its id, once it was read."""
    _watching: asyncio.Task[None] | None = None

    async def first(self, station: Station) -> None:
        """Begin to watch it, and install it for the first time. One that is broken may still be repaired.

        Raises:
            NotAPlugin: There is no manifest.
        """
        self._watching = asyncio.get_running_loop().create_task(self._watch(station))
        await asyncio.sleep(0)  # in its first step it begins to watch: no save from here on is missed
        await self._rebuild(station, first=True)

    async def follow(self, station: Station) -> None:
        """Rebuild on every save and show the log, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_watching())
            group.create_task(self._rebuild_on_save(station))
            group.create_task(self._show_log(station))

    async def _keep_watching(self) -> None:
        if self._watching is not None:
            await self._watching

    async def _watch(self, station: Station) -> None:
        sources = SourceFilter(station.host.home.root)
        async for _ in awatch(self.directory, watch_filter=sources, debounce=DEBOUNCE_MS, step=STEP_MS):
            self.saved.set()

    async def _rebuild_on_save(self, station: Station) -> None:
        while True:
            await self.saved.wait()
            self.saved.clear()
            await self._rebuild(station)

    async def _rebuild(self, station: Station, *, first: bool = False) -> None:
        began = time.monotonic()
        try:
            plan = await station.host.plan(self.directory)
            await self._become(station, plan.id)
            view = await self._wake(station, await station.host.apply(plan))
        except PlanChanged:  # saved again in between
            self.saved.set()
        except SomnusError as error:
            if first and isinstance(error, NotAPlugin):
                raise
            told = "save it again when it is repaired" if first else "the version before goes on serving"
            self._tell_failure(error, told)
        else:
            self._tell(plan, view, time.monotonic() - began)

    async def _become(self, station: Station, plugin: str) -> None:
        """Take out what it was before its manifest gave it another name."""
        if self.plugin not in ("", plugin):
            with contextlib.suppress(UnknownPlugin):
                await station.host.uninstall(self.plugin)
        self.plugin = plugin

    async def _wake(self, station: Station, view: PluginView) -> PluginView:
        """Start it: it then goes on serving when the next save is broken, and what fails at its start is seen now."""
        if view.word != "asleep":
            return view
        try:
            await station.host.operate("wake", plugin=view.id)
        except PluginError as error:
            self._tell_failure(error, "it was loaded, and does not start")
        return (await station.host.info(view.id)).plugin

    async def _show_log(self, station: Station) -> None:
        tail: journal.Tail | None = None
        shown = ""
        try:
            while True:
                if shown != self.plugin:
                    if tail is not None:
                        tail.close()
                    shown = self.plugin
                    tail = journal.Tail(station.host.home.log(shown), from_end=True)
                for line in tail.lines() if tail is not None else ():
                    if self.scene.json:
                        self._event("log", line=line)
                    else:
                        self.scene.out.print(journal.shown(line), soft_wrap=True)
                await asyncio.sleep(LOOK_S)
        finally:
            if tail is not None:
                tail.close()

    def _tell(self, plan: Plan, view: PluginView, took_s: float) -> None:
        if self.scene.json:
            self._event("reload", ok=True, seconds=round(took_s, 3), changes=plan.adds, plugin=view)
            return
        from rich.text import Text

        out = self.scene.out
        line = Text.assemble((f"{terminal.clock(time.time())} ", "dim"), ("loaded ", "green"))
        line.append_text(terminal.text(f"{view.mount} {view.version}", "bold"))
        line.append(f" in {took_s * 1000:.0f} ms  ").append_text(terminal.state(view.word))
        if view.reason:
            line.append("  ").append_text(terminal.text(view.reason, "yellow"))
        out.print(line, soft_wrap=True)
        portraits.show_changes(out, plan.adds)

    def _tell_failure(self, error: SomnusError, told: str) -> None:
        if self.scene.json:
            self._event("reload", ok=False, error=error.to_record())
            return
        failures.report(error, as_json=False)
        self.scene.err.print(f"  {told}", style="dim")

    def _event(self, name: str, **facts: Any) -> None:
        terminal.write_text(terminal.json_text({"event": name, **facts}))
