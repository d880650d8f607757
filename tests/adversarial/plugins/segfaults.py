"""Reads where there is nothing."""

import ctypes

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        ctypes.string_at(0)

    @tool
    async def calm(self) -> str:
        return "calm"
