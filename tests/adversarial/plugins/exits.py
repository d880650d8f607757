"""Ends its process in the middle of a call."""

import os

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        os._exit(3)

    @tool
    async def calm(self) -> str:
        return "calm"
