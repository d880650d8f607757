"""Raises what its author never thought of; the words of it may hold anything."""

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        raise ValueError("the password is 1234")

    @tool
    async def calm(self) -> str:
        return "calm"
