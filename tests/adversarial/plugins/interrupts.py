"""Raises what stops an event loop where nobody holds it."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        raise KeyboardInterrupt

    @tool
    async def calm(self) -> str:
        return "calm"
