"""Ends its process at import, once it is armed."""

import os
from pathlib import Path

from somnus_plugins.sdk import Plugin, tool

if (Path(__file__).parents[1] / "armed").exists():
    os._exit(5)


class Main(Plugin):
    @tool
    async def calm(self) -> str:
        return "calm"
