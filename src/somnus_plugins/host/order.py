"""Which plugins need which: the order to start them in, and what is missing or runs in a circle. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from packaging.version import Version

from somnus_plugins.errors import NotReady, SomnusError
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.trust.manifest.terms import PluginRequirement

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
    while waiting:
        path = [waiting.pop(next(iter(waiting)))]
        while path:
            needed = next(
                (str(need.plugin) for need in path[-1].manifest.requires if str(need.plugin) in waiting), None
            )
            if needed is not None:
                path.append(waiting.pop(needed))
            else:
                ordered.append(path.pop())
    return ordered


def unmet(plugin: Dependent, served: Mapping[str, Dependent]) -> SomnusError | None:
    """Why a plugin's needs are not met: something is missing, has the wrong version, or needs the plugin in turn.

    Args:
        plugin: Whose needs.
        served: What is there, by id.

    Returns:
        An error that names the whole chain, or None.
    """
    met: set[str] = set()
    chain = [plugin.id]
    needs = [iter(plugin.manifest.requires)]
    while needs:
        need = next(needs[-1], None)
        if need is None:
            needs.pop()
            met.add(chain.pop())
            continue
        wanted = str(need.plugin)
        if (problem := _problem(need, served.get(wanted), chain)) is not None:
            return problem
        if wanted not in met:
            chain.append(wanted)
            needs.append(iter(served[wanted].manifest.requires))
    return None


def _problem(need: PluginRequirement, needed: Dependent | None, chain: Sequence[str]) -> SomnusError | None:
    wanted = str(need.plugin)
    path = " → ".join((*chain, wanted))
    if wanted in chain:
        return NotReady(f"plugins need each other in a circle: {path}")
    if needed is None:
        return NotReady(f"{wanted} is not installed or not enabled: {path}", remedy=f"Install or enable {wanted}.")
    if not need.versions.contains(Version(needed.manifest.version), prereleases=True):
        return NotReady(
            f"{wanted} {needed.manifest.version} is installed, {need.versions} is needed: {path}",
            remedy=f"Install a version of {wanted} that fits.",
        )
    return None
