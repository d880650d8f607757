"""The import contracts of `floors.toml`, and what breaks them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source_tree import Import, Module, cycles, import_graph, resolve


@dataclass(frozen=True)
class Ban:
    """`room` may not import any of `imports`, although they stand below it."""

    room: str
    imports: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Library:
    """A dependency by its name in the package registry, the modules it brings, and the rooms that may import them."""

    name: str
    imports: tuple[str, ...]
    rooms: tuple[str, ...]
    reason: str
    optional: bool = False
    """It is no dependency: its rooms are loaded only by programs of the library itself."""


@dataclass(frozen=True)
class Floors:
    """Rooms by height, forbidden pairs and libraries."""

    levels: dict[str, int]
    reasons: tuple[str, ...]
    bans: tuple[Ban, ...]
    libraries: tuple[Library, ...]

    @classmethod
    def read(cls, file: Path) -> Floors:
        """Read a floors file; a missing key is a `KeyError`."""
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        floors = tables["floor"]
        bans = tuple(Ban(t["room"], tuple(t["imports"]), t["reason"]) for t in tables.get("never", ()))
        libraries = tuple(
            Library(t["name"], tuple(t["imports"]), tuple(t["rooms"]), t["reason"], t.get("optional", False))
            for t in tables.get("library", ())
        )
        return cls(
            levels={room: level for level, floor in enumerate(floors) for room in floor["rooms"]},
            reasons=(
                *(floor["reason"] for floor in floors),
                *(each.reason for each in bans),
                *(each.reason for each in libraries),
            ),
            bans=bans,
            libraries=libraries,
        )

    def room(self, module: str) -> str | None:
        """The room of a module: the longest name of a room that is the module's own or stands above it."""
        name = module.partition(".")[2] or "__init__"
        while name and name not in self.levels:
            name = name.rpartition(".")[0]
        return name or None

    def faults(self, modules: Sequence[Module]) -> list[str]:
        """Every breach, one sentence each, with the place."""
        known = {each.name: each for each in modules}
        found = [
            f"{m.shown} stands on no floor: give its room a place in floors.toml"
            for m in modules
            if not self.room(m.name)
        ]
        for each in (each for module in modules for each in module.imports):
            place = f"{known[each.importer].shown}:{each.line}"
            target = resolve(each.target, known)
            fault = self._climb(each, target) if target else self._foreign(each, modules)
            found += [f"{place} {fault}"] if fault else []
        return found

    def _climb(self, found: Import, target: str) -> str:
        here, there = self.room(found.importer), self.room(target)
        if not here or not there or here == there:
            return ""
        sentence = f"imports {target} ({found.kind}):"
        if self.levels[there] == self.levels[here]:
            return f"{sentence} {here} and {there} are neighbours on one floor"
        if self.levels[there] > self.levels[here]:
            return f"{sentence} {there} stands above {here}"
        return next(
            (
                f"{sentence} {ban.room} never imports {other}. {ban.reason}"
                for ban in self.bans
                for other in ban.imports
                if lies_in(found.importer, ban.room) and lies_in(target, other)
            ),
            "",
        )

    def _foreign(self, found: Import, modules: Iterable[Module]) -> str:
        top = found.target.partition(".")[0]
        own = {each.name.partition(".")[0] for each in modules}
        if top in own | set(sys.stdlib_module_names) or found.kind == "typing":
            return ""
        library = next((each for each in self.libraries if top in each.imports), None)
        if library is None:
            return f"imports {top}, which no library of floors.toml brings"
        if any(lies_in(found.importer, room) for room in library.rooms):
            return ""
        return f"imports {top} ({found.kind}), which only {', '.join(library.rooms) or 'nobody'} may. {library.reason}"

    def empty_rooms(self, modules: Iterable[Module]) -> list[str]:
        """Rooms on a floor without a single module: rules about nothing."""
        return sorted(set(self.levels) - {self.room(each.name) for each in modules})


def lies_in(module: str, room: str) -> bool:
    """Whether a module belongs to a room or to a room inside it."""
    name = module.partition(".")[2]
    return name == room or name.startswith(f"{room}.")


def circles(modules: Sequence[Module]) -> Iterator[str]:
    """Groups of modules that import each other in a circle when they run, inside functions or not."""
    for knot in cycles(import_graph(modules, frozenset({"load", "lazy"}))):
        yield " ⇄ ".join(knot)
