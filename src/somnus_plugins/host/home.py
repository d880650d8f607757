"""The folder of one home, and what stands where in it."""

from __future__ import annotations

import os
from pathlib import Path

from somnus_plugins.store.files import make_directory

__all__ = ["Home", "find_home"]

NAME = ".somnus"


class Home:
    """Paths below one home.

    Args:
        root: The folder; made where it is missing, readable by its owner only.
    """

    def __init__(self, root: Path) -> None:
        self.root = make_directory(root.expanduser().absolute())

    @property
    def exposure(self) -> str:
        """What is wrong with who may enter the home; empty where only its owner may."""
        mode = self.root.stat().st_mode & 0o777
        return f"the home {self.root} is open to others (mode {mode:o}): `chmod 700` it" if mode & 0o077 else ""

    @property
    def registry(self) -> Path:
        """What is installed and what a person has decided about it."""
        return self.root / "registry.json"

    @property
    def rings(self) -> dict[str, Path]:
        """Trust ring → its folder. The ring `local` is no folder: its plugins lie where their author works."""
        return {ring: self.root / "plugins" / ring for ring in ("installed", "community", "sandbox")}

    @property
    def run(self) -> Path:
        """Sockets and locks; nothing in it outlives a reboot."""
        return make_directory(self.root / "run")

    def data(self, plugin: str) -> Path:
        """`self.data` of a plugin: persistent, part of anchors."""
        return self.root / "data" / plugin / "files"

    def cache(self, plugin: str) -> Path:
        """`self.cache` of a plugin: may be emptied at any time."""
        return self.root / "cache" / plugin

    def log(self, plugin: str) -> Path:
        """The log file of a plugin."""
        return self.root / "logs" / f"{plugin}.jsonl"

    @property
    def token(self) -> Path:
        """The token that the web interface accepts."""
        return self.root / "trust" / "token"


def find_home(start: Path | None = None) -> Path:
    """The home to use: `$SOMNUS_HOME`, else the nearest `.somnus` upward, else `.somnus` here."""
    if named := os.environ.get("SOMNUS_HOME"):
        return Path(named)
    here = (start or Path.cwd()).absolute()
    for directory in (here, *here.parents):
        if (directory / NAME).is_dir():
            return directory / NAME
    return here / NAME
