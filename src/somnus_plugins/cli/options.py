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

__all__ = ["HomeOption", "JsonOption", "PluginWord", "ToolWord", "YesOption", "verb"]

P = ParamSpec("P")

EVERYWHERE: Final = "Everywhere"

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        file_okay=False,
        help="The home; by default $SOMNUS_HOME, else the nearest .somnus upward.",
        rich_help_panel=EVERYWHERE,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Answer with one JSON document.", rich_help_panel=EVERYWHERE)
]
PluginWord = Annotated[
    str,
    typer.Argument(metavar="ID", help="A plugin's id, mount or name.", autocompletion=completion.plugins),
]
ToolWord = Annotated[
    str, typer.Argument(metavar="TOOL", help="The name of one of its tools.", autocompletion=completion.tools)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Agree without being asked.")]


def verb(function: Callable[Concatenate[Scene, P], None]) -> Callable[..., None]:
    """Give a verb the options that all verbs have; it takes them as its first argument, a `Scene`."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("context", keyword, annotation=typer.Context),
        inspect.Parameter("home", keyword, annotation=HomeOption, default=None),
        inspect.Parameter("json", keyword, annotation=JsonOption, default=False),
    ]
    parameters = [*(each.replace(kind=keyword) for each in own), *shared]

    @functools.wraps(function)
    def run(*, context: typer.Context, home: Path | None, json: bool, **given: Any) -> None:
        before = context.obj if isinstance(context.obj, Scene) else Scene()
        function(Scene(home or before.home, json or before.json), **given)  # type: ignore[call-arg]  # the parser fits them to the signature

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect and Typer read
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
