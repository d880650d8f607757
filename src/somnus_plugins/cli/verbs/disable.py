"""`disable`: serve a plugin no longer."""

from __future__ import annotations

from somnus_plugins.cli import portraits
from somnus_plugins.cli.options import PluginWord
from somnus_plugins.cli.scene import Scene

__all__ = ["run"]


def run(scene: Scene, plugin: PluginWord) -> None:
    """Serve a plugin no longer.

    Running calls may finish; then its process ends.
    """
    view = scene.ask(lambda host, _: host.disable(plugin), "disabling")
    scene.answer(view, lambda console: portraits.show_state(console, view))
