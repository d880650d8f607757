"""Finding a plugin's route among a thousand plugins: the whole request through the application, in process."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from bench.measure import Row, median
from bench.plugins import write_echo
from somnus_plugins import PluginHost
from somnus_plugins.host.registry import Entry, Registry
from somnus_plugins.web.server import home_token

PLUGINS = 1_000
REQUESTS = 1_500
ROUNDS = 7


class Application:
    """An application with a host on it, asked without a server."""

    def __init__(self, home: Path) -> None:
        self.host = PluginHost(home)
        self._app = FastAPI()
        self.host.attach(self._app)
        token = home_token(self.host).encode()
        self._headers = [(b"host", b"localhost"), (b"authorization", b"Bearer " + token)]
        self.lifespan = self._app.router.lifespan_context(self._app)

    async def ask(self, path: str) -> int:
        """The status of one GET."""
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"q=x",
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        await self._app(scope, receive, send)
        return status


async def _populate(home: Path, plugin: Path, count: int) -> None:
    """Install one plugin as a person would, and put copies of it under other names beside it."""
    async with PluginHost(home) as host:
        await host.apply(await host.plan(plugin))
    registry = Registry(home / "registry.json")
    agreed = registry.require("bench/echo").fingerprint
    manifest = (plugin / "pyproject.toml").read_text()
    copies: list[Entry] = []
    for number in range(1, count):
        directory = plugin.parent / f"copy{number}"
        shutil.copytree(plugin, directory)
        (directory / "pyproject.toml").write_text(manifest.replace('name = "echo"', f'name = "echo-{number}"'))
        name = f"echo-{number}"
        copies.append(
            Entry(
                id=f"bench/{name}",
                mount=name,
                ring="local",
                directory=str(directory),
                version="1.0.0",
                fingerprint=agreed,
            )
        )
    registry.put_all(copies)


async def _figures(scratch: Path) -> tuple[float, float]:
    homes: dict[int, Application] = {}
    for count in (1, PLUGINS):
        home = scratch / f"home{count}"
        await _populate(home, write_echo(scratch / f"plugins{count}" / "echo"), count)
        homes[count] = Application(home)
    taken: dict[int, list[float]] = {1: [], PLUGINS: []}
    async with homes[1].lifespan, homes[PLUGINS].lifespan:
        for application in homes.values():
            assert await application.ask("/plugins/echo/echo") == 200
        for _ in range(ROUNDS):
            for count, application in homes.items():
                began = time.process_time()
                for _ in range(REQUESTS):
                    await application.ask("/plugins/echo/echo")
                taken[count].append((time.process_time() - began) / REQUESTS * 1e6)
    return median(taken[PLUGINS]), median(taken[1])


def rows(scratch: Path) -> list[Row]:
    """The figure about finding routes."""
    many, one = asyncio.run(_figures(scratch))
    return [Row(f"request to a plugin among {PLUGINS:,}, processor time", many, one, "µs", "the same among 1", 1.1)]


if __name__ == "__main__":
    from bench.wake import show

    with tempfile.TemporaryDirectory() as name:
        show(rows(Path(name)))
