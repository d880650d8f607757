"""A large argument: 64 MiB of bytes to a tool that gives their number."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.measure import Row, median
from bench.plugins import write_echo
from somnus_plugins import PluginHost

SIZE = 64 * 1024 * 1024
ROUNDS = 7


async def _once_ms(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1e3


async def _figures(scratch: Path) -> dict[str, float]:
    import grpc
    from google.protobuf.wrappers_pb2 import BytesValue, Int64Value

    data = b"\x5a" * SIZE
    address = scratch / "grpc.sock"
    process = subprocess.Popen([sys.executable, "-m", "bench.peers", "grpc", str(address)])
    while not address.exists():
        await asyncio.sleep(0.02)
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    taken: dict[str, list[float]] = {"ours": [], "copy": [], "grpc": []}
    async with PluginHost(scratch / "home") as host, grpc.aio.insecure_channel(f"unix:{address}", unlimited) as channel:
        await host.apply(await host.plan(write_echo(scratch / "echo")))
        size = channel.unary_unary("/bench.Echo/Size", BytesValue.SerializeToString, Int64Value.FromString)
        await host.call("bench/echo", "size", {"data": data})
        await size(BytesValue(value=data))
        for _ in range(ROUNDS):
            began = time.perf_counter()
            bytearray(data)
            taken["copy"].append((time.perf_counter() - began) * 1e3)
            taken["ours"].append(await _once_ms(lambda: host.call("bench/echo", "size", {"data": data})))
            taken["grpc"].append(await _once_ms(lambda: size(BytesValue(value=data))))
    process.terminate()
    process.wait()
    return {name: median(values) for name, values in taken.items()}


def rows(scratch: Path) -> list[Row]:
    """The figures about large arguments."""
    at = asyncio.run(_figures(scratch))
    return [
        Row("64 MiB argument", at["ours"], at["copy"], "ms", "a copy of the same bytes", 4),
        Row("the same", at["ours"], at["grpc"], "ms", "grpcio aio, its limit lifted", 5, faster=True),
    ]


if __name__ == "__main__":
    from bench.wake import show

    with tempfile.TemporaryDirectory() as name:
        show(rows(Path(name)))
