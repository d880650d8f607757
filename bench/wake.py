"""How long a sleeping plugin takes to answer."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from bench.measure import Row, median
from bench.plugins import write_echo
from somnus_plugins import PluginHost, load_settings
from somnus_plugins.host.core import Terms
from somnus_plugins.wire.methods import HttpRequest, HttpResponse

ROUNDS = 60
REQUEST = HttpRequest(
    method="GET",
    scheme="http",
    path="/echo",
    query=b"q=x",
    headers=[(b"host", b"localhost")],
    root_path="",
    http_version="1.1",
    client=("127.0.0.1", 1),
    server=("127.0.0.1", 80),
    subprotocols=[],
    body=b"",
)
BARE_FORK = """
import os, socket, sys
from somnus_plugins.worker.zygote import warm
warm()
host = socket.socket(fileno=int(sys.argv[1]))
host.send(b"warm")
while host.recv(1):
    if (child := os.fork()) == 0:
        host.send(b"x")
        os._exit(0)
    os.waitpid(child, 0)
"""


class BareFork:
    """A process with exactly the zygote's imports that does nothing but fork: the floor under every wake."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", BARE_FORK, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        self._socket.recv(16)

    def once_ms(self) -> float:
        """Milliseconds from the request until the first byte of the child."""
        began = time.perf_counter()
        self._socket.send(b"f")
        self._socket.recv(1)
        return (time.perf_counter() - began) * 1e3

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


def interpreter_ms(code: str, *options: str) -> float:
    """Milliseconds a fresh interpreter takes for `code`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *options, "-c", code], check=True, env={"PATH": os.environ["PATH"]})
    return (time.perf_counter() - began) * 1e3


async def _answer(host: PluginHost, kind: str) -> None:
    if kind == "tool":
        assert await host.call("bench/echo", "echo", {"data": {"a": 1}}) == {"a": 1}
        return
    conversation = await host.converse("bench/echo", "http", "", REQUEST, Terms())
    try:
        answer = msgspec.msgpack.decode(await conversation.result(), type=HttpResponse)
        assert answer.status == 200
    finally:
        await conversation.close()


async def _pool_is_full(host: PluginHost, size: int) -> None:
    while (await host.status()).blank < size:
        await asyncio.sleep(0.005)


async def _wakes(home: Path, plugin: Path, pool: int, kinds: tuple[str, ...], bare: BareFork) -> dict[str, list[float]]:
    settings = load_settings(overrides={"runtime.pool_size": pool})
    taken: dict[str, list[float]] = {kind: [] for kind in (*kinds, "fork")}
    async with PluginHost(home, settings=settings) as host:
        await host.apply(await host.plan(plugin))
        for kind in kinds * ROUNDS:
            await host.operate("restart", plugin="bench/echo")
            await _pool_is_full(host, pool)
            taken["fork"].append(bare.once_ms())
            began = time.perf_counter()
            await _answer(host, kind)
            taken[kind].append((time.perf_counter() - began) * 1e3)
    return taken


def rows(scratch: Path) -> list[Row]:
    """The figures about waking."""
    plugin = write_echo(scratch / "echo")
    bare = BareFork()
    fresh = asyncio.run(_wakes(scratch / "fresh", plugin, 0, ("tool", "route"), bare))
    pooled = asyncio.run(_wakes(scratch / "pooled", plugin, 2, ("tool",), bare))
    bare.close()
    passing = [interpreter_ms("pass", "-I") for _ in range(20)]
    importing = [interpreter_ms("import fastapi") for _ in range(5)]
    tool, route, fork = median(fresh["tool"]), median(fresh["route"]), median(fresh["fork"])
    return [
        Row("wake until first tool answer, zygote", tool, fork, "ms", "bare fork of the same zygote", 4),
        Row("the same", tool, median(passing), "ms", "`python -I -c pass`", 1),
        Row("the same", tool, median(importing), "ms", "`python -c 'import fastapi'`", 50, faster=True),
        Row("wake until first route answer, zygote", route, fork, "ms", "bare fork of the same zygote", 8),
        Row(
            "wake until first tool answer, warm pool",
            median(pooled["tool"]),
            median(pooled["fork"]),
            "ms",
            "bare fork of the same zygote",
            1.5,
        ),
    ]


def show(found: list[Any]) -> None:
    """Print rows while working on one benchmark."""
    for row in found:
        figures = f"{row.ours:9.2f} {row.reference:9.2f} {row.unit} {row.ratio:6.2f}"
        print(f"{row.what:50} {figures} {'yes' if row.reached else 'NO ':3} {row.against}")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        show(rows(Path(name)))
