"""Finding plugins on disk: reads, never runs, never follows a link out of a ring, and lets no plugin hide another."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from packaging.version import InvalidVersion, Version

from somnus_plugins.errors import InvalidManifest, NotAPlugin, SomnusError
from somnus_plugins.host.registry import Ring
from somnus_plugins.trust import contributions as contributions_file
from somnus_plugins.trust.manifest import Manifest, parse_manifest
from somnus_plugins.wire.contributions import Contributions

__all__ = ["Found", "read_directory", "scan_paths", "scan_ring"]

MANIFEST: Final = "pyproject.toml"
MANIFEST_MAX_BYTES: Final = 256 * 1024
"""A manifest is written by hand; the parser has the same limit."""


@dataclass(frozen=True, slots=True)
class Found:
    """A directory that is, or should be, a plugin."""

    directory: Path
    ring: Ring
    manifest: Manifest | None
    """None where it could not be read; `error` then says why."""
    contributions: Contributions | None
    error: SomnusError | None

    @property
    def plugin(self) -> str:
        """Its id; for one without a valid manifest its directory, so that no two are called the same."""
        return str(self.manifest.id) if self.manifest is not None else f"?{_shown(self.directory)}"


def read_directory(directory: Path, ring: Ring = "local") -> Found:
    """Read one directory.

    Never raises for what is in it: whatever is wrong stands in `error`.

    Raises:
        NotAPlugin: It is no directory, or has no manifest.
    """
    manifest: Manifest | None = None
    contributions: Contributions | None = None
    error: SomnusError | None = None
    try:
        text = _read(directory, MANIFEST, MANIFEST_MAX_BYTES)
        if text is None:
            raise NotAPlugin(
                f"{_shown(directory)} has no {MANIFEST}", remedy="`somnus-plugins create` writes a plugin that runs."
            )
        if _shown(directory) != str(directory):
            # Registry, plans and answers are text: none of them could name it.
            raise InvalidManifest(f"{_shown(directory)} has a name that is not UTF-8", remedy="Rename the directory.")
        manifest = parse_manifest(text, str(directory / MANIFEST))
        generated = _read(directory, contributions_file.CONTRIBUTIONS_FILE, contributions_file.CONTRIBUTIONS_MAX_BYTES)
        if generated is not None:
            place = str(directory / contributions_file.CONTRIBUTIONS_FILE)
            contributions = contributions_file.load(generated, place)
    except NotAPlugin:
        raise
    except SomnusError as problem:
        error = problem
    return Found(directory, ring, manifest, contributions, error)


def scan_ring(folder: Path, ring: Ring) -> Iterator[Found]:
    """Plugins of a ring: `<publisher>/<name>/<version>/`, the newest version of each."""
    for publisher in _directories(folder):
        for name in _directories(publisher):
            versions = sorted(_directories(name), key=_by_version)
            if versions:
                for found in _found(versions[-1], ring):
                    yield _in_its_place(found, _shown(Path(publisher.name, name.name)))


def scan_paths(paths: Iterable[Path]) -> Iterator[Found]:
    """Plugins of the ring `local` among the sub-directories of these directories."""
    for path in paths:
        for directory in _directories(path):
            yield from _found(directory, "local")


def _found(directory: Path, ring: Ring) -> Iterator[Found]:
    try:
        yield read_directory(directory, ring)
    except NotAPlugin:
        return


def _in_its_place(found: Found, expected: str) -> Found:
    """A plugin must be what its place says: else one could lie where another is trusted."""
    if found.manifest is None or found.plugin == expected:
        return found
    problem = InvalidManifest(
        f"{_shown(found.directory)} lies where {expected} belongs, but its manifest says {found.plugin}"
    )
    return replace(found, manifest=None, contributions=None, error=problem)


def _directories(folder: Path) -> list[Path]:
    """Real sub-directories, by name. A link is left out: it could lead anywhere, today or tomorrow."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (OSError, ValueError):
        # Whatever the matter with one folder is (a ValueError: no path at all), the others are still listed.
        return []
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _shown(path: Path) -> str:
    """A path as text. A name that is not UTF-8 reads as a string that no encoder takes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _by_version(directory: Path) -> tuple[int, Version | str]:
    try:
        return 1, Version(directory.name)
    except InvalidVersion:
        return 0, directory.name


def _read(directory: Path, name: str, most: int) -> bytes | None:
    """A regular file's content; None where there is none. Opened without following a link, looked at after opening."""
    place = _shown(directory / name)
    try:
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidManifest(f"{place} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidManifest(f"{place} is not a regular file")
        if status.st_size > most:
            raise InvalidManifest(f"{place} has {status.st_size:,} bytes; at most {most:,} are allowed")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)
