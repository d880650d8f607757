"""`check`: what is wrong with a plugin, and what could be better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from somnus_plugins.cli import portraits, terminal
from somnus_plugins.cli.scene import Scene

if TYPE_CHECKING:
    from rich.console import Console

    from somnus_plugins.cli.inspection import Inspection

__all__ = ["run"]

PathWord = Annotated[str, typer.Argument(metavar="PATH", help="The directory of a plugin.")]
StaticOption = Annotated[bool, typer.Option("--static", help="Only read it; do not start it.")]

_STYLES = {"error": "bold red", "warning": "yellow"}


def run(scene: Scene, path: PathWord = ".", static: StaticOption = False) -> None:
    """Say what is wrong with a plugin, and what could be better.

    Reads its manifest, applies the rules, and starts it once, without grants, to ask what it adds. Exit status 1 where
    something is an error.
    """
    import asyncio

    found = asyncio.run(_inspected(scene, Path(path).expanduser().absolute(), start=not static))
    scene.answer(found, lambda console: _show(console, found))
    if not found.ok:
        raise typer.Exit(1)


async def _inspected(scene: Scene, path: Path, *, start: bool) -> Inspection:
    from somnus_plugins.cli.activity import Activity
    from somnus_plugins.cli.inspection import inspect_directory

    with Activity(scene.err, f"checking {path.name}"):
        return await inspect_directory(path, start=start)


def _show(console: Console, found: Inspection) -> None:
    from rich.text import Text

    for each in found.findings:
        style = _STYLES.get(each.severity, "")
        place = (terminal.one_line(each.place) + ": " * bool(each.place), "bold")
        console.print(Text.assemble((f"{each.severity} ", style), place, terminal.safe(each.message)), soft_wrap=True)
        if each.remedy:
            console.print(Text.assemble(("  → ", "cyan"), terminal.text(each.remedy)), soft_wrap=True)
    _show_log(console, found)
    if found.plan is not None and found.plan.adds:
        console.print("It adds", style="bold")
        portraits.show_changes(console, found.plan.adds)
    errors = sum(each.severity == "error" for each in found.findings)
    warnings = len(found.findings) - errors
    verdict = terminal.text("ok" if found.ok else "not ok", "green" if found.ok else "bold red")
    named = f"{found.id} {found.version}  " if found.id else ""
    numbers = f"  {terminal.count(errors, 'error')}, {terminal.count(warnings, 'warning')}"
    read_only = "" if found.started else ", not started"
    console.print(Text.assemble(terminal.text(named, "bold"), " " * bool(named), verdict, numbers, read_only))


def _show_log(console: Console, found: Inspection) -> None:
    if not found.log:
        return
    from somnus_plugins.cli import journal

    console.print("Its log", style="bold")
    for line in found.log:
        console.print(journal.shown(line), soft_wrap=True)
