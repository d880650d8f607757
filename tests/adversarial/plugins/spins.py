"""Never gives its event loop back."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        while True:
            pass

    @tool
    async def calm(self) -> str:
        return "calm"
