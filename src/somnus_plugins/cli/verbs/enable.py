"""`enable`: serve a plugin."""

from __future__ import annotations

from somnus_plugins.cli import portraits
from somnus_plugins.cli.options import PluginWord
from somnus_plugins.cli.scene import Scene

__all__ = ["run"]


def run(scene: Scene, plugin: PluginWord) -> None:
    """Serve a plugin again.

    Also forgets its crashes.
    """
    view = scene.ask(lambda host, _: host.enable(plugin), "enabling")
    scene.answer(view, lambda console: portraits.show_state(console, view))
