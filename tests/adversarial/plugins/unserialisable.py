"""Returns what no encoding knows."""

from typing import Any

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> Any:
        return object()

    @tool
    async def calm(self) -> str:
        return "calm"
