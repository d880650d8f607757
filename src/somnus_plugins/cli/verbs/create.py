"""`create`: write a plugin that runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from somnus_plugins.cli import completion, terminal
from somnus_plugins.cli.scene import Scene

if TYPE_CHECKING:
    from rich.console import Console

    from somnus_plugins.templates import Created

__all__ = ["run"]

NameOption = Annotated[str, typer.Option("--name", metavar="NAME", help="Its name, in any spelling: MyPlugin.")]
TypeOption = Annotated[
    str,
    typer.Option("--type", metavar="TYPE", help="For example api_extension.", autocompletion=completion.types),
]
DirectoryOption = Annotated[
    str | None, typer.Option("--dir", metavar="DIR", help="Where to write it; by default a new folder here.")
]
MinimalOption = Annotated[bool, typer.Option("--minimal", help="One file with one method, and its test.")]
PublisherOption = Annotated[str, typer.Option("--publisher", metavar="NAME", help="Who makes it.")]


def run(
    scene: Scene,
    name: NameOption,
    type: TypeOption,
    dir: DirectoryOption = None,
    publisher: PublisherOption = "local",
    minimal: MinimalOption = False,
) -> None:
    """Write a plugin that runs, with its tests."""
    from somnus_plugins.templates import write_plugin
    from somnus_plugins.trust.ids import normalise_name

    target = Path(dir) if dir is not None else Path(normalise_name(name))
    created = write_plugin(target.expanduser(), name, type, publisher=publisher, minimal=minimal)
    record = {"name": created.name, "directory": str(created.directory), "files": [str(each) for each in created.files]}
    scene.answer(record, lambda console: _show(console, created))


def _show(console: Console, created: Created) -> None:
    from rich.text import Text

    console.print(Text.assemble(terminal.text(created.name, "bold"), " in ", terminal.text(created.directory)))
    for file in created.files:
        console.print(Text.assemble(("  + ", "green"), terminal.text(file)))
    console.print()
    for command, meaning in (("dev", "serve it, anew on every save"), ("check", "see what could be better")):
        words = terminal.text(f"somnus {command} {shlex.quote(str(created.directory))}", "bold")
        console.print(Text.assemble(("→ ", "cyan"), words, (f"  {meaning}", "dim")), soft_wrap=True)
