"""Raises at import what is not even an Exception, once it is armed."""

from pathlib import Path

from somnus_plugins.sdk import Plugin, tool


class Stop(BaseException):
    """Passes every `except Exception`."""


if (Path(__file__).parents[1] / "armed").exists():
    raise Stop


class Main(Plugin):
    @tool
    async def calm(self) -> str:
        return "calm"
