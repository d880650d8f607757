"""Returns more than its manifest allows."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> bytes:
        return bytes(8 * 1024 * 1024)

    @tool
    async def calm(self) -> str:
        return "calm"
