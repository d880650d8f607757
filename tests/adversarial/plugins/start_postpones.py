"""Puts its start off for ever, and longer."""

from somnus_plugins.errors import TemporaryError
from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    async def on_start(self) -> None:
        raise TemporaryError("later", delay_s=float("inf"))

    @tool
    async def calm(self) -> str:
        return "calm"
