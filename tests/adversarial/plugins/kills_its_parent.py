"""Kills the process it was forked from."""

import asyncio
import os
import signal

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
