"""A host that is played, so that the web interface can be tried without a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from somnus_plugins.errors import SomnusError
from somnus_plugins.host.catalogue import Catalogue, Listing
from somnus_plugins.host.core import Terms
from somnus_plugins.host.home import Home
from somnus_plugins.settings import Settings, load_settings
from somnus_plugins.wire.contributions import Contributions, Route, Tool
from somnus_plugins.wire.methods import HttpResponse
from somnus_plugins.wire.peer import ProgressSink

__all__ = ["PlayedConversation", "PlayedHost", "asked", "listing"]

FINGERPRINT = "0" * 64


def listing(mount: str, *, generation: int = 1, tools: Iterable[Tool] = (), **fields: Any) -> Listing:
    """A plugin `local/<mount>` with one route, unless other fields say otherwise."""
    made = {
        "fingerprint": FINGERPRINT,
        "tools": tuple(tools),
        "routes": (Route(path="/x", methods=("GET",)),),
        "openapi": fields.pop("openapi", {}),
    }
    if "routes" in fields:
        made["routes"] = fields.pop("routes")
    return Listing(
        id=f"local/{mount}",
        mount=mount,
        version="0.1.0",
        generation=generation,
        contributions=Contributions(**made),
        **{"upload_max_bytes": 1000, **fields},
    )


class PlayedConversation:
    """Gives what it was made with, and remembers what it was sent."""

    def __init__(self, items: Iterable[Any], result: Any) -> None:
        self._items = [msgspec.Raw(msgspec.msgpack.encode(item)) for item in items]
        self._result = result
        self.sent: list[Any] = []
        self.ended = False
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[msgspec.Raw]:
        for item in self._items:
            yield item
        if isinstance(self._result, SomnusError):
            raise self._result

    async def send(self, item: Any) -> None:
        self.sent.append(item)

    def end(self) -> None:
        self.ended = True

    async def result(self) -> msgspec.Raw:
        if isinstance(self._result, SomnusError):
            raise self._result
        return msgspec.Raw(msgspec.msgpack.encode(self._result))

    async def close(self) -> None:
        self.closed = True


class PlayedHost:
    """Serves what it is told, and remembers what it was asked."""

    def __init__(self, root: Path, *listings: Listing, **overrides: Any) -> None:
        self.home = Home(root)
        self.settings: Settings = load_settings(environment={}, overrides=overrides)
        self.role = "host"
        self.catalogue = Catalogue(1, listings)
        self.listeners: list[Callable[[Catalogue], None]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.items: list[Any] = []
        self.result: Any = HttpResponse(200, [(b"content-type", b"text/plain")], b"fine")
        self.answers: dict[str, Any] = {}
        self.conversations: list[PlayedConversation] = []

    def serve(self, *listings: Listing) -> None:
        self.catalogue = Catalogue(self.catalogue.revision + 1, listings)
        for listener in self.listeners:
            listener(self.catalogue)

    def on_catalogue(self, listener: Callable[[Catalogue], None]) -> None:
        self.listeners.append(listener)

    async def start(self) -> None:
        self.role = "host"

    async def stop(self) -> None:
        self.role = "stopped"

    async def call(
        self,
        plugin: str,
        tool: str,
        input: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        user: str | None = None,
    ) -> Any:
        self.asked.append((plugin, "call", tool, input, timeout_s, user))
        if isinstance(self.result, SomnusError):
            raise self.result
        return self.result

    async def converse(
        self,
        plugin: str,
        method: str,
        target: str,
        payload: Any,
        terms: Terms,
        *,
        sends: bool = False,
        progress: ProgressSink | None = None,
    ) -> PlayedConversation:
        self.asked.append((plugin, method, target, payload, terms, sends))
        self.conversations.append(PlayedConversation(self.items, self.result))
        return self.conversations[-1]

    async def operate(self, name: str, /, **arguments: Any) -> Any:
        self.asked.append((name, arguments))
        answer = self.answers.get(name)
        if isinstance(answer, SomnusError):
            raise answer
        return answer


def asked(host: PlayedHost) -> Any:
    """The last thing the host was asked."""
    return host.asked[-1]
