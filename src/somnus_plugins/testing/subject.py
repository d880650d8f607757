"""`PluginUnderTest`: what the fixture `plugin` gives to a test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import msgspec

from somnus_plugins.errors import UnknownTool, UsageError
from somnus_plugins.host.admission import header
from somnus_plugins.host.conversation import LocalConversation
from somnus_plugins.host.home import Home
from somnus_plugins.host.installer import Installer
from somnus_plugins.host.instance import Instance
from somnus_plugins.host.occurrences import matches
from somnus_plugins.host.registry import Entry, Registry
from somnus_plugins.host.supervised import Surroundings
from somnus_plugins.runtime.logs import LogLine
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.settings import Settings
from somnus_plugins.store.files import make_directory
from somnus_plugins.testing.background import Ground
from somnus_plugins.testing.conversation import GroundedConversation
from somnus_plugins.testing.memory import MemoryWorker
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.trust.manifest.coverage import event_covers
from somnus_plugins.wire.contributions import Contributions
from somnus_plugins.wire.methods import Occurrence
from somnus_plugins.wire.peer import Handler, Incoming, ProgressSink

if TYPE_CHECKING:
    import httpx

    from somnus_plugins.testing.websocket import WebSocketUnderTest

__all__ = ["Level", "PluginUnderTest", "Project", "Theatre"]

T = TypeVar("T")
Level = Literal["memory", "process"]

_decode = msgspec.msgpack.Decoder().decode


@dataclass(slots=True)
class Project:
    """The plugin that is worked on; what it adds is found out once a session."""

    directory: Path
    manifest: Manifest
    contributions: Contributions | None = None


@dataclass(frozen=True, slots=True)
class Theatre:
    """Where a plugin is started.

    Either a process, with the host's side on the loop of `Background`, or the test's own loop.
    """

    level: Level
    ground: Ground
    nursery: Nursery
    """Gives the workers: processes, or those of `MemoryNursery`."""
    settings: Settings


class PluginUnderTest:
    """A plugin that a test calls as a host would.

    It starts with the first use, or before the test where it is the fixture `plugin`. Between it and the test lie the
    same gate, deadlines, checks and encodings as in a host.

    Args:
        project: What to start.
        theatre: Where.
        home: A home of its own.
        config: Values of its settings.
    """

    def __init__(self, project: Project, theatre: Theatre, home: Home, config: Mapping[str, Any]) -> None:
        self.directory = project.directory
        """The plugin's directory."""
        self.manifest = project.manifest
        self.config: dict[str, Any] = _plain(config)
        """The settings as they are given to it: built-in types, paths as text."""
        self.level: Level = theatre.level
        self._project = project
        self._theatre = theatre
        self._home = home
        self._instance: Instance | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: httpx.AsyncClient | None = None
        self._lines: list[LogLine] = []
        self._ended = False

    # -- calls -------------------------------------------------------------------------------------------------------

    async def call(
        self,
        tool: str,
        input: Mapping[str, Any] | None = None,
        *,
        user: str | None = None,
        session: str | None = None,
        timeout_s: float | None = None,
        progress: ProgressSink | None = None,
        returns: Any = None,
    ) -> Any:
        """Call a tool.

        Args:
            tool: Its name.
            input: Its arguments.
            user: The person on whose behalf.
            session: The application's session.
            timeout_s: Seconds to wait at most; the tool's own limit may be lower.
            progress: Told how far the call has come.
            returns: Type to decode the result as; by default built-in types.

        Raises:
            PluginError: The call did not end in a result; the classes say why.
            UnknownTool: There is none of this name.
        """
        instance = await self._started()
        instance.tool(tool)
        head = header(instance.timeout_s(tool, timeout_s), user, session)
        answer = await self._run(instance.request("tool", dict(input or {}), tool, head, self._told_here(progress)))
        return _decode(answer) if returns is None else msgspec.msgpack.decode(answer, type=returns)

    async def stream(
        self,
        tool: str,
        input: Mapping[str, Any] | None = None,
        *,
        user: str | None = None,
        session: str | None = None,
        timeout_s: float | None = None,
        progress: ProgressSink | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Call a tool and take its items as they come; a tool that does not stream gives its result as one item.

        Leaving the loop early cancels the call in the plugin. Raises as `call` does.
        """
        instance = await self._started()
        instance.tool(tool)
        talk = await self.converse(
            "tool", tool, dict(input or {}), timeout_s=timeout_s, user=user, session=session, progress=progress
        )
        try:
            streamed = False
            async for item in talk:
                streamed = True
                yield _decode(item)
            last = _decode(await talk.result())
            await asyncio.sleep(0)  # progress is told in a turn of its own: here all of it has been told
            if not streamed and last is not None:
                yield last
        finally:
            await talk.close()

    async def converse(
        self,
        method: str,
        target: str,
        payload: Any,
        *,
        sends: bool = False,
        user: str | None = None,
        session: str | None = None,
        timeout_s: float | None = None,
        progress: ProgressSink | None = None,
    ) -> GroundedConversation:
        """Start a call with streams: what `stream`, `http` and `websocket` stand on. Close it in any case."""
        instance = await self._started()
        allowed_s = None if method == "websocket" else instance.timeout_s(target, timeout_s)
        head = header(allowed_s, user, session)
        told = self._told_here(progress)

        async def begin() -> LocalConversation:
            return await instance.converse(method, payload, target, head, sends=sends, progress=told)

        return GroundedConversation(await self._run(begin()), self._theatre.ground)

    @property
    def http(self) -> httpx.AsyncClient:
        """A client for the plugin's routes: `await plugin.http.get("/search", params={"q": "sleep"})`.

        Paths begin below the plugin's mount. Headers are removed and added on both ways as a host does it: there are no
        credentials and no cookies.
        """
        if self._http is None:
            from somnus_plugins.testing.http import client_for

            self._http = client_for(self)
        return self._http

    @contextlib.asynccontextmanager
    async def websocket(
        self, path: str, *, subprotocols: tuple[str, ...] = (), headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[WebSocketUnderTest]:
        """A WebSocket to one of the plugin's routes: `async with plugin.websocket("/feed") as socket:`.

        Raises:
            PeerClosed: The plugin refused it.
        """
        from somnus_plugins.testing.websocket import open_websocket

        async with open_websocket(self, path, subprotocols, headers or {}) as socket:
            yield socket

    # -- what a host does by itself ----------------------------------------------------------------------------------

    async def publish(self, topic: str, data: Any = None, *, source: str = "") -> int:
        """Deliver an event to every method with a fitting `@on` that the manifest permits, and wait for them.

        Returns:
            How many methods took it.

        Raises:
            PluginError: One of them failed.
        """
        instance = await self._started()
        granted = self.manifest.permissions.events.subscribe
        methods = [
            each.method
            for each in instance.contributions.subscriptions
            if matches(each.pattern, topic) and any(event_covers(entry, each.pattern) for entry in granted)
        ]
        event = Occurrence(topic=topic, data=data, source=source, time_s=time.time(), id=f"{time.time_ns():x}")
        for method in methods:
            await self._run(instance.request("event", event, method, header(instance.timeout_s())))
        return len(methods)

    async def run_schedule(self, method: str) -> None:
        """Call a method with `@every` or `@cron` as if its time had come.

        Raises:
            UnknownTool: There is none of this name.
            PluginError: It failed.
        """
        instance = await self._started()
        known = [each.method for each in instance.contributions.schedules]
        if method not in known:
            raise UnknownTool(
                f"{instance.id} has no scheduled method {method!r}; there are: {', '.join(known) or 'none'}"
            )
        await self._run(instance.request("schedule", None, method, header(instance.timeout_s())))

    async def sleep(self) -> None:
        """Stop it in order, as when it was idle for long; the next use starts it anew with the same data."""
        if self._instance is not None:
            await self._run(self._instance.sleep("the test put it to sleep"))

    # -- what can be looked at ---------------------------------------------------------------------------------------

    @property
    def instance(self) -> Any:
        """The author's own object; at the level `memory`, while it runs.

        Raises:
            UsageError: It lives in another process, or does not run.
        """
        worker: object = None if self._instance is None else self._instance.worker
        if isinstance(worker, MemoryWorker):
            return worker.plugin
        if self.level == "process":
            raise UsageError(
                "plugin.instance: at the level 'process' the object lives in another process",
                remedy="Ask the plugin by its tools and routes, or use the level 'memory'.",
            )
        raise UsageError("plugin.instance: the plugin does not run", remedy="`await plugin.start()` first.")

    @property
    def contributions(self) -> Contributions:
        """What it adds: tools, routes, schemas.

        Raises:
            UsageError: It has not been started yet.
        """
        if self._project.contributions is None:
            raise UsageError("plugin.contributions: nobody has asked it yet", remedy="`await plugin.start()` first.")
        return self._project.contributions

    @property
    def logs(self) -> list[LogLine]:
        """What it has logged, oldest first; at the level `process` also what it has printed. Kept when it has ended."""
        return self._lines if self._instance is None else self._instance.book.recent()

    @property
    def data(self) -> Path:
        """Its `self.data`: a directory of its own, there before it starts, kept while it sleeps."""
        return make_directory(self._home.data(str(self.manifest.id)))

    # -- beginning and end -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it, where it does not run.

        Raises:
            NotReady: It did not start, and why; its settings may be incomplete.
            PluginError: It could not even say what it adds.
        """
        instance = await self._started()
        runtime = self._theatre.settings.runtime
        await self._run(instance.awake(runtime.start_timeout_s + runtime.prepare_timeout_s))

    async def close(self) -> None:
        """End it in order, for good. The fixtures do this after the test."""
        self._ended = True
        if self._http is not None:
            await self._http.aclose()
        instance, self._instance = self._instance, None
        if instance is not None:
            await self._run(instance.kill("the test ended"))
            self._lines = instance.book.recent()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _started(self) -> Instance:
        """The host's side of it; the first call wakes it."""
        if self._ended:
            raise UsageError(
                "the plugin has ended with its test", remedy="Fixtures use it before the test; `sleep` only pauses it."
            )
        self._refuse_other_loop()
        if self._instance is None:
            self._instance = await self._run(self._make())
        return self._instance

    async def _make(self) -> Instance:
        directory, manifest, theatre, home = self.directory, self.manifest, self._theatre, self._home
        found = self._project.contributions
        if found is None:
            installer = Installer(home, Registry(home.registry), theatre.nursery, theatre.settings)
            found = self._project.contributions = await installer.describe(directory, manifest)
        entry = Entry(
            id=str(manifest.id),
            mount=manifest.name,
            ring="local",
            directory=str(directory),
            version=manifest.version,
            config=self.config,
            fingerprint=found.fingerprint,
        )
        around = Surroundings(home, theatre.settings, theatre.nursery, _serves_nothing, lambda *_: None)
        instance = Instance(entry, manifest, found, around)
        instance.look_again(lambda _: None)
        return instance

    def _refuse_other_loop(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise UsageError(
                "plugins run on asyncio, and here runs another event loop, or none",
                remedy="Write the test as `async def`; where anyio runs it, let `anyio_backend` be 'asyncio'.",
            ) from None
        if self._loop is not loop and self._loop is not None and self._instance is not None:
            raise UsageError(
                "the plugin was started on another event loop than the one that uses it now",
                remedy="Give asynchronous fixtures and the test the same loop: the scope 'function'.",
            )
        self._loop = loop

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._theatre.ground.run(work)

    def _told_here(self, progress: ProgressSink | None) -> ProgressSink | None:
        """The sink, called on the loop of the test, wherever the host's side lives."""
        loop = self._loop
        if progress is None or loop is None or self.level == "memory":
            return progress

        def told(done: float, total: float | None, message: str) -> None:
            loop.call_soon_threadsafe(progress, done, total, message)

        return told


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = msgspec.to_builtins(dict(config), enc_hook=os.fspath)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"config: {error}; allowed are paths and what JSON can express",
            remedy="Give the value as it would stand in JSON.",
        ) from error
    return plain


def _serves_nothing(instance: Instance) -> Handler:
    async def serve(incoming: Incoming) -> Any:
        raise UsageError(f"the host has no call {incoming.method!r}")

    return serve
