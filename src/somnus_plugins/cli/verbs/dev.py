"""`dev`: serve one's own plugin, and again on every save."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somnus_plugins.cli.options import BindOption, PortOption
from somnus_plugins.cli.scene import Scene

__all__ = ["run"]

PathWord = Annotated[str, typer.Argument(metavar="PATH", help="The directory of your plugin.")]


def run(scene: Scene, path: PathWord = ".", host: BindOption = None, port: PortOption = None) -> None:
    """Serve your own plugin, anew on every save.

    It is installed from where it lies, without asking: that you run this is the consent. A save that is broken
    leaves the version before in place. Ctrl-C ends it.
    """
    from somnus_plugins.cli.rebuilding import Rebuilding
    from somnus_plugins.cli.serving import run_station
    from somnus_plugins.host.discovery import read_directory

    directory = Path(path).expanduser().absolute()
    read_directory(directory)
    rebuilding = Rebuilding(scene, directory)
    run_station(scene, host=host, port=port, before=rebuilding.first, work=rebuilding.follow)
