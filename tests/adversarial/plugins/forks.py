"""Leaves processes behind: one in its own group, one that has gone to a session of its own."""

import os
import subprocess

from somnus_plugins.sdk import Plugin, tool


class Main(Plugin):
    @tool
    def begin(self) -> list[int]:
        near = subprocess.Popen(["sleep", "600"])
        far = subprocess.Popen(["sleep", "600"], start_new_session=True)
        return [near.pid, far.pid]

    @tool
    async def go(self) -> None:
        os._exit(4)

    @tool
    def forget(self) -> int:
        """A daemon's way: the child of a child whose parent ends at once."""
        shell = ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]
        return int(subprocess.run(shell, stdout=subprocess.PIPE, start_new_session=True, check=True).stdout)

    @tool
    async def calm(self) -> str:
        return "calm"
