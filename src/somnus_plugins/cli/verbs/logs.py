"""`logs`: what a plugin printed and logged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from somnus_plugins.cli import terminal
from somnus_plugins.cli.options import PluginWord, number
from somnus_plugins.cli.scene import Scene

if TYPE_CHECKING:
    from somnus_plugins.runtime.logs import LogLine

__all__ = ["run"]

LOOK_S: Final = 0.2
"""Seconds between two looks for new lines."""

CountOption = Annotated[str, typer.Option("--lines", "-n", metavar="N", help="How many of the newest lines.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines as they come, until Ctrl-C.")]


def run(scene: Scene, plugin: PluginWord, lines: CountOption = "50", follow: FollowOption = False) -> None:
    """Show what a plugin printed and logged.

    Beside its own lines stand the notes of the host about it.
    """
    from somnus_plugins.cli import journal
    from somnus_plugins.host.home import Home

    count = int(number(lines, "--lines", "a whole number from 0", above=-1, whole=True))
    scene.require_home()
    file = journal.log_file(Home(scene.root), plugin)
    if not follow:
        found = journal.newest(file, count)
        scene.answer(found, lambda console: _show(scene, found))
        return
    tail = journal.Tail(file)
    for line in tail.first(count):
        _write(scene, line)
    while True:
        for line in tail.lines():
            _write(scene, line)
        time.sleep(LOOK_S)


def _show(scene: Scene, found: list[LogLine]) -> None:
    if not found:
        scene.err.print("It has written nothing.", style="dim")
    for line in found:
        _write(scene, line)


def _write(scene: Scene, line: LogLine) -> None:
    from somnus_plugins.cli import journal

    if scene.json:
        terminal.write_text(terminal.json_text(line))
    else:
        scene.out.print(journal.shown(line), soft_wrap=True)
