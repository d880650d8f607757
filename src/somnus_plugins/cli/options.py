"""What verbs share of their command line: words, options, and the step from them to a scene."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec

import typer

from somnus_plugins.cli import completion
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import UsageError

__all__ = [
    "BindOption",
    "HelpOption",
    "HomeOption",
    "JsonOption",
    "PluginWord",
    "PortOption",
    "ToolWord",
    "YesOption",
    "number",
    "verb",
]

P = ParamSpec("P")

EVERYWHERE: Final = "Everywhere"


def _help(context: typer.Context, asked: bool) -> None:  # noqa: FBT001 - the parser gives it
    if asked and not context.resilient_parsing:
        if text := context.get_help():  # with rich it is written already
            typer.echo(text)
        raise typer.Exit


HelpOption = Annotated[
    bool,
    typer.Option("--help", "-h", help="Show this.", callback=_help, is_eager=True, rich_help_panel=EVERYWHERE),
]
HomeOption = Annotated[
    str | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="The home; by default $SOMNUS_HOME, else the nearest .somnus upward.",
        rich_help_panel=EVERYWHERE,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.", rich_help_panel=EVERYWHERE)]
PluginWord = Annotated[
    str,
    typer.Argument(metavar="ID", help="A plugin's id, mount or name.", autocompletion=completion.plugins),
]
ToolWord = Annotated[
    str, typer.Argument(metavar="TOOL", help="The name of one of its tools.", autocompletion=completion.tools)
]
BindOption = Annotated[
    str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on; by default this machine only.")
]
PortOption = Annotated[
    str | None, typer.Option("--port", metavar="PORT", help="Port to listen on; 0 takes a free one.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Agree without being asked.")]


def number(text: str, name: str, allowed: str, *, above: float, whole: bool = False) -> float:
    """The number that a word means.

    Args:
        text: The word.
        name: The option it was given to.
        allowed: What may stand there, in words.
        above: It must be more than this.
        whole: It must have no fraction.

    Raises:
        UsageError: It means none that is allowed.
    """
    try:
        found = float(int(text) if whole else float(text))
    except (ValueError, OverflowError):
        found = above
    if not above < found < float("inf"):
        raise UsageError(f"{name}: found {text!r}; allowed is {allowed}")
    return found


def verb(function: Callable[Concatenate[Scene, P], None]) -> Callable[..., None]:
    """Give a verb the options that all verbs have; it takes them as its first argument, a `Scene`."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        inspect.Parameter("home", keyword, annotation=HomeOption, default=None),
        inspect.Parameter("json", keyword, annotation=JsonOption, default=False),
        inspect.Parameter("help", keyword, annotation=HelpOption, default=False),
    ]
    parameters = [*(each.replace(kind=keyword) for each in own), *shared]

    @functools.wraps(function)
    def run(*, context: typer.Context, home: str | None, json: bool, help: bool, **given: Any) -> None:
        before = context.obj if isinstance(context.obj, Scene) else Scene()
        function(Scene(Path(home) if home else before.home, json or before.json), **given)  # type: ignore[call-arg]  # the parser fits them to the signature

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect and Typer read
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
