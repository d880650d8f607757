"""Where the plugins of one test stand, and what a session keeps for all of its tests."""

from __future__ import annotations

import contextlib
import itertools
import logging
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from somnus_plugins.errors import NotAPlugin, SomnusError, UsageError
from somnus_plugins.host.discovery import read_directory
from somnus_plugins.host.home import Home
from somnus_plugins.settings import Settings
from somnus_plugins.testing.background import Background, Foreground
from somnus_plugins.testing.imports import Imports
from somnus_plugins.testing.memory import MemoryNursery
from somnus_plugins.testing.subject import Level, PluginUnderTest, Project, Theatre

__all__ = ["GRANTS_MISSING", "LEVELS", "PluginFactory", "Season", "Stage", "find_plugin"]

LEVELS: tuple[Level, ...] = ("memory", "process")
GRANTS_MISSING: Final = "`grants` comes with permissions: for now nothing is withheld from a plugin under test."
"""What is said to whoever gives grants and would believe that they count."""
PluginFactory = Callable[..., PluginUnderTest]
"""`plugin_factory(config=…, level=…, directory=…)`: a further plugin, which ends with the test."""


def find_plugin(start: Path) -> Path:
    """The nearest directory upward whose pyproject.toml has a table `[tool.somnus]`.

    Raises:
        NotAPlugin: There is none.
    """
    for directory in (start, *start.parents):
        with contextlib.suppress(OSError, ValueError):
            if "somnus" in tomllib.loads((directory / "pyproject.toml").read_text("utf-8")).get("tool", {}):
                return directory
    raise NotAPlugin(
        f"no pyproject.toml with [tool.somnus] in {start} or above",
        remedy="Put the tests into the plugin's directory; `somnus-plugins create` writes one that is complete.",
    )


class Season:
    """What all tests of a session share: the projects as read once, and the zygote once a test has asked for it."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._projects: dict[Path, Project] = {}
        self._background: Background | None = None

    def project(self, directory: Path) -> Project:
        """The plugin in a directory.

        Raises:
            NotAPlugin, InvalidManifest: It is none, or not a valid one.
        """
        directory = directory.resolve()
        if directory not in self._projects:
            found = read_directory(directory)
            if found.manifest is None:
                raise found.error or NotAPlugin(f"{directory} has no manifest")
            self._projects[directory] = Project(directory, found.manifest)
        return self._projects[directory]

    @property
    def background(self) -> Background:
        """The loop and the zygote for the level `process`."""
        if self._background is None:
            self._background = Background(self.settings)
        return self._background

    def close(self) -> None:
        """End every process."""
        if self._background is not None:
            self._background.close()


class Stage:
    """The plugins of one test.

    Args:
        season: Of the session.
        start: Where the search for the manifest begins.
        room: A directory of its own for the test's homes.
        level: Where nothing else is said.
    """

    def __init__(self, season: Season, start: Path, room: Path, level: Level) -> None:
        self.opening: PluginUnderTest | None = None
        """The one that starts before the test: the fixture `plugin`."""
        self._season = season
        self._start = start
        self._room = room
        self._level = level
        self._numbers = itertools.count(1)
        self._plugins: list[PluginUnderTest] = []
        self._imports: Imports | None = None
        self._log_level = logging.root.level

    def plugin(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        level: Level | None = None,
        directory: str | Path | None = None,
        **others: Any,
    ) -> PluginUnderTest:
        """A plugin of this test, which has not started yet.

        Args:
            config: Values of its settings.
            level: `memory`: in this process, behind the real dispatcher. `process`: in a process of its own.
            directory: Instead of the one that the test lies in.
            others: Are refused.

        Raises:
            NotAPlugin, InvalidManifest: There is none, or not a valid one.
            UsageError: The level is none, or something else was given.
        """
        if others:
            why = GRANTS_MISSING if "grants" in others else ""
            raise UsageError(f"{', '.join(others)}: allowed are config, level and directory", remedy=why)
        chosen = self._level if level is None else level
        if chosen not in LEVELS:
            raise UsageError(f"level={chosen!r}; allowed are {', '.join(map(repr, LEVELS))}")
        project = self._season.project(find_plugin(self._start) if directory is None else Path(directory))
        home = Home(self._room / f"home-{next(self._numbers)}")
        made = PluginUnderTest(project, self._theatre(chosen), home, config or {})
        self._plugins.append(made)
        return made

    def _theatre(self, level: Level) -> Theatre:
        settings = self._season.settings
        if level == "process":
            background = self._season.background
            return Theatre(level, background, background.nursery, settings)
        if self._imports is None:
            self._imports = Imports()
            self._log_level = logging.root.level
            logging.root.setLevel(min(self._log_level, logging.INFO))
        return Theatre(level, Foreground(), MemoryNursery(settings, self._imports), settings)

    async def open(self) -> None:
        """Start the fixture's plugin, where the test has one."""
        if self.opening is not None:
            await self.opening.start()

    async def close(self) -> None:
        """End every plugin, the latest first.

        Raises:
            SomnusError: The first failure; all have been ended all the same.
        """
        failures: list[SomnusError] = []
        while self._plugins:
            try:
                await self._plugins.pop().close()
            except SomnusError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def clear(self) -> None:
        """Undo what the plugins did to this interpreter."""
        if self._imports is not None:
            self._imports.restore()
            self._imports = None
            logging.root.setLevel(self._log_level)
