"""Raises at import what is not even an Exception, once it is armed."""

from pathlib import Path

from somnus_plugins.sdk import Plugin, tool

if (Path(__file__).parents[1] / "armed").exists():
    raise BaseException("no")


class Main(Plugin):
    @tool
    async def calm(self) -> str:
        return "calm"
