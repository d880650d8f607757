"""Which plugins need which: the order to start them in, and what is missing or runs in a circle. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from packaging.version import Version

from somnus_plugins.errors import NotReady, SomnusError
from somnus_plugins.trust.manifest import Manifest

__all__ = ["Dependent", "dependency_order", "unmet"]


class Dependent(Protocol):
    """Something with a manifest that names what it needs."""

    @property
    def id(self) -> str:
        """`publisher/name`."""

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""


D = TypeVar("D", bound=Dependent)


def dependency_order(plugins: Iterable[D]) -> list[D]:
    """The plugins, each after those it needs; those in a circle keep the order they came in."""
    waiting = {each.id: each for each in plugins}
    ordered: list[D] = []

    def place(plugin: D) -> None:
        if waiting.pop(plugin.id, None) is None:
            return
        for need in plugin.manifest.requires:
            if (needed := waiting.get(str(need.plugin))) is not None:
                place(needed)
        ordered.append(plugin)

    while waiting:
        place(next(iter(waiting.values())))
    return ordered


def unmet(plugin: Dependent, served: Mapping[str, Dependent]) -> SomnusError | None:
    """Why a plugin's needs are not met: something is missing, has the wrong version, or needs the plugin in turn.

    Args:
        plugin: Whose needs.
        served: What is there, by id.

    Returns:
        An error that names the whole chain, or None.
    """
    return _unmet(plugin, served, (plugin.id,))


def _unmet(plugin: Dependent, served: Mapping[str, Dependent], chain: tuple[str, ...]) -> SomnusError | None:
    for need in plugin.manifest.requires:
        wanted = str(need.plugin)
        path = " → ".join((*chain, wanted))
        if wanted in chain:
            return NotReady(f"plugins need each other in a circle: {path}")
        needed = served.get(wanted)
        if needed is None:
            return NotReady(f"{wanted} is not installed or not enabled: {path}", remedy=f"Install or enable {wanted}.")
        if not need.versions.contains(Version(needed.manifest.version), prereleases=True):
            return NotReady(
                f"{wanted} {needed.manifest.version} is installed, {need.versions} is needed: {path}",
                remedy=f"Install a version of {wanted} that fits.",
            )
        if (deeper := _unmet(needed, served, (*chain, wanted))) is not None:
            return deeper
    return None
