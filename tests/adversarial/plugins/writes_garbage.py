"""Sends frames that are none."""

import asyncio
import os
import struct

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        for _ in range(64):
            body = os.urandom(48)
            os.write(3, struct.pack(">I", len(body)) + body)
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
