"""Waits longer than its caller."""

import asyncio

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
