"""Closes its socket in the middle of a frame, and lives on."""

import asyncio
import os
import socket
import struct

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    async def go(self) -> None:
        os.write(3, struct.pack(">I", 100) + b"x" * 50)
        socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RDWR)
        await asyncio.sleep(600)

    @tool
    async def calm(self) -> str:
        return "calm"
