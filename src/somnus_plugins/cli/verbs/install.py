"""`install`: plan, agree, apply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from somnus_plugins.cli import consent, portraits, terminal
from somnus_plugins.cli.options import YesOption
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from somnus_plugins.host.views import Plan, PluginView

__all__ = ["run"]

SourceWord = Annotated[str, typer.Argument(metavar="SOURCE", help="The directory of a plugin.")]
MountOption = Annotated[
    str | None, typer.Option("--as", metavar="MOUNT", help="Its short name here; by default its own name.")
]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]


def run(
    scene: Scene, source: SourceWord, mount: MountOption = None, yes: YesOption = False, dry_run: DryOption = False
) -> None:
    """Install a plugin, after showing what that would do.

    Of an installed plugin, what has changed is installed. Without a terminal and without --yes: exit status 3, and the
    plan as JSON.
    """
    directory = _directory(source)
    plan = scene.ask(lambda host, _: host.plan(directory, mount=mount), f"planning {source}", makes_home=True)
    if dry_run:
        scene.answer({"plan": plan, "plugin": None}, lambda console: portraits.show_plan(console, plan))
        return
    if not scene.json and (yes or consent.may_ask(scene)):
        portraits.show_plan(scene.out, plan)
    if not yes:
        import msgspec

        consent.require(scene, f"install {plan.id} {plan.version}", {"plan": msgspec.to_builtins(plan)})
    view = scene.ask(lambda host, _: host.apply(plan), f"installing {plan.id}")
    scene.answer({"plan": plan, "plugin": view}, lambda console: _show(console, plan, view))


def _directory(source: str) -> Path:
    directory = Path(source).expanduser()
    if directory.is_dir():
        return directory
    found = "a file" if directory.exists() else "nothing of this name here"
    raise UsageError(
        f"{source!r}: found {found}; a plugin is installed from its directory",
        remedy="Name the directory that holds the plugin's pyproject.toml.",
    )


def _show(console: Console, plan: Plan, view: PluginView) -> None:
    console.print()
    portraits.show_state(console, view)
    if plan.unset:
        wanted = " ".join(f"{key}=…" for key in plan.unset)
        console.print(terminal.text(f"→ `somnus-plugins config {view.mount} {wanted}`", "dim"))
