"""Keeps a thread that nothing can stop."""

import time

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    def go(self) -> None:
        time.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
