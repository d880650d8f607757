"""`uvicorn --workers 4` with an attached host: one process is the host, the others are doors; any of them may die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from somnus_plugins import PluginHost
from somnus_plugins.web.server import home_token

pytestmark = pytest.mark.anyio

CALLERS = 64
BOUND_S = 40.0
APPLICATION = """
from fastapi import FastAPI
from somnus_plugins import PluginHost

app = FastAPI()
PluginHost({home!r}).attach(app)
"""
MANIFEST = """
[project]
name = "steady"
version = "1.0.0"
description = "Answers."

[tool.somnus]
type = "tool_integration"
entry = "steady:Steady"
api = ">=1,<2"

[tool.somnus.limits]
concurrency = 64
"""
CODE = """
from somnus_plugins.sdk import Plugin, get, tool


class Steady(Plugin):
    @tool(read_only=True)
    async def double(self, number: int) -> int:
        return number * 2

    @get("/half")
    async def half(self, number: int) -> dict[str, float]:
        return {"half": number / 2}
"""


class Service:
    """Four workers, and callers who never stop."""

    def __init__(self, home: Path, port: int, token: str) -> None:
        self.home = home
        self.seen: Counter[str] = Counter()
        self._stop = False
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}", "Connection": "close"},
            limits=httpx.Limits(max_connections=CALLERS + 8, max_keepalive_connections=0),
            timeout=20,
        )

    async def get(self, path: str) -> Any:
        return (await self.client.get(path)).raise_for_status().json()

    async def caller(self, number: int) -> None:
        while not self._stop:
            try:
                answer = await self.client.post("/plugins/steady/tools/double", json={"number": number})
            except httpx.TransportError:
                # The worker that had this connection was killed: nobody could answer on it any more.
                self.seen["connection lost"] += 1
                await asyncio.sleep(0.01)
                continue
            right = answer.status_code == 200 and answer.json() == number * 2
            self.seen["right" if right else f"{answer.status_code} {answer.text[:200]}"] += 1

    async def more_answers(self, count: int = 300) -> None:
        """Wait until this many more right answers have come."""
        wanted = self.seen["right"] + count
        await self.until(lambda: self.seen["right"] >= wanted)

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + BOUND_S
        while not condition():
            assert time.monotonic() < deadline, self.seen
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._stop = True
        await self.client.aclose()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    home, package = tmp_path / "home", tmp_path / "plugin" / "steady"
    package.mkdir(parents=True)
    (tmp_path / "plugin" / "pyproject.toml").write_text(MANIFEST)
    (package / "__init__.py").write_text(CODE)
    async with PluginHost(home) as host:
        await host.apply(await host.plan(tmp_path / "plugin"))
        token = home_token(host)
    (tmp_path / "app.py").write_text(APPLICATION.format(home=str(home)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "app:app", "--workers", "4", "--port", str(port)]
    server = _serving([*command, "--log-level", "warning"], tmp_path)
    found = Service(home, port, token)
    try:
        await found.until(lambda: _doors(home) >= 3)
        yield found
    finally:
        await found.stop()
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def _serving(command: list[str], where: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=where, start_new_session=True, stderr=subprocess.DEVNULL)


def _doors(home: Path) -> int:
    """How many doors the home's host has, as one more of them is told."""

    async def ask() -> int:
        async with PluginHost(home, background=False) as door:
            return len((await door.status()).doors) - 1 if door.role == "door" else 0

    loop = asyncio.new_event_loop()
    try:
        return _in_thread(loop, ask)
    finally:
        loop.close()


def _in_thread(loop: asyncio.AbstractEventLoop, ask: Callable[[], Any]) -> int:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return int(thread.submit(lambda: loop.run_until_complete(ask())).result())


async def test_answers_go_on_when_a_worker_and_then_the_host_are_killed(service: Service) -> None:
    callers = [asyncio.create_task(service.caller(number)) for number in range(CALLERS)]
    await service.more_answers()
    before = await service.get("/api/v1/status")

    door = next(pid for pid in before["doors"] if pid != os.getpid())
    os.kill(door, signal.SIGKILL)
    await service.more_answers()
    os.kill(before["pid"], signal.SIGKILL)
    await service.more_answers()
    after = await service.get("/api/v1/status")

    await service.stop()
    await asyncio.gather(*callers, return_exceptions=True)
    assert after["pid"] != before["pid"]
    assert set(service.seen) <= {"right", "connection lost"}, service.seen
    assert service.seen["right"] >= 900


async def test_a_change_through_one_worker_is_seen_by_all(service: Service) -> None:
    before = {(await service.get("/api/v1/plugins"))[0]["generation"] for _ in range(20)}
    answer = await service.client.post("/api/v1/plugins/steady/restart")
    after = {(await service.get("/api/v1/plugins"))[0]["generation"] for _ in range(40)}
    halves = [await service.get(f"/plugins/steady/half?number={number}") for number in range(20)]

    assert answer.status_code == 200
    assert len(before) == 1
    assert after == {before.pop() + 1}
    assert [each["half"] for each in halves] == [number / 2 for number in range(20)]
