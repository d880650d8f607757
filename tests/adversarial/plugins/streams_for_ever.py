"""A stream without an end, whether anybody reads or not."""

from collections.abc import AsyncIterator

from somnus_plugins.sdk import Plugin, tool

SENT = [0]


class Main(Plugin):
    @tool
    async def go(self) -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)
            SENT[0] += 1

    @tool
    async def sent(self) -> int:
        return SENT[0]

    @tool
    async def calm(self) -> str:
        return "calm"
