"""Prints for ever."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        while True:
            print("nonsense " * 12)

    @tool
    async def calm(self) -> str:
        return "calm"
