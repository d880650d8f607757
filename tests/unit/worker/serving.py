"""A plugin's class served by a real dispatcher behind a real pair of peers, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from somnus_plugins.sdk import Plugin
from somnus_plugins.wire.frames import EMPTY_HEADER, Header
from somnus_plugins.wire.memory import connected_pair
from somnus_plugins.wire.methods import HttpHead, HttpRequest, HttpResponse, LoadOrder
from somnus_plugins.wire.peer import Exchange, Incoming, Peer
from somnus_plugins.worker.dispatch import Dispatcher
from somnus_plugins.worker.loader import Loaded, assemble


def order_of(**changes: Any) -> LoadOrder:
    """A load order that is complete."""
    facts: dict[str, Any] = {
        "plugin": "somnus/notes",
        "version": "1.2.3",
        "entry_module": "notes",
        "entry_attribute": "Notes",
        "directory": "/nowhere",
        "import_paths": (),
        "data": "/nowhere/data",
        "cache": "/nowhere/cache",
        "mount": "notes",
        "base_path": "/plugins/notes",
        "threads": 4,
    }
    return LoadOrder(**(facts | changes))


def loaded_of(kind: type[Plugin], **config: Any) -> Loaded:
    """A plugin made from its class."""
    return assemble(kind, order_of(config=config))


class Served:
    """The host's side of one plugin."""

    def __init__(self, host: Peer, plugin: Any) -> None:
        self.host = host
        self.plugin = plugin
        self.progress: list[tuple[float, float | None, str]] = []

    async def ask(self, method: str, target: str = "", payload: Any = None, header: Header = EMPTY_HEADER) -> Any:
        """One request, its answer decoded."""
        raw = await self.host.request(
            method, payload, target, header, progress=lambda *told: self.progress.append(told)
        )
        return msgspec.msgpack.decode(raw)

    async def call(self, tool: str, header: Header = EMPTY_HEADER, /, **arguments: Any) -> Any:
        """One call of a tool."""
        return await self.ask("tool", tool, arguments, header)

    async def open(self, tool: str, /, **arguments: Any) -> Exchange:
        """One call of a tool whose items are taken."""
        return await self.host.exchange("tool", arguments, tool)

    async def stream(self, tool: str, /, **arguments: Any) -> list[Any]:
        """All items of a call, and its result last."""
        exchange = await self.open(tool, **arguments)
        items = [msgspec.msgpack.decode(item) async for item in exchange]
        return [*items, msgspec.msgpack.decode(await exchange.result())]

    async def http(self, method: str, path: str, **facts: Any) -> tuple[int, dict[bytes, bytes], list[bytes]]:
        """One HTTP request: status, headers, and the body in the pieces in which it came."""
        exchange = await self.host.exchange("http", request_of(method, path, **facts))
        pieces = [item async for item in exchange]
        answer = msgspec.msgpack.decode(await exchange.result(), type=HttpResponse)
        if answer.status:
            return answer.status, dict(answer.headers), [answer.body]
        head = msgspec.msgpack.decode(pieces[0], type=HttpHead)
        return head.status, dict(head.headers), [msgspec.msgpack.decode(piece) for piece in pieces[1:]]


def request_of(method: str, path: str, **facts: Any) -> HttpRequest:
    """A request as the host sends it."""
    path, _, query = path.partition("?")
    given: dict[str, Any] = {
        "method": method,
        "scheme": "http",
        "path": path,
        "query": query.encode(),
        "headers": [],
        "root_path": "/plugins/notes",
        "http_version": "1.1",
        "client": ("127.0.0.1", 50_000),
        "server": ("testserver", 80),
        "subprotocols": [],
        "body": b"",
    }
    return HttpRequest(**(given | facts))


async def refuse(incoming: Incoming) -> Any:
    """Serves a host that is asked nothing."""
    raise AssertionError(incoming.method)


@asynccontextmanager
async def served(kind: type[Plugin], **config: Any) -> AsyncIterator[Served]:
    """Serve a plugin for the time of a test, and stop it afterwards."""
    made = assemble(kind, order_of(config=config), asyncio.get_running_loop())
    async with served_by(Dispatcher(made), made.plugin) as host:
        yield host


@asynccontextmanager
async def served_by(dispatcher: Dispatcher, plugin: Any = None) -> AsyncIterator[Served]:
    """Serve what a dispatcher has loaded, or will load."""
    host, worker = connected_pair(refuse, dispatcher)
    served = Served(host, plugin)
    try:
        yield served
    finally:
        if worker.closed is None:
            await served.ask("stop")
        host.close()
