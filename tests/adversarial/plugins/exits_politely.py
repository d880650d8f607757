"""Asks the interpreter to end, as a script would."""

import sys

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        sys.exit(1)

    @tool
    async def calm(self) -> str:
        return "calm"
