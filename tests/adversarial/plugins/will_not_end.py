"""Ignores every signal that can be ignored, and has always one more word to say."""

import asyncio
import signal

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    async def on_start(self) -> None:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)

    async def on_stop(self) -> None:
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
