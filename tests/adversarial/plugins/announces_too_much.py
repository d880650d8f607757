"""Announces a frame of four gigabytes and sends what it can of it."""

import asyncio
import os

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        os.write(3, b"\xff\xff\xff\xff" + b"x" * 1000)
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
