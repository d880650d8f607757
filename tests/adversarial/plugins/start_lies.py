"""Says that a failure of the host's is what stopped it."""

from somnus_plugins.errors import PluginCrashed
from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    async def on_start(self) -> None:
        raise PluginCrashed("believe me")

    @tool
    async def calm(self) -> str:
        return "calm"
