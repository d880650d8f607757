"""What a process is told to become and to load, made of what a manifest asks for and a host allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from somnus_plugins.settings import Settings
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.wire.methods import Assignment, LoadOrder

__all__ = ["EffectiveLimits", "assignment", "load_order"]

MIB: Final = 1024 * 1024
FRAME_ROOM_BYTES: Final = 64 * 1024
"""What a frame may be larger than the result in it."""
BASE_PATH: Final = "/plugins/"
"""Where plugins stand in an application that was attached without a prefix of its own."""


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """The plugin's limits, cut by the host's ceilings."""

    memory_mb: int
    threads: int
    open_files: int
    call_timeout_s: float
    concurrency: int
    recursion_depth: int
    result_mb: int
    upload_mb: int

    @classmethod
    def of(cls, manifest: Manifest, settings: Settings) -> EffectiveLimits:
        """The lower of what the plugin asks for and what the host allows."""
        asked, ceiling = manifest.limits, settings.limits
        return cls(**{name: min(getattr(asked, name), getattr(ceiling, name)) for name in cls.__slots__})

    @property
    def frame_max_bytes(self) -> int:
        """Largest frame the plugin may send."""
        return self.result_mb * MIB + FRAME_ROOM_BYTES


def assignment(
    manifest: Manifest, limits: EffectiveLimits, settings: Settings, *, generation: int = 0, frame_max_bytes: int = 0
) -> Assignment:
    """The first bytes of a child: which plugin it becomes, within which limits.

    Args:
        manifest: The plugin's.
        limits: In force.
        settings: The host's.
        generation: Of the plugin; 0 for a process that is only asked what the plugin adds.
        frame_max_bytes: Instead of the limits'.
    """
    wire = settings.wire
    return Assignment(
        plugin=str(manifest.id),
        generation=generation,
        memory_mb=limits.memory_mb,
        open_files=limits.open_files,
        threads=limits.threads,
        window_bytes=wire.window_bytes,
        inline_max_bytes=wire.inline_max_bytes,
        frame_max_bytes=frame_max_bytes or limits.frame_max_bytes,
        incoming_max=max(limits.concurrency * 2, wire.incoming_max),
    )


def load_order(
    manifest: Manifest,
    directory: Path,
    *,
    data: Path,
    cache: Path,
    threads: int,
    mount: str = "",
    config: dict[str, Any] | None = None,
) -> LoadOrder:
    """What to import, from where, and with which settings.

    Args:
        manifest: The plugin's.
        directory: The plugin's, absolute.
        data: `self.data`; exists.
        cache: `self.cache`; exists.
        threads: For methods without `async`.
        mount: Where it stands; its name where it was not installed yet.
        config: Values of its settings.
    """
    mount = mount or manifest.name
    return LoadOrder(
        plugin=str(manifest.id),
        version=manifest.version,
        entry_module=manifest.entry.module,
        entry_attribute=manifest.entry.attribute,
        directory=str(directory),
        import_paths=(str(directory / "src"), str(directory)),
        data=str(data),
        cache=str(cache),
        mount=mount,
        config=config or {},
        threads=threads,
        base_path=BASE_PATH + mount,
    )
