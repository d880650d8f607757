"""Answers what the host asks a worker. The path of a tool call is the hot one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from somnus_plugins.errors import InvalidInput, NotReady, PluginError, ProtocolViolation, UnknownTool, WireError
from somnus_plugins.sdk.context import ACTIVE, Call
from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.sdk.threads import LOOP_ACCESS
from somnus_plugins.sdk.types import Event
from somnus_plugins.wire.methods import Announcement, HttpRequest, LoadOrder, Occurrence
from somnus_plugins.worker.execution import Threads, author_error, stream_from_loop, stream_from_thread
from somnus_plugins.worker.inventory import DeclaredReceiver
from somnus_plugins.worker.loader import Loaded, load
from somnus_plugins.worker.receivers import ReceiverAdapter

if TYPE_CHECKING:
    from somnus_plugins.wire.contributions import Contributions
    from somnus_plugins.wire.peer import Incoming
    from somnus_plugins.worker.asgi import Bridge
    from somnus_plugins.worker.tools import ToolAdapter

__all__ = ["Dispatcher"]


class Dispatcher:
    """The handler of a worker's peer: one plugin, every method of `WORKER_METHODS`.

    What the author's code raises becomes one of the four errors an author may speak with, or `PluginRaised`; nothing
    it raises ends the process.

    Args:
        loaded: A plugin that is there already; None waits for the method `load`.
    """

    def __init__(self, loaded: Loaded | None = None) -> None:
        self._loaded = loaded
        self._tools: dict[str, ToolAdapter] = {}
        self._receivers: dict[tuple[str, str], ReceiverAdapter] = {}
        self._bridge: Bridge | None = None
        self._threads = Threads(1 if loaded is None else loaded.order.threads)
        self._methods: dict[str, Callable[[Incoming], Awaitable[Any]]] = {
            "tool": self._tool,
            "http": self._http,
            "websocket": self._websocket,
            "event": self._event,
            "schedule": self._schedule,
            "ping": self._ping,
            "load": self._load,
            "prepare": self._prepare,
            "start": self._start,
            "stop": self._stop,
            "describe": self._describe,
        }

    async def __call__(self, incoming: Incoming) -> Any:
        """Serve one request.

        Raises:
            PluginError: What the author raised to be read, or what stands for anything else that was raised.
            UnknownTool: There is no such tool.
            asyncio.CancelledError: The host cancelled the request.
        """
        method = self._methods.get(incoming.method)
        if method is None:
            raise ProtocolViolation(f"a worker has no method {incoming.method!r}")
        try:
            return await method(incoming)
        except (PluginError, UnknownTool, WireError):
            raise
        except BaseException as error:  # the author's code runs here: it may raise anything, SystemExit included
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            raise author_error(error, incoming.target or incoming.method) from None

    # --- life --------------------------------------------------------------------------------------------------------

    async def _ping(self, incoming: Incoming) -> None:
        return None

    async def _load(self, incoming: Incoming) -> Any:
        if self._loaded is not None:
            raise NotReady(f"{self._loaded.order.plugin} is loaded here already; a process serves one plugin")
        return self.serve(load(_decoded(incoming, LoadOrder), asyncio.get_running_loop()))

    def serve(self, loaded: Loaded) -> Announcement:
        """Serve a plugin that is loaded; gives what it says of itself."""
        self._loaded = loaded
        self._threads = Threads(loaded.order.threads)
        return loaded.announcement

    async def _prepare(self, incoming: Incoming) -> None:
        await self._plugin().on_prepare()

    async def _start(self, incoming: Incoming) -> None:
        await self._plugin().on_start()

    async def _stop(self, incoming: Incoming) -> None:
        try:
            if self._bridge is not None:
                await self._bridge.finish()
            if self._loaded is not None and self._loaded.plugin is not None:
                await self._loaded.plugin.on_stop()
        finally:
            self._threads.close()

    async def _describe(self, incoming: Incoming) -> Contributions:
        from somnus_plugins.worker.describe import describe

        return describe(self._ready())

    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise NotReady("no plugin is loaded in this process")
        return self._loaded

    def _plugin(self) -> Plugin:
        loaded = self._ready()
        if loaded.plugin is None:
            raise NotReady(
                f"{loaded.order.plugin} needs to be set up: {loaded.announcement.setup_problem}",
                remedy=f"somnus config {loaded.order.plugin} KEY=VALUE",
            )
        return loaded.plugin

    # --- tools -------------------------------------------------------------------------------------------------------

    async def _tool(self, incoming: Incoming) -> Any:
        tool = self._tools.get(incoming.target) or self._new_tool(incoming.target)
        call = Call(incoming, tool.plugin)
        ACTIVE.set(call)
        arguments = tool.read(incoming.payload)
        for name in tool.call_parameters:
            arguments[name] = call
        if tool.direct:
            return tool.write(await tool.method(**arguments))
        if tool.streams:
            return await self._stream(tool, incoming, arguments)
        return await self._threads.run(_called_and_written, tool, arguments)

    def _new_tool(self, name: str) -> ToolAdapter:
        from somnus_plugins.worker.tools import ToolAdapter

        plugin = self._plugin()
        declared = self._ready().inventory.tools.get(name)
        if declared is None:
            known = ", ".join(self._ready().inventory.tools) or "none"
            raise UnknownTool(f"{plugin.id} has no tool {name!r}; there are: {known}")
        tool = self._tools[name] = ToolAdapter(declared, plugin)
        return tool

    async def _stream(self, tool: ToolAdapter, incoming: Incoming, arguments: dict[str, Any]) -> Any:
        """Send items as they come; to a caller who takes none, the list of them all."""
        collected: list[Any] = []
        wanted = incoming.wants_items

        async def send(item: Any) -> None:
            if wanted:
                await incoming.send(item)
            else:
                collected.append(item)

        def deliver(item: Any) -> None:
            if wanted:
                LOOP_ACCESS.get().wait(incoming.send(item))
            else:
                collected.append(item)

        def call_in_thread() -> Any:
            made = tool.method(**arguments)
            return made if hasattr(made, "__aiter__") else stream_from_thread(made, tool.write, deliver)

        source: Any
        if tool.is_async:
            source = tool.method(**arguments)
            source = source if hasattr(source, "__aiter__") else await source
            if not hasattr(source, "__aiter__"):
                source = await self._threads.run(stream_from_thread, source, tool.write, deliver)
        else:
            source = await self._threads.run(call_in_thread)
        if source is not None:
            await stream_from_loop(source, tool.write, send)
        return None if wanted else collected

    # --- what the host calls by itself -------------------------------------------------------------------------------

    async def _event(self, incoming: Incoming) -> None:
        receiver = self._receiver(incoming, self._ready().inventory.subscriptions)
        came = _decoded(incoming, Occurrence)
        arguments: dict[str, Any] = {}
        if receiver.event_parameter:
            arguments[receiver.event_parameter] = Event(
                topic=came.topic, data=came.data, source=came.source, time_s=came.time_s, id=came.id
            )
        await self._receive(receiver, incoming, arguments)

    async def _schedule(self, incoming: Incoming) -> None:
        await self._receive(self._receiver(incoming, self._ready().inventory.schedules), incoming, {})

    def _receiver(self, incoming: Incoming, among: Iterable[DeclaredReceiver]) -> ReceiverAdapter:
        key, plugin = (incoming.method, incoming.target), self._plugin()
        if key not in self._receivers:
            declared = next((each for each in among if each.attribute == incoming.target), None)
            if declared is None:
                raise UnknownTool(f"{plugin.id}: {incoming.target!r} is not declared for {incoming.method}s")
            self._receivers[key] = ReceiverAdapter(declared, getattr(plugin, incoming.target))
        return self._receivers[key]

    async def _receive(self, receiver: ReceiverAdapter, incoming: Incoming, arguments: dict[str, Any]) -> None:
        call = Call(incoming, self._plugin())
        ACTIVE.set(call)
        for name in receiver.call_parameters:
            arguments[name] = call
        if receiver.is_async:
            await receiver.method(**arguments)
        else:
            await self._threads.run(receiver.method, **arguments)

    # --- routes ------------------------------------------------------------------------------------------------------

    async def _http(self, incoming: Incoming) -> Any:
        bridge = self._bridge or self._new_bridge()
        ACTIVE.set(Call(incoming, self._plugin()))
        return await bridge.http(_decoded(incoming, HttpRequest), incoming.items, incoming.send)

    async def _websocket(self, incoming: Incoming) -> None:
        bridge = self._bridge or self._new_bridge()
        ACTIVE.set(Call(incoming, self._plugin()))
        await bridge.websocket(_decoded(incoming, HttpRequest), incoming.items(), incoming.send)

    def _new_bridge(self) -> Bridge:
        from somnus_plugins.worker.asgi import Bridge, build_app

        self._plugin()
        loaded = self._ready()
        self._bridge = Bridge(build_app(loaded), threads=loaded.order.threads)
        return self._bridge


def _called_and_written(tool: ToolAdapter, arguments: dict[str, Any]) -> Any:
    result = tool.method(**arguments)
    if inspect.isawaitable(result):  # a decorator of the author's own hides that the method is `async`
        result = LOOP_ACCESS.get().wait(result)
    return tool.write(result)


def _decoded(incoming: Incoming, kind: type[Any]) -> Any:
    try:
        return msgspec.msgpack.decode(incoming.payload, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"{incoming.method}: {error}; allowed is the record {kind.__name__}") from error


def _is_cancelled() -> bool:
    """Whether the host cancelled this request; an author's own code may raise the same without that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
