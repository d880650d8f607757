"""Never ends its import, once it is armed."""

from pathlib import Path

from somnus_plugins.sdk import Plugin, tool

while (Path(__file__).parents[1] / "armed").exists():
    pass


class Main(Plugin):
    @tool
    async def calm(self) -> str:
        return "calm"
