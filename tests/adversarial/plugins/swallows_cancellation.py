"""Takes no end for an answer."""

import asyncio

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                continue

    @tool
    async def calm(self) -> str:
        return "calm"
