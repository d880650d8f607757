"""What people and programs are told about plugins, plans and the host: the records of every interface."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["SANDBOX_LEVEL", "HostView", "PermissionLine", "Plan", "PluginDetail", "PluginView"]


SANDBOX_LEVEL = "none"
"""What confines plugins at present: a process of their own with resource limits, and nothing of the kernel's."""


class PluginView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing."""

    id: str
    mount: str
    version: str
    description: str
    type: str
    ring: str
    state: str
    word: str
    """The state in one of five words for people."""
    reason: str
    desired: str
    """`enabled` or `disabled`: what a person wants."""
    generation: int
    sandbox_level: str
    trust: str
    """Status of the signature."""
    tools: tuple[str, ...]
    routes: int
    tags: tuple[str, ...] = ()


class PluginDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one plugin."""

    plugin: PluginView
    directory: str
    manifest: dict[str, Any]
    contributions: dict[str, Any]
    config: dict[str, Any]
    unset: tuple[str, ...]
    """Settings that need a value and have none."""
    limits: dict[str, float]
    """In force: the lower of what the plugin asks for and what the host allows."""
    pid: int | None
    starts: int
    calls: int
    running: int
    waiting: int
    idle_s: float
    strikes: dict[str, int]


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """The host of a home."""

    home: str
    pid: int
    version: str
    revision: int
    sandbox_level: str
    doors: tuple[int, ...]
    """Process ids of the doors."""
    zygote_pid: int | None
    blank: int
    """Pre-forked children that wait."""
    plugins: int


class PermissionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One permission a plugin asks for."""

    key: str
    value: str
    optional: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation would do. Nothing has been changed yet; `hash` is what a person agrees to."""

    id: str
    mount: str
    ring: str
    directory: str
    version: str
    replaces: str
    """Version that is installed now; empty for a new plugin."""
    description: str
    trust: str
    sandbox_level: str
    permissions: tuple[PermissionLine, ...]
    adds: tuple[str, ...]
    """What changes in tools, routes, subscriptions, schedules and settings, a line each."""
    warnings: tuple[str, ...]
    unset: tuple[str, ...]
    fingerprint: str
    content: str
    """SHA-256 of manifest and contributions as they were planned."""
    hash: str = ""

    def __str__(self) -> str:
        verb = f"update {self.replaces} → {self.version}" if self.replaces else f"install {self.version}"
        lines = [
            f"{self.id} as {self.mount}: {verb}",
            f"  from       {self.directory} (ring {self.ring}, {self.trust}, confinement {self.sandbox_level})",
        ]
        blocks = (
            ("adds", self.adds),
            ("may", tuple(f"{line.key} = {line.value}" for line in self.permissions) or ("nothing",)),
            ("needs", tuple(f"a value for {key}" for key in self.unset)),
            ("warning", self.warnings),
        )
        for title, texts in blocks:
            for number, text in enumerate(texts):
                lines.append(f"  {title if number == 0 else '':<10} {text}")
        return "\n".join(lines)
