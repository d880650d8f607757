"""`PluginHost`: what an application holds. The one place where concrete classes of several rooms meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from somnus_plugins.errors import HostLost, HostNotRunning
from somnus_plugins.host.administration import Administration
from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.host.core import Conversation, Core, Terms
from somnus_plugins.host.home import Home, find_home
from somnus_plugins.host.presence import Presence
from somnus_plugins.settings import Settings, load_settings
from somnus_plugins.wire.peer import ProgressSink
from somnus_plugins.wire.values import decode_as, decode_value

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["PluginHost"]

T = TypeVar("T")


class PluginHost(Administration):
    """The host of a home, or a door to it where another process is the host already.

    Use it as an async context, or `attach` it to a FastAPI application, which then starts and stops it. It may be
    started and stopped repeatedly, on different loops.

    Args:
        home: The folder of the home; by default `$SOMNUS_HOME`, else the nearest `.somnus` upward.
        settings: Instead of those of the home, the environment and the defaults.
        safe: Serve with every plugin off.
        background: Start by itself what wants to run: `startup`, schedules, background plugins. A short-lived
            command does without.
    """

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        settings: Settings | None = None,
        safe: bool = False,
        background: bool = True,
    ) -> None:
        self.home = Home(Path(home) if home is not None else find_home())
        self.settings = settings or load_settings(self.home.root)
        self._safe = safe
        self._background = background
        self._presence: Presence | None = None
        self._ending: asyncio.Task[None] | None = None
        self._core: Core | None = None
        self._catalogue = Catalogue()
        self._listeners: list[Callable[[Catalogue], None]] = []

    # -- beginning and end -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Become the home's host, or a door to it.

        Raises:
            HostBusy: Another process holds the home and does not answer.
            ZygoteFailed: No process can be made here.
        """
        await self._ended()
        if self._presence is not None:
            return
        presence = Presence(self.home, self.settings, safe=self._safe, background=self._background)
        presence.on_core = self._on_core
        presence.on_catalogue = self._on_catalogue
        self._presence = presence
        try:
            await presence.open()
        except BaseException:
            self._presence = self._core = None
            raise

    async def stop(self) -> None:
        """Stop serving: every plugin and process of this host ends; a door only leaves.

        Goes on where whoever waits for it is cancelled; called again meanwhile, it waits for the first.
        """
        presence, self._presence, self._core = self._presence, None, None
        if presence is not None:
            self._ending = asyncio.get_running_loop().create_task(self._leave(presence))
        await self._ended()

    async def _leave(self, presence: Presence) -> None:
        await presence.close()
        self._on_catalogue(Catalogue())

    async def _ended(self) -> None:
        if self._ending is not None and not self._ending.done():
            await asyncio.shield(self._ending)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def role(self) -> str:
        """`host`, `door`, or `stopped`."""
        return "stopped" if self._presence is None else self._presence.role

    @property
    def catalogue(self) -> Catalogue:
        """What is served now; empty while the host is stopped, and the last one while another process takes over."""
        return self._catalogue

    def on_catalogue(self, listener: Callable[[Catalogue], None]) -> None:
        """Call `listener` with every new catalogue, before the change that made it is reported as done."""
        self._listeners.append(listener)

    def _on_core(self, core: Core | None) -> None:
        self._core = core

    def _on_catalogue(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        for listener in self._listeners:
            listener(catalogue)

    async def _serving(self) -> Core:
        if self._core is not None:
            return self._core
        if self._presence is None:
            raise HostNotRunning(
                "the host is not running",
                remedy="Use `async with PluginHost(…)`, or attach it to an application whose lifespan runs.",
            )
        return await self._presence.core()

    # -- calls -------------------------------------------------------------------------------------------------------

    @overload
    async def call(
        self,
        plugin: str,
        tool: str,
        input: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        user: str | None = None,
        session: str | None = None,
        progress: ProgressSink | None = None,
    ) -> Any: ...

    @overload
    async def call(
        self,
        plugin: str,
        tool: str,
        input: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        user: str | None = None,
        session: str | None = None,
        progress: ProgressSink | None = None,
        returns: type[T],
    ) -> T: ...

    async def call(
        self,
        plugin: str,
        tool: str,
        input: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        user: str | None = None,
        session: str | None = None,
        progress: ProgressSink | None = None,
        returns: Any = None,
    ) -> Any:
        """Call a tool.

        Args:
            plugin: Id, mount or name.
            tool: Name of the tool.
            input: Its arguments.
            timeout_s: Seconds to wait at most; the tool's own limit may be lower.
            user: The person on whose behalf, as the plugin will see them.
            session: The application's session.
            progress: Told how far the call has come.
            returns: Type to decode the result as; by default built-in types.

        Raises:
            PluginError: The call did not end in a result; the classes say why.
            UnknownPlugin, UnknownTool: There is none of this name.
            HostNotRunning: The host was not started.
        """
        core = self._core or await self._serving()
        terms = Terms(timeout_s, user, session)
        try:
            result = await core.request(plugin, "tool", tool, input or {}, terms, progress)
        except HostLost:
            if not self._may_repeat(plugin, tool):
                raise
            core = await self._serving()
            result = await core.request(plugin, "tool", tool, input or {}, terms, progress)
        return decode_value(result) if returns is None else decode_as(result, returns)

    def _may_repeat(self, plugin: str, tool: str) -> bool:
        """Whether a call that was cut off does no harm when it is made twice: its author says so."""
        tools = self._catalogue.find(plugin).contributions.tools
        return any(each.name == tool and (each.idempotent or each.read_only) for each in tools)

    async def stream(
        self,
        plugin: str,
        tool: str,
        input: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        user: str | None = None,
        session: str | None = None,
        progress: ProgressSink | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Call a tool and take its items as they come; a tool that does not stream gives its result as one item.

        Leaving the loop early cancels the call in the plugin. Raises as `call` does.
        """
        terms = Terms(timeout_s, user, session)
        conversation = await self.converse(plugin, "tool", tool, input or {}, terms, progress=progress)
        try:
            streamed = False
            async for item in conversation:
                streamed = True
                yield decode_value(item)
            last = decode_value(await conversation.result())
            if not streamed and last is not None:
                yield last
        finally:
            await conversation.close()

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
    ) -> Conversation:
        """Start a call with streams: what `stream` and the web interface stand on. Close it in any case."""
        core = self._core or await self._serving()
        return await core.exchange(plugin, method, target, payload, terms, sends=sends, progress=progress)

    async def operate(self, name: str, /, **arguments: Any) -> Any:
        """One operation of `host.operations.OPERATIONS`; the answer as built-in types."""
        core = self._core or await self._serving()
        return await core.operate(name, arguments)

    def attach(self, app: FastAPI, *, prefix: str = "/plugins", user: Any = None, admin: Any = None) -> None:
        """Serve the plugins, their tools and the admin API on a FastAPI application, and start and stop with it.

        Args:
            app: Any FastAPI application.
            prefix: Where the plugins stand.
            user: `Depends(…)` that gives the signed-in person for plugin routes; None accepts the home's token only.
            admin: `Depends(…)` that lets operators pass for the admin API; None accepts the home's token only.
        """
        from somnus_plugins.web.attachment import attach

        attach(self, app, prefix=prefix, user=user, admin=admin)
