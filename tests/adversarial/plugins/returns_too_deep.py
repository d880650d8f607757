"""Returns a list in a list in a list, deeper than anybody reads."""

from typing import Any

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> Any:
        found: list[Any] = []
        for _ in range(5_000):
            found = [found]
        return found

    @tool
    async def calm(self) -> str:
        return "calm"
