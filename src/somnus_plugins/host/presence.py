"""How a process is present in a home: as its host, or as a door to the host, and what follows when the host ends.

The holder of an exclusive lock on `run/host.lock` is the host. The kernel frees the lock when the process ends, however
it ends; then one of the doors takes it, and the others attach to that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable
from typing import Final

from somnus_plugins.errors import HostBusy, HostNotRunning, SomnusError
from somnus_plugins.host.catalogue import Catalogue
from somnus_plugins.host.core import Core
from somnus_plugins.host.doors import DoorCore, DoorKeeper
from somnus_plugins.host.engine import Engine
from somnus_plugins.host.home import Home
from somnus_plugins.host.local import LocalCore
from somnus_plugins.settings import Settings

__all__ = ["Presence"]

LOG: Final = logging.getLogger("somnus_plugins")
RETRY_S: Final = 0.02
"""Seconds between two tries to become host or door: a host that starts is reached about this much later."""
TAKEOVER_RETRY_S: Final = 0.2
"""Seconds until the next try where taking over has failed."""


class Presence:
    """This process in a home.

    Args:
        home: The home.
        settings: Limits.
        safe: As host, serve with every plugin off.
        background: As host, start what wants to run by itself.
    """

    def __init__(self, home: Home, settings: Settings, *, safe: bool, background: bool) -> None:
        self.on_core: Callable[[Core | None], None] = lambda core: None
        """Called with what serves now, or None while nobody does."""
        self.on_catalogue: Callable[[Catalogue], None] = lambda catalogue: None
        self.role = "stopped"
        self._home = home
        self._settings = settings
        self._safe = safe
        self._background = background
        self._lock: int | None = None
        self._engine: Engine | None = None
        self._keeper: DoorKeeper | None = None
        self._core: Core | None = None
        self._settled = asyncio.Event()
        self._settling: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Become host or door; raises what prevents both."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._settle()
        except TimeoutError:
            raise self._busy() from None

    @property
    def _patience_s(self) -> float:
        return self._settings.host.door_timeout_s + self._settings.runtime.zygote_start_timeout_s

    def _busy(self) -> HostBusy:
        return HostBusy(
            f"the home {self._home.root} has a host that does not answer",
            remedy="Look for a stuck process that holds run/host.lock, and end it.",
        )

    async def close(self) -> None:
        """Leave the home. Goes on where whoever waits for it is cancelled; called again, it waits for the first."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._ending)

    async def _close(self) -> None:
        async with contextlib.AsyncExitStack() as ends:
            ends.callback(self._release)
            if self._settling is not None:
                self._settling.cancel()
                await asyncio.gather(self._settling, return_exceptions=True)
            self.role = "stopped"
            self.on_core(None)
            if self._core is not None:
                ends.push_async_callback(self._core.close)
            if self._keeper is not None:
                ends.push_async_callback(self._keeper.close)

    async def core(self) -> Core:
        """What serves now; waits while one process takes over from another."""
        try:
            async with asyncio.timeout(self._settings.host.door_timeout_s):
                await self._settled.wait()
        except TimeoutError:
            raise self._busy() from None
        if self._core is None:
            raise HostNotRunning("the host is not running")
        return self._core

    async def _settle(self) -> None:
        while True:
            if self._take_lock():
                await self._become_host()
                return
            try:
                await self._become_door()
            except OSError:
                # The holder of the lock does not listen yet, or has just ended.
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _become_host(self) -> None:
        if exposure := self._home.exposure:
            LOG.warning("%s", exposure)
        engine = Engine(self._home, self._settings, safe=self._safe, background=self._background)
        keeper = DoorKeeper(engine, self._home.run / "host.sock", self._settings)
        engine.on_catalogue.append(self._tell)
        try:
            await engine.open()
            keeper.open()
        except BaseException:
            async with contextlib.AsyncExitStack() as ends:
                ends.callback(self._release)
                ends.push_async_callback(engine.close)
                ends.push_async_callback(keeper.close)
            raise
        self._engine, self._keeper = engine, keeper
        self._serve("host", LocalCore(engine))

    async def _become_door(self) -> None:
        door = await DoorCore.open(self._home.run / "host.sock", self._settings, self.on_catalogue, self._lost)
        self._serve("door", door)

    def _serve(self, role: str, core: Core) -> None:
        self.role, self._core = role, core
        self._settled.set()
        self.on_core(core)

    async def _tell(self, catalogue: Catalogue) -> None:
        self.on_catalogue(catalogue)

    def _lost(self, reason: SomnusError) -> None:
        if self._ending is not None or self.role != "door":
            return
        self.role, self._core = "between", None
        self._settled.clear()
        self.on_core(None)
        self._settling = asyncio.get_running_loop().create_task(self._settle_again())

    async def _settle_again(self) -> None:
        while True:
            try:
                await self._settle()
            except (SomnusError, OSError):
                # Whoever waits for the core is told at its own deadline; the next try may find a host, or what was
                # missing: a descriptor, memory, a place on the disk.
                await asyncio.sleep(TAKEOVER_RETRY_S)
            except Exception as error:  # noqa: BLE001  # listeners of the application are called; none may end the takeover
                told = {"message": "a try to take over as host failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
                await asyncio.sleep(TAKEOVER_RETRY_S)
            else:
                return

    def _take_lock(self) -> bool:
        lock = os.open(self._home.run / "host.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        except OSError:
            os.close(lock)
            raise
        self._lock = lock
        return True

    def _release(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock)
            self._lock = None
