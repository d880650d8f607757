"""The class that every plugin is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from somnus_plugins.errors import UsageError
from somnus_plugins.sdk.context import ACTIVE
from somnus_plugins.sdk.threads import LOOP_ACCESS, LoopAccess

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable
    from pathlib import Path

__all__ = ["RESERVED", "Belongings", "Plugin", "instantiate"]

T = TypeVar("T")
P = TypeVar("P", bound="Plugin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What a plugin finds on itself when its own code begins."""

    id: str
    version: str
    mount: str
    base_path: str
    data: Path
    cache: Path
    log: logging.Logger
    config: Any = None


class Plugin:
    """Base of every plugin: one instance, in a process of its own.

    The attributes below are there before `__init__` of the subclass runs, which takes no arguments.
    """

    config: Any
    """The settings: an instance of the class that the subclass annotates (`config: Settings`), else None."""
    state_version: ClassVar[int] = 1
    """Version of the shape of the plugin's state, counted up by the author."""

    id: str
    """`publisher/name`."""
    version: str
    """Version of the plugin."""
    mount: str
    """Short name that a person gave it at install."""
    base_path: str
    """Where its routes stand in the application, for links."""
    data: Path
    """Directory that is kept, counted in `disk_mb`."""
    cache: Path
    """Directory whose content may vanish while the plugin sleeps."""
    log: logging.Logger
    """Goes to the plugin's log."""

    _loop_access: LoopAccess | None = None
    _running: ClassVar[Plugin | None] = None

    @classmethod
    def current(cls) -> Self:
        """The running instance, for code outside the class: `notes: Annotated[Notes, Depends(Notes.current)]`.

        Raises:
            UsageError: None of this class runs in this process.
        """
        call = ACTIVE.get(None)
        for found in (None if call is None else call.served_by, Plugin._running):
            if isinstance(found, cls):
                return found
        raise UsageError(
            f"no instance of {cls.__name__} runs here",
            remedy="Ask for it while a call is served, not when the module is imported.",
        )

    def wait(self, awaitable: Awaitable[T]) -> T:
        """In a method without `async`, which runs in a thread: block until the awaitable is done.

        Raises:
            UsageError: Called on the event loop's thread, or the plugin was made outside a worker.
            concurrent.futures.CancelledError: The call was cancelled.
        """
        access = LOOP_ACCESS.get(None) or self._loop_access
        if access is None:
            raise UsageError(
                "there is no event loop to wait on: the plugin was not started by a worker",
                remedy="In tests, use the `plugin` fixture.",
            )
        return access.wait(awaitable)

    async def on_prepare(self) -> None:
        """Slow work that needs no state. During a reload the old instance still serves meanwhile."""

    async def on_start(self) -> None:
        """The last step before calls arrive; keep it short."""

    async def on_stop(self) -> None:
        """No call is running any more; the process ends afterwards."""


RESERVED: Final = frozenset(Belongings.__dataclass_fields__) - {"config"} | {"wait", "current"}
"""Names that a subclass may not define: the SDK's own would hide them, or they the SDK's."""


def instantiate(kind: type[P], belongings: Belongings, access: LoopAccess | None = None) -> P:
    """Make a plugin, with its attributes in place before its own `__init__` runs.

    Args:
        kind: The author's class.
        belongings: Becomes attributes of the same names.
        access: How its threads reach the loop.
    """
    plugin = object.__new__(kind)
    for name in Belongings.__dataclass_fields__:
        setattr(plugin, name, getattr(belongings, name))
    plugin._loop_access = access
    Plugin._running = plugin
    plugin.__init__()  # type: ignore[misc]  # the one place where a plugin is made
    return plugin
