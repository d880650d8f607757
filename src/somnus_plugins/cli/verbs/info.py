"""`info`: everything about one plugin."""

from __future__ import annotations

from somnus_plugins.cli import portraits
from somnus_plugins.cli.options import PluginWord
from somnus_plugins.cli.scene import Scene

__all__ = ["run"]


def run(scene: Scene, plugin: PluginWord) -> None:
    """Show everything about one plugin."""
    import msgspec

    detail = scene.ask(lambda host, _: host.info(plugin), "looking")
    config = portraits.masked(detail.contributions.get("config_schema"), detail.config)
    shown = msgspec.structs.replace(detail, config=config)
    scene.answer(shown, lambda console: portraits.show_detail(console, shown))
