"""`call`: one call of one tool."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from somnus_plugins.cli import completion, terminal
from somnus_plugins.cli.options import PluginWord, ToolWord, number
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import InvalidInput, NotReady, UnknownPlugin, UnknownTool, UsageError

if TYPE_CHECKING:
    from somnus_plugins.cli.activity import Activity
    from somnus_plugins.host.plugin_host import PluginHost
    from somnus_plugins.host.views import PluginDetail

__all__ = ["run"]

EXAMPLE: Final = """Write for example '{"query": "sleep"}'."""

PairWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Its arguments; - reads them from standard input, as JSON.",
        autocompletion=completion.arguments,
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option("--input", metavar="JSON", help="All arguments as one JSON object; - reads standard input."),
]
TimeoutOption = Annotated[str | None, typer.Option("--timeout", metavar="SECONDS", help="Wait no longer.")]
UserOption = Annotated[str | None, typer.Option("--user", metavar="NAME", help="The person on whose behalf.")]


def run(
    scene: Scene,
    plugin: PluginWord,
    tool: ToolWord,
    pairs: PairWords = None,
    input: InputOption = None,
    timeout: TimeoutOption = None,
    user: UserOption = None,
) -> None:
    """Call a tool; its result as JSON.

    A stream gives its items as they come, with --json a line each. Works with and without a running `serve`.
    """
    if pairs == ["-"] and input is None:
        pairs, input = None, "-"
    if pairs and input is not None:
        raise UsageError("arguments come as KEY=VALUE or with --input, not both")
    timeout_s = None if timeout is None else number(timeout, "--timeout", "seconds, more than 0", above=0)
    given = None if input is None else _document(input)

    async def question(host: PluginHost, activity: Activity) -> None:
        detail = await host.info(plugin)
        announced = _announced(detail, tool)
        arguments = _read(announced, pairs or []) if given is None else given
        called = host.stream if announced.get("streams") else _single(host)
        items = called(detail.plugin.id, tool, arguments, timeout_s=timeout_s, user=user, progress=activity.advance)
        try:
            async for item in items:
                activity.pause()
                _write(scene, item, of_many=bool(announced.get("streams")))
                activity.resume()
        except UnknownPlugin as error:  # it is there, as `info` has said, and nobody serves it
            raise NotReady(
                f"{detail.plugin.id} is not served: it is {detail.plugin.word}",
                remedy=f"`somnus-plugins enable {detail.plugin.mount}` serves it.",
            ) from error

    scene.ask(question, f"{plugin} {tool}")


def _single(host: PluginHost) -> Callable[..., AsyncIterator[Any]]:
    """A call whose result is its only item."""

    async def called(*words: Any, **terms: Any) -> AsyncIterator[Any]:
        yield await host.call(*words, **terms)

    return called


def _document(text: str) -> dict[str, Any]:
    import msgspec

    place = "standard input" if text == "-" else "--input"
    content = sys.stdin.buffer.read() if text == "-" else text.encode("utf-8", "surrogateescape")
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{place} is not JSON: {error}", remedy=EXAMPLE) from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{place}: found a JSON {type(found).__name__}; allowed is an object with the arguments")
    return found


def _announced(detail: PluginDetail, tool: str) -> dict[str, Any]:
    for each in detail.contributions.get("tools", ()):
        if each["name"] == tool:
            return dict(each)
    known = ", ".join(detail.plugin.tools) or "none"
    raise UnknownTool(
        f"{detail.plugin.id} has no tool {tool!r}; its tools: {known}",
        remedy=f"`somnus-plugins info {detail.plugin.mount}` shows each with its arguments.",
    )


def _read(tool: dict[str, Any], pairs: list[str]) -> dict[str, Any]:
    from somnus_plugins.trust.config import convert_arguments

    return convert_arguments(tool.get("input_schema", {}), pairs)


def _write(scene: Scene, value: Any, *, of_many: bool = False) -> None:
    """Programs get one line a document. A person at a terminal reads text as text, and JSON in colour."""
    watched = sys.stdout.isatty() and not scene.json
    if watched and isinstance(value, str):
        terminal.write_text(terminal.safe(value))
    elif watched:
        terminal.write_text(terminal.coloured(terminal.json_text(value, indented=True)))
    else:
        terminal.write_text(terminal.json_text(value, indented=not of_many and sys.stdout.isatty()))
