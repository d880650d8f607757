"""What is installed and what people have decided about it; survives every restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from somnus_plugins.errors import HomeCorrupt, NameTaken, UnknownPlugin
from somnus_plugins.store.files import replace_file

__all__ = ["Entry", "Registry", "Ring"]

Ring = Literal["local", "installed", "community", "sandbox"]
MAX_BYTES: Final = 64 * 1024 * 1024


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One installed plugin."""

    id: str
    mount: str
    ring: Ring
    directory: str
    """Absolute."""
    version: str
    enabled: bool = True
    """What a person wants; what is observed is the state."""
    config: dict[str, Any] = {}
    generation: int = 1
    """Grows with every change of code, settings or desire, so that all doors can be seen to agree."""
    fingerprint: str = ""
    """Of the contributions that were consented to."""
    plan: str = ""
    """Hash of the plan that was consented to."""


class _Document(msgspec.Struct, kw_only=True):
    format: Literal[1] = 1
    plugins: list[Entry] = []


class Registry:
    """The entries of one home; every change is durable when the method returns.

    Args:
        file: Where they are kept.

    Raises:
        HomeCorrupt: The file is there and cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries = {entry.id: entry for entry in _read(file)}

    def entries(self) -> list[Entry]:
        """All entries, by id."""
        return sorted(self._entries.values(), key=lambda entry: entry.id)

    def get(self, plugin: str) -> Entry | None:
        """The entry with this id."""
        return self._entries.get(plugin)

    def find(self, name: str) -> Entry | None:
        """The entry with this id or mount."""
        return self._entries.get(name) or next((each for each in self._entries.values() if each.mount == name), None)

    def require(self, plugin: str) -> Entry:
        """The entry with this id; raises `UnknownPlugin`."""
        entry = self._entries.get(plugin)
        if entry is None:
            raise UnknownPlugin(f"{plugin} is not installed", remedy="`somnus-plugins list` shows what is.")
        return entry

    def put(self, entry: Entry) -> None:
        """Add or replace an entry.

        Raises:
            NameTaken: Its mount belongs to another plugin.
        """
        self.put_all([entry])

    def put_all(self, entries: list[Entry]) -> None:
        """Add or replace several entries in one step; raises as `put` does."""
        merged = {**self._entries, **{entry.id: entry for entry in entries}}
        mounts = {entry.mount: entry for entry in merged.values()}
        for entry in entries:
            if mounts[entry.mount] is not entry:
                raise _taken(entry.mount, mounts[entry.mount])
            self.refuse_taken(entry.id, entry.mount)
        self._write(merged)

    def refuse_taken(self, plugin: str, mount: str) -> None:
        """Raise `NameTaken` where the mount belongs to another plugin."""
        for other in self._entries.values():
            if other.mount == mount and other.id != plugin:
                raise _taken(mount, other)

    def change(self, plugin: str, **fields: Any) -> Entry:
        """Change fields of an entry and let its generation grow."""
        entry = self.require(plugin)
        changed = msgspec.structs.replace(entry, generation=entry.generation + 1, **fields)
        self.put(changed)
        return changed

    def remove(self, plugin: str) -> None:
        """Take an entry out."""
        self.require(plugin)
        self._write({each: entry for each, entry in self._entries.items() if each != plugin})

    def _write(self, entries: dict[str, Entry]) -> None:
        document = _Document(plugins=sorted(entries.values(), key=lambda entry: entry.id))
        replace_file(self._file, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
        self._entries = entries


def _read(file: Path) -> list[Entry]:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise HomeCorrupt(f"{file} has more than {MAX_BYTES:,} bytes")
        return msgspec.json.decode(file.read_bytes(), type=_Document).plugins
    except FileNotFoundError:
        return []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise HomeCorrupt(
            f"{file} is not a registry: {error}", remedy="Restore it from a backup, or remove it and install anew."
        ) from error


def _taken(mount: str, owner: Entry) -> NameTaken:
    return NameTaken(f"the mount {mount!r} belongs to {owner.id}", remedy="Choose another one with --as MOUNT.")
