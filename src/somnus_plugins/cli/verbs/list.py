"""`list`: the plugins of a home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from somnus_plugins.cli import portraits, terminal
from somnus_plugins.cli.scene import Scene

if TYPE_CHECKING:
    from rich.console import Console

    from somnus_plugins.host.views import PluginView

__all__ = ["run"]


def run(scene: Scene) -> None:
    """List the plugins."""
    expected = scene.home is not None or scene.root.exists()
    found = scene.ask(lambda host, _: host.plugins(), "looking") if expected else []
    scene.answer(found, lambda console: _show(console, scene, found))


def _show(console: Console, scene: Scene, found: list[PluginView]) -> None:
    if not found:
        console.print(terminal.text(f"No plugins in {scene.root} yet.", "bold"), soft_wrap=True)
        console.print("`somnus create --name MyPlugin --type tool_integration` writes one,")
        console.print("`somnus install DIRECTORY` installs it.")
        return
    table = terminal.columns("plugin", "version", "state", "adds", "about", folded=4)
    for each in found:
        name = terminal.text(each.mount or each.id, "bold" if each.mount else "")
        about = terminal.text(each.reason, "yellow") if each.reason else terminal.text(each.description, "dim")
        adds = ", ".join(portraits.sizes(len(each.tools), each.routes)) or "–"
        table.add_row(name, terminal.text(each.version), terminal.state(each.word), adds, about)
    console.print(table)
    console.print()
    console.print(terminal.text(portraits.confinement(found[0].sandbox_level), "dim"))
