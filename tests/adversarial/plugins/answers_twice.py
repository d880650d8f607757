"""Answers its own call before it does."""

import os
import struct

import msgspec

from somnus_plugins.sdk import Call, Plugin, tool


class Main(Plugin):
    @tool
    async def go(self, call: Call) -> str:
        body = msgspec.msgpack.encode([2, call._source.id, "first"])
        os.write(3, (struct.pack(">I", len(body)) + body) * 2)
        return "third"

    @tool
    async def calm(self) -> str:
        return "calm"
