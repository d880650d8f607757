"""Writes far more lines than anybody keeps, then answers."""

import os

from somnus_plugins.sdk import Plugin, tool

LINE = b"\x1e" + b'{"level": "ERROR", "message": "fire"}\n'


class Main(Plugin):
    @tool
    async def go(self) -> int:
        for _ in range(200):
            os.write(2, LINE * 100)
        return 20_000

    @tool
    async def calm(self) -> str:
        return "calm"
