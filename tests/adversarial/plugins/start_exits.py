"""Ends its process while it starts."""

import os

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    async def on_start(self) -> None:
        os._exit(6)

    @tool
    async def calm(self) -> str:
        return "calm"
