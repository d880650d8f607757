"""Never has started."""

import asyncio

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    async def on_start(self) -> None:
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
