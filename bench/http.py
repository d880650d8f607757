"""A plugin's route over HTTP beside the same route in the application's own process: processor time for each request.

Processor time and not latency: the work is split over two processes, and what counts for a busy server is how much of
it there is, and how much of it is the host's.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import Row, median, run_on
from bench.plugins import write_echo
from somnus_plugins import PluginHost
from somnus_plugins.web.server import home_token

REQUESTS = 3_000
CONNECTIONS = 32
ROUNDS = 5
TICKS = os.sysconf("SC_CLK_TCK")

SERVER = """
import sys
import uvicorn
from fastapi import FastAPI
from somnus_plugins import PluginHost

app = FastAPI(openapi_url=None)


@app.get("/echo")
async def echo(q: str = "hi") -> dict[str, object]:
    return {"ok": True, "q": q}


PluginHost(sys.argv[1]).attach(app)
uvicorn.run(app, fd=int(sys.argv[2]), loop="uvloop", http="httptools", log_level="warning", access_log=False)
"""


class Server:
    """uvicorn with uvloop and httptools; one application with the plugin's route and one of its own."""

    def __init__(self, home: Path) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        with listening:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(home), str(listening.fileno())], pass_fds=[listening.fileno()]
            )
        self.host_pid = self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def _client(port: int, request: bytes, left: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while left:
        left.pop()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
    writer.close()


async def _load(port: int, path: str, token: str, count: int) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    left = [0] * count
    await asyncio.gather(*(_client(port, request, left) for _ in range(CONNECTIONS)))


def _per_request_us(server: Server, path: str, token: str, pids: list[int]) -> list[float]:
    before = [_processor_s(pid) for pid in pids]
    run_on("uvloop", _load(server.port, path, token, REQUESTS))
    return [(_processor_s(pid) - was) / REQUESTS * 1e6 for pid, was in zip(pids, before, strict=True)]


async def _install(home: Path, plugin: Path) -> None:
    async with PluginHost(home) as host:
        await host.apply(await host.plan(plugin))


async def _worker_pid(home: Path) -> int:
    async with PluginHost(home) as door:
        pid = (await door.info("bench/echo")).pid
        assert pid is not None
        return pid


def rows(scratch: Path) -> list[Row]:
    """The figures about HTTP."""
    home = scratch / "home"
    asyncio.run(_install(home, write_echo(scratch / "echo")))
    token = home_token(PluginHost(home))
    server = Server(home)
    try:
        _wait_for(server.port)
        run_on("uvloop", _load(server.port, "/plugins/echo/echo?q=x", token, 200))
        run_on("uvloop", _load(server.port, "/echo?q=x", token, 200))
        pids = [server.host_pid, asyncio.run(_worker_pid(home))]
        own: list[float] = []
        hosts: list[float] = []
        sums: list[float] = []
        for _ in range(ROUNDS):
            own.append(_per_request_us(server, "/echo?q=x", token, pids)[0])
            taken = _per_request_us(server, "/plugins/echo/echo?q=x", token, pids)
            hosts.append(taken[0])
            sums.append(sum(taken))
    finally:
        server.close()
    against = "the same route in process, same server"
    return [
        Row("plugin route over HTTP, processor time, both processes", median(sums), median(own), "µs", against, 1.45),
        Row("plugin route over HTTP, processor time, host process", median(hosts), median(own), "µs", against, 0.75),
    ]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if probe.recv(16):
                    return
        except OSError:
            time.sleep(0.05)


if __name__ == "__main__":
    from bench.wake import show

    with tempfile.TemporaryDirectory() as name:
        show(rows(Path(name)))
