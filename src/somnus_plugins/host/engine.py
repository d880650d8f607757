"""The host itself: every installed plugin as an instance, woken, called, put to sleep."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from somnus_plugins.errors import InvalidSetting, NotReady, SomnusError, UnknownPlugin
from somnus_plugins.host.admission import header
from somnus_plugins.host.catalogue import Catalogue, Listing
from somnus_plugins.host.core import Conversation, Terms
from somnus_plugins.host.discovery import Found, read_directory, scan_paths, scan_ring
from somnus_plugins.host.home import Home
from somnus_plugins.host.installer import Installer
from somnus_plugins.host.instance import Instance
from somnus_plugins.host.lifecycle import State, Word
from somnus_plugins.host.occurrences import Events, Timetable
from somnus_plugins.host.order import dependency_order, unmet
from somnus_plugins.host.registry import Entry, Registry
from somnus_plugins.host.supervised import Surroundings
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.settings import Settings
from somnus_plugins.trust.manifest import supports
from somnus_plugins.trust.manifest.terms import ActivationKind
from somnus_plugins.wire.peer import Handler, Incoming, ProgressSink

__all__ = ["Engine"]

MIB: Final = 1024 * 1024


class Engine:
    """Serves every plugin of one home.

    Args:
        home: The home; this process must be its only host.
        settings: Limits.
        safe: Serve with every plugin off.
        background: Start what wants to run by itself: `startup`, schedules, background plugins.
    """

    def __init__(self, home: Home, settings: Settings, *, safe: bool = False, background: bool = True) -> None:
        self.home = home
        self.settings = settings
        self.registry = Registry(home.registry)
        self.nursery = Nursery(settings)
        self.installer = Installer(home, self.registry, self.nursery, settings)
        self.instances: dict[str, Instance] = {}
        self.strangers: dict[str, Found] = {}
        """Found on disk and not served: not installed, or not readable."""
        self.doors: Callable[[], tuple[int, ...]] = tuple
        """Process ids of the doors; set by whoever opens them."""
        self.on_catalogue: list[Callable[[Catalogue], Awaitable[None]]] = []
        """Awaited with every new catalogue before the change that made it is reported as done."""
        self._safe = safe
        self._background = background
        self._catalogue = Catalogue()
        self._changing = asyncio.Lock()
        self._events = Events(lambda: [] if safe else self._served())
        self._timetable = Timetable()
        self._keeper: asyncio.Task[None] | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self._changes: set[asyncio.Task[None]] = set()
        self._around = Surroundings(home, settings, self.nursery, self._handler, self._on_state)

    # -- beginning and end -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start serving.

        Raises:
            ZygoteFailed: No process can be made here.
            HomeCorrupt: The registry cannot be read.
        """
        await self.nursery.open(warm=self._background)
        self._discover()
        await self._publish_catalogue()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())
        if self._background and not self._safe:
            self._timetable.set(self._served())
            self._begin(self._served())
            self._events.publish("system.started")

    async def close(self) -> None:
        """End every plugin in order, then every process."""
        for task in [*self._doing, *([self._keeper] if self._keeper is not None else [])]:
            task.cancel()
        try:
            await self._timetable.close()
            await self._events.close()
            ends = [instance.kill("the host stopped") for instance in self.instances.values()]
            await asyncio.gather(*ends, *self._changes, return_exceptions=True)
        finally:
            await self.nursery.close()

    def _begin(self, instances: Iterable[Instance]) -> None:
        wanted = [each for each in instances if _starts_by_itself(each) and not each.waking]
        if wanted:
            self._do(self._start_in_order(wanted))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _start_in_order(self, wanted: list[Instance]) -> None:
        for instance in dependency_order(wanted):
            try:
                await instance.awake()
            except (SomnusError, OSError) as error:
                instance.book.note(f"was not started with the host: {error}", level="WARNING")

    async def _keep(self) -> None:
        """Put the idle to sleep; bring back what should always run."""
        while True:
            await asyncio.sleep(self.settings.host.sleep_check_s)
            now = monotonic()
            for instance in self._served():
                limit_s = instance.manifest.sleep_after_s
                if limit_s and instance.idle_for(now) >= limit_s:
                    self._do(instance.sleep("idle"))
            if self._background and not self._safe:
                self._begin(each for each in self._served() if each.state is State.ASLEEP and _never_sleeps(each))

    # -- what there is -----------------------------------------------------------------------------------------------

    @property
    def catalogue(self) -> Catalogue:
        """What is served now."""
        return self._catalogue

    def _served(self) -> list[Instance]:
        return [each for each in self.instances.values() if each.entry.enabled]

    def find(self, name: str) -> Instance:
        """A plugin by id, mount or, where only one has it, name; served or not.

        Raises:
            UnknownPlugin: There is none.
        """
        named = [each for each in self.instances.values() if name in (each.id, each.entry.mount)]
        named = named or [each for each in self.instances.values() if each.manifest.name == name]
        if len(named) == 1:
            return named[0]
        if name in self.strangers:
            found = self.strangers[name]
            raise UnknownPlugin(
                f"{name} is not installed: {found.error or 'nobody has agreed to it'}",
                remedy=(found.error.remedy if found.error is not None else "")
                or f"`somnus-plugins install {shlex.quote(str(found.directory))}` installs it.",
            )
        known = ", ".join(sorted(each.entry.mount for each in self.instances.values())[:20]) or "none"
        why = f"{len(named)} plugins are called {name!r}" if named else f"no plugin {name!r} is installed"
        raise UnknownPlugin(f"{why}; installed are: {known}", remedy="`somnus-plugins list` shows ids and mounts.")

    def _discover(self) -> None:
        for entry in self.registry.entries():
            self._take_in(entry)
        for found in self._scan():
            if self.registry.get(found.plugin) is None:
                self.strangers[found.plugin] = found
        for instance in self.instances.values():
            instance.look_again(self._missing)

    def _scan(self) -> Iterable[Found]:
        for ring, folder in self.home.rings.items():
            yield from scan_ring(folder, ring)  # type: ignore[arg-type]  # the keys of `rings` are the rings
        yield from scan_paths(map(_expanded, self.settings.host.extra_paths))

    def _take_in(self, entry: Entry) -> None:
        directory = Path(entry.directory)
        try:
            found = read_directory(directory, entry.ring)
        except SomnusError as error:
            found = Found(directory, entry.ring, None, None, error)
        if found.manifest is None or found.contributions is None:
            self.instances.pop(entry.id, None)
            self.strangers[entry.id] = found
            return
        instance = self.instances.get(entry.id)
        if instance is not None:
            instance.renew(entry, found.manifest, found.contributions)
        else:
            self.instances[entry.id] = Instance(entry, found.manifest, found.contributions, self._around)

    def _missing(self, instance: Instance) -> SomnusError | None:
        if not supports(instance.manifest):
            return NotReady(f"it is made for plugin API {instance.manifest.api}")
        return unmet(instance, {each.id: each for each in self._served()})

    async def _publish_catalogue(self) -> None:
        served = [] if self._safe else [each for each in self._served() if each.state is not State.STOPPED]
        self._catalogue = Catalogue(self._catalogue.revision + 1, map(_listing, served))
        for listener in tuple(self.on_catalogue):
            await listener(self._catalogue)

    # -- calls -------------------------------------------------------------------------------------------------------

    def request(
        self, plugin: str, method: str, target: str, payload: Any, terms: Terms, progress: ProgressSink | None = None
    ) -> Coroutine[Any, Any, msgspec.Raw]:
        """One call with one answer."""
        instance = self.instances[plugin] if plugin in self._catalogue.listings else self.serving(plugin)
        if target not in instance.tools and method == "tool":
            instance.tool(target)
        head = header(instance.timeout_s(target, terms.timeout_s), terms.user, terms.session)
        return instance.request(method, payload, target, head, progress)

    async def exchange(
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
        """A call with streams. One over a socket has no deadline of its own: it lives as long as the socket."""
        instance = self.serving(plugin)
        if method == "tool":
            instance.tool(target)
        timeout_s = None if method == "websocket" else instance.timeout_s(target, terms.timeout_s)
        head = header(timeout_s, terms.user, terms.session)
        return await instance.converse(method, payload, target, head, sends=sends, progress=progress)

    def serving(self, name: str) -> Instance:
        """A plugin that is served, by id, mount or name.

        Raises:
            UnknownPlugin: There is none.
            NotReady: It is not served, and why.
        """
        try:
            return self.instances[self._catalogue.find(name).id]
        except UnknownPlugin:
            instance = self.find(name)
            if self._safe:
                why = "is not served: the host is in safe mode, where every plugin is off"
                raise NotReady(f"{instance.id} {why}", remedy="Serve without --safe.") from None
            raise NotReady(
                f"{instance.id} is {instance.state}: {instance.lifecycle.reason or 'it is not served'}",
                remedy=f"`somnus-plugins enable {instance.entry.mount}` serves it.",
            ) from None

    def _handler(self, instance: Instance) -> Handler:
        async def serve(incoming: Incoming) -> Any:
            raise NotReady(f"the host has no call {incoming.method!r}")

        return serve

    def _on_state(self, instance: Instance, before: State, now: State) -> None:
        topics = {State.ACTIVE: "plugin.started", State.ASLEEP: "plugin.slept", State.STOPPED: "plugin.stopped"}
        topic = topics.get(now, "plugin.failed" if now.word in (Word.FAILED, Word.NEEDS_YOU) else "")
        if topic and before.has_process:
            self._events.publish(
                topic, {"plugin": instance.id, "state": now.value, "reason": instance.lifecycle.reason}
            )

    # -- changes -----------------------------------------------------------------------------------------------------

    async def changed(self, plugin: str) -> None:
        """An entry was added, changed or removed: bring what is served in line, in every door.

        Goes on though whoever asked has left: the registry has the change already.
        """
        change = asyncio.get_running_loop().create_task(self._change(plugin))
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)
        await asyncio.shield(change)

    async def _change(self, plugin: str) -> None:
        async with self._changing:
            instance = self.instances.get(plugin)
            try:
                if instance is not None:
                    await instance.halt("it is being changed")
                self._follow_registry(plugin)
            finally:
                if instance is not None:
                    instance.resume()
            await self._publish_catalogue()
            if self._background and not self._safe:
                self._timetable.set(self._served())
                self._begin(each for each in self._served() if each.id == plugin)

    def _follow_registry(self, plugin: str) -> None:
        entry = self.registry.get(plugin)
        self.strangers.pop(plugin, None)
        if entry is None:
            self.instances.pop(plugin, None)
        else:
            self._take_in(entry)
        for each in self.instances.values():
            # Whoever needs a plugin may need this one, through others too.
            depends = each.manifest.requires and each.state in (State.ASLEEP, State.INCOMPATIBLE)
            if each.id == plugin or depends or each.state is State.INCOMPATIBLE:
                each.look_again(self._missing)

    def publish(self, topic: str, data: Any = None) -> int:
        """Publish an event of the application."""
        return self._events.publish(topic, data)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InvalidSetting(f"host.extra_paths: {path!r}: {error}", remedy="Write the path out.") from error


def _listing(instance: Instance) -> Listing:
    return Listing(
        id=instance.id,
        mount=instance.entry.mount,
        version=instance.manifest.version,
        generation=instance.entry.generation,
        description=instance.manifest.description,
        public_routes=instance.manifest.permissions.public_routes,
        upload_max_bytes=instance.limits.upload_mb * MIB,
        call_timeout_s=instance.limits.call_timeout_s,
        contributions=instance.contributions,
    )


def _starts_by_itself(instance: Instance) -> bool:
    starts = any(each.kind is ActivationKind.STARTUP for each in instance.manifest.activation)
    return instance.state is State.ASLEEP and (starts or _never_sleeps(instance))


def _never_sleeps(instance: Instance) -> bool:
    return instance.manifest.permissions.background and instance.manifest.sleep_after_s == 0
