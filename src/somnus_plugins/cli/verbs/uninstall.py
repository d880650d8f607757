"""`uninstall`: take a plugin out."""

from __future__ import annotations

from somnus_plugins.cli import consent, terminal
from somnus_plugins.cli.options import PluginWord, YesOption
from somnus_plugins.cli.scene import Scene

__all__ = ["run"]


def run(scene: Scene, plugin: PluginWord, yes: YesOption = False) -> None:
    """Take a plugin out; its data stays.

    Its own directory stays too.
    """
    if not yes:
        import msgspec

        view = scene.ask(lambda host, _: host.info(plugin), "looking").plugin
        consent.require(scene, f"uninstall {view.id} {view.version}", {"plugin": msgspec.to_builtins(view)})
    last = scene.ask(lambda host, _: host.operate("uninstall", plugin=plugin), "uninstalling")
    scene.answer(last, lambda console: console.print(terminal.text(f"{last['id']} is uninstalled; its data stays")))
