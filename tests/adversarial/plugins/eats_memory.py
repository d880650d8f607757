"""Wants all the memory there is."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> int:
        kept = []
        while True:
            kept.append(bytearray(64 * 1024 * 1024))

    @tool
    async def calm(self) -> str:
        return "calm"
