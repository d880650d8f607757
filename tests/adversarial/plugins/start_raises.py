"""Does not start."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    async def on_start(self) -> None:
        raise RuntimeError("not today")

    @tool
    async def calm(self) -> str:
        return "calm"
