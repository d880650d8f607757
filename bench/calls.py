"""Warm calls: one after another, and 32 at a time.

Run as `python -m bench.calls LOOP CORE` it measures on one event loop, pinned to one core or not, and prints JSON;
`rows` does that in processes of their own, so that loops and affinities do not mix.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.measure import Row, concurrent_rate, latencies_us, median, percentile, pinned_to, run_on
from bench.peers import PREFIX, BareEcho, receive
from bench.plugins import write_echo
from somnus_plugins import PluginHost

PAYLOAD = {"text": "x" * 170, "number": 1, "flag": True}
ROUNDS = 5
CALLS = 3_000
SLOW_CALLS = 300

Call = Callable[[], Awaitable[Any]]


def _peer(name: str, end: socket.socket) -> subprocess.Popen[bytes]:
    with end:
        return subprocess.Popen([sys.executable, "-m", "bench.peers", name, str(end.fileno())], pass_fds=[end.fileno()])


@asynccontextmanager
async def _ours(scratch: Path) -> AsyncIterator[Call]:
    async with PluginHost(scratch / "home") as host:
        await host.apply(await host.plan(write_echo(scratch / "echo")))
        yield lambda: host.call("bench/echo", "echo", {"data": PAYLOAD})


@asynccontextmanager
async def _bare(loop_name: str) -> AsyncIterator[Call]:
    mine, theirs = socket.socketpair()
    process = _peer(loop_name, theirs)
    loop = asyncio.get_running_loop()
    transport, echo = await loop.create_unix_connection(BareEcho, sock=mine)
    number = 0

    async def call() -> Any:
        nonlocal number
        number += 1
        future = echo.waiting[number] = loop.create_future()
        echo.send({"i": number, "m": "echo", "a": PAYLOAD})
        return await future

    yield call
    transport.abort()
    process.terminate()
    process.wait()


@asynccontextmanager
async def _grpc(scratch: Path) -> AsyncIterator[Call]:
    import grpc
    import msgspec
    from google.protobuf.wrappers_pb2 import BytesValue

    address = scratch / "grpc.sock"
    process = subprocess.Popen([sys.executable, "-m", "bench.peers", "grpc", str(address)])
    while not address.exists():
        await asyncio.sleep(0.02)
    async with grpc.aio.insecure_channel(f"unix:{address}") as channel:
        echo = channel.unary_unary("/bench.Echo/Call", BytesValue.SerializeToString, BytesValue.FromString)

        async def call() -> Any:
            answer = await echo(BytesValue(value=msgspec.msgpack.encode(PAYLOAD)))
            return msgspec.msgpack.decode(answer.value)

        yield call
    process.terminate()
    process.wait()


@asynccontextmanager
async def _mcp() -> AsyncIterator[Call]:
    from mcp import Client, StdioServerParameters

    server = StdioServerParameters(command=sys.executable, args=["-m", "bench.peers", "mcp", "-"])
    async with Client(server) as client:
        yield lambda: client.call_tool("echo", {"data": PAYLOAD})


def _raw_us() -> float:
    import msgspec

    mine, theirs = socket.socketpair()
    process = _peer("raw", theirs)

    def call() -> None:
        body = msgspec.msgpack.encode(PAYLOAD)
        mine.sendall(PREFIX.pack(len(body)) + body)
        (length,) = PREFIX.unpack(receive(mine, 4))
        msgspec.msgpack.decode(receive(mine, length))

    taken = _blocking_us(call)
    mine.close()
    process.wait()
    return taken


def _pipe_us() -> float:
    mine, theirs = multiprocessing.Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers", "pipe", str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )

    def call() -> None:
        mine.send(PAYLOAD)
        mine.recv()

    taken = _blocking_us(call)
    mine.close()
    process.wait()
    return taken


def _blocking_us(call: Callable[[], None]) -> float:
    for _ in range(300):
        call()
    taken: list[float] = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1e6)
    return median(taken)


async def _figures(loop_name: str, scratch: Path) -> dict[str, Any]:
    found: dict[str, list[float]] = {}
    async with _ours(scratch) as ours, _bare(loop_name) as bare, _grpc(scratch) as grpc, _mcp() as mcp:
        quick: dict[str, Call] = {"ours": ours, "bare": bare}
        slow: dict[str, Call] = {"grpc": grpc, "mcp": mcp}
        for _ in range(ROUNDS):
            for name, call in quick.items():
                taken = await latencies_us(call, CALLS)
                found.setdefault(name, []).append(median(taken))
                found.setdefault(f"{name} p99", []).append(percentile(taken, 0.99))
            for name, call in slow.items():
                found.setdefault(name, []).append(median(await latencies_us(call, SLOW_CALLS, 30)))
            for name, call in quick.items():
                found.setdefault(f"{name} rate", []).append(await concurrent_rate(call, CALLS * 2))
            for name, call in slow.items():
                found.setdefault(f"{name} rate", []).append(await concurrent_rate(call, SLOW_CALLS * 2))
            found.setdefault("raw", []).append(_raw_us())
            pipe = _pipe_us()
            found.setdefault("pipe", []).append(pipe)
            # A pipe has one call under way at a time: its rate is what one after another gives.
            found.setdefault("pipe rate", []).append(1e6 / pipe)
    return {name: median(values) for name, values in found.items()}


def measured(loop_name: str, core: int | None) -> dict[str, float]:
    """All figures on one loop, in a process of their own."""
    place = "free" if core is None else str(core)
    ran = subprocess.run(
        [sys.executable, "-m", "bench.calls", loop_name, place], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def rows(scratch: Path) -> list[Row]:
    """The figures about warm calls."""
    found: list[Row] = []
    for loop_name in ("asyncio", "uvloop"):
        for core, place in ((None, "unpinned"), (1, "pinned to one core")):
            at = measured(loop_name, core)
            what = f"warm call, {loop_name}, {place}"
            beside = {"raw blocking sockets": at["raw"], "p99": at["ours p99"], "p99 of the bare echo": at["bare p99"]}
            found.append(Row(what, at["ours"], at["bare"], "µs", f"bare echo on {loop_name}", 1.5, beside=beside))
            found.append(Row(what, at["ours"], at["grpc"], "µs", "grpcio aio unary call", 8, faster=True))
            found.append(Row(what, at["ours"], at["mcp"], "µs", "MCP SDK stdio tool call", 20, faster=True))
            found.append(Row(what, at["ours"], at["pipe"], "µs", "multiprocessing pipe with pickle", 3))
            rates = {name: at[f"{name} rate"] for name in ("grpc", "mcp", "pipe")}
            best = max(rates, key=lambda name: rates[name])
            what = f"calls a second, 32 in flight, {loop_name}, {place}"
            beside = {"bare echo": at["bare rate"], **rates}
            against = f"the best peer ({best})"
            found.append(Row(what, at["ours rate"], rates[best], "/s", against, 1, beside=beside, more=True))
    return found


if __name__ == "__main__":
    pinned_to(None if sys.argv[2] == "free" else int(sys.argv[2]))
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(run_on(sys.argv[1], _figures(sys.argv[1], Path(name)))))
