"""`config`: a plugin's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from somnus_plugins.cli import completion, portraits
from somnus_plugins.cli.options import PluginWord
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from somnus_plugins.cli.activity import Activity
    from somnus_plugins.host.plugin_host import PluginHost
    from somnus_plugins.host.views import PluginView

__all__ = ["run"]

PairWords = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Settings to set.", autocompletion=completion.settings),
]
UnsetOption = Annotated[
    list[str] | None, typer.Option("--unset", metavar="KEY", help="A setting to take back to its default.")
]


def run(scene: Scene, plugin: PluginWord, pairs: PairWords = None, unset: UnsetOption = None) -> None:
    """Show or set the settings of a plugin.

    It starts anew with what was set.
    """
    texts, removed = _texts(pairs or []), unset or []
    if both := sorted(texts.keys() & set(removed)):
        raise UsageError(f"{', '.join(both)}: found a value and --unset; allowed is one of them")

    async def question(host: PluginHost, _: Activity) -> tuple[PluginView, dict[str, Any]]:
        if texts or removed:
            await host.operate("configure", plugin=plugin, texts=texts, remove=removed)
        found = await host.operate("config", plugin=plugin)
        return (await host.info(plugin)).plugin, found

    view, found = scene.ask(question, "setting" if texts or removed else "looking")
    values = portraits.masked(found["schema"], found["values"])
    record = {"plugin": view.id, "state": view.state, **found, "values": values}
    scene.answer(record, lambda console: _show(console, view, found["schema"], values))


def _texts(pairs: list[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"{pair!r}: allowed is KEY=VALUE", remedy="Put a '=' between a setting and its value.")
        if key in texts:
            raise UsageError(f"{key}: found two values; allowed is one")
        texts[key] = value
    return texts


def _show(console: Console, view: PluginView, schema: dict[str, Any], values: dict[str, Any]) -> None:
    portraits.show_state(console, view)
    if not schema.get("properties"):
        console.print("It has no settings.")
        return
    portraits.show_settings(console, schema, values)
