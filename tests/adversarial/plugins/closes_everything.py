"""Closes every descriptor there is."""

import asyncio
import os

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        os.closerange(0, 256)
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
