"""Opens files until there are no more to be had."""

import os

from somnus_plugins.sdk import Plugin, tool

KEPT: list[int] = []


class Main(Plugin):
    @tool
    async def go(self) -> int:
        while True:
            KEPT.append(os.open("/dev/null", os.O_RDONLY))

    @tool
    async def calm(self) -> str:
        return "calm"
