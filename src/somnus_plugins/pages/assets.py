"""Files of ours that browsers may keep for ever: their names carry the hash of their content."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asset", "Assets"]

TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    name: str
    """With the hash in it."""
    media_type: bytes
    body: bytes


class Assets:
    """All files of some directories, in memory.

    Args:
        directories: Of a name that several have, the last one's file is taken.
    """

    def __init__(self, *directories: Path) -> None:
        self._names: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        for file in (file for directory in directories for file in sorted(directory.iterdir()) if file.is_file()):
            body = file.read_bytes()
            name = f"{file.stem}.{hashlib.sha256(body).hexdigest()[:16]}{file.suffix}"
            guessed = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._assets.pop(self._names.get(file.name, ""), None)
            self._names[file.name] = name
            self._assets[name] = Asset(name, guessed.encode("ascii"), body)

    def name(self, file: str) -> str:
        """The name to ask for; `KeyError` where there is no such file."""
        return self._names[file]

    def find(self, name: str) -> Asset | None:
        """The file of this name, hash and all."""
        return self._assets.get(name)
