"""Answers the question what it adds by itself, with something else, while it is imported."""

import os
import struct
from pathlib import Path

import msgspec

from somnus_plugins.sdk import Plugin, tool

if (Path(__file__).parents[1] / "armed").exists():
    for number in range(1, 9, 2):
        body = msgspec.msgpack.encode([2, number, ["what", "ever"]])
        os.write(3, struct.pack(">I", len(body)) + body)


class Main(Plugin):
    @tool
    async def calm(self) -> str:
        return "calm"
