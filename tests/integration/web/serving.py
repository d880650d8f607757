"""An application on a loopback port, and clients for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from somnus_plugins import PluginHost
from somnus_plugins.web.server import home_token
from tests.integration.web.workshop import CODE, PRELUDE
from tests.support.plugins import House
from tests.support.waiting import eventually

__all__ = ["Site", "add_workshop", "site"]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Site:
    """Where an application is served."""

    def __init__(self, port: int, host: PluginHost) -> None:
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.host = host
        self.bearer = {"Authorization": f"Bearer {home_token(host)}"}

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A client that carries the token, unless it is given other headers."""
        return httpx.AsyncClient(base_url=self.url, timeout=10, **{"headers": self.bearer, **options})


@asynccontextmanager
async def site(app: FastAPI, host: PluginHost, **config: Any) -> AsyncIterator[Site]:
    """Serve an application on a free port of this machine."""
    bound = socket.create_server(("127.0.0.1", 0))
    options = {"log_config": None, "lifespan": "off", "proxy_headers": False, "timeout_graceful_shutdown": 1, **config}
    server = _Server(uvicorn.Config(app, **options))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    await eventually(lambda: server.started)
    try:
        yield Site(bound.getsockname()[1], host)
    finally:
        server.should_exit = True
        await serving
        bound.close()


async def add_workshop(house: House, name: str = "workshop", somnus: str = "") -> None:
    """Install the plugin that these tests talk to."""
    limits = "[tool.somnus.permissions]\n[tool.somnus.limits]\nupload_mb = 1\n"
    await house.add(name, CODE, prelude=PRELUDE, somnus=somnus + limits)
