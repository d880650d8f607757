"""`serve`: the host with its web API."""

from __future__ import annotations

from typing import Annotated

import typer

from somnus_plugins.cli.options import BindOption, PortOption
from somnus_plugins.cli.scene import Scene

__all__ = ["run"]

SafeOption = Annotated[bool, typer.Option("--safe", help="With every plugin off.")]


def run(scene: Scene, host: BindOption = None, port: PortOption = None, safe: SafeOption = False) -> None:
    """Serve the plugins over HTTP, until Ctrl-C."""
    from somnus_plugins.cli.serving import run_station

    run_station(scene, host=host, port=port, safe=safe)
