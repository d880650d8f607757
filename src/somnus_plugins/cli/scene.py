"""Where a verb stands: which home, for a person or a program, and how it reaches the home's host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from somnus_plugins.cli import terminal
from somnus_plugins.errors import UnknownPlugin

if TYPE_CHECKING:
    from rich.console import Console

    from somnus_plugins.cli.activity import Activity
    from somnus_plugins.host.plugin_host import PluginHost

__all__ = ["Scene"]

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """What `--home` and `--json` say, and what follows from it."""

    home: Path | None = None
    """The home that was named; None looks for it."""
    json: bool = False
    """Answer programs."""

    @cached_property
    def root(self) -> Path:
        """The folder of the home; it need not exist."""
        from somnus_plugins.host.home import find_home

        return (self.home or find_home()).expanduser().absolute()

    @cached_property
    def out(self) -> Console:
        """Standard output, for people."""
        return terminal.console()

    @cached_property
    def err(self) -> Console:
        """Standard error, for people."""
        return terminal.console(errors=True)

    def ask(
        self, question: Callable[[PluginHost, Activity], Awaitable[T]], doing: str, *, makes_home: bool = False
    ) -> T:
        """Put a question to the home's host, starting one for as long as it takes where none runs.

        Args:
            question: Takes the host and the activity that is shown meanwhile.
            doing: What is shown while it takes longer.
            makes_home: Make the home where there is none.

        Raises:
            UnknownPlugin: There is no home, so no plugin.
        """
        if not makes_home:
            self.require_home()
        import asyncio

        return asyncio.run(self._asked(question, doing))

    def require_home(self) -> None:
        """Raise `UnknownPlugin` where there is no home."""
        if not self.root.is_dir():
            raise UnknownPlugin(
                f"there is no home at {self.root}, so no plugin is installed",
                remedy="Name another home with --home, or install a plugin: `somnus-plugins install DIRECTORY`.",
            )

    async def _asked(self, question: Callable[[PluginHost, Activity], Awaitable[T]], doing: str) -> T:
        from somnus_plugins.cli.activity import Activity
        from somnus_plugins.host.plugin_host import PluginHost

        with Activity(self.err, doing) as activity:
            async with PluginHost(self.root, background=False) as host:
                return await question(host, activity)

    def answer(self, value: Any, show: Callable[[Console], None]) -> None:
        """Write an answer: `value` as one JSON document for programs, or what `show` prints for people."""
        if self.json:
            terminal.write_json(value)
        else:
            show(self.out)
