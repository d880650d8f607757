"""The verbs together: their table, their parser, and one run of the command from words to exit status."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import typer.main

from somnus_plugins._version import __version__
from somnus_plugins.cli import failures
from somnus_plugins.cli.options import HelpOption, HomeOption, JsonOption, verb
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import SomnusError

__all__ = ["VERBS", "application", "run"]

VERBS: Final = {
    "create": "Write",
    "check": "Write",
    "dev": "Write",
    "serve": "Use",
    "list": "Use",
    "info": "Use",
    "call": "Use",
    "logs": "Use",
    "config": "Use",
    "install": "Change",
    "uninstall": "Change",
    "enable": "Change",
    "disable": "Change",
}
"""Every verb, and below which heading help shows it. Each is `run` in the module of its name below `verbs`."""

SUMMARY: Final = "Plugins by strangers: written, installed, called, and served from the command line."


def application() -> typer.Typer:
    """The parser of all verbs."""
    app = typer.Typer(
        name="somnus-plugins",
        help=SUMMARY,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_help_option=False,
    )
    app.callback()(_top)
    for name, panel in VERBS.items():
        module = importlib.import_module(f"somnus_plugins.cli.verbs.{name}")
        app.command(name, rich_help_panel=panel, add_help_option=False)(verb(module.run))
    return app


def _version(asked: bool) -> None:  # noqa: FBT001 - the parser gives it
    if asked:
        typer.echo(f"somnus-plugins {__version__}")
        raise typer.Exit


def _top(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
    help: HelpOption = False,
) -> None:
    context.obj = Scene(Path(home) if home else None, json)


class _AsTyped:
    """Leaves a word a word. Typer would ask pydantic, whose import alone takes longer than a whole `--help` may."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        return () if value is None and (param.multiple or param.nargs == -1) else value


def _parser() -> Any:
    """The application as a command whose parameters are words, lists of words and flags, as they were typed."""
    group: Any = typer.main.get_command(application())
    for command in (group, *group.commands.values()):
        for parameter in command.params:
            parameter.get_runtime_param = _AsTyped
    return group


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; every error of every verb ends here.

    Args:
        arguments: Words after the command's name; those of the process where None.

    Returns:
        The exit status.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words[: words.index("--") if "--" in words else None]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no locale makes an answer fail
    try:
        status = _parser().main(args=words, standalone_mode=False)
    except SomnusError as error:
        return failures.report(error, as_json=as_json)
    except typer.TyperException as error:
        return failures.report_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return failures.INTERRUPTED
    except OSError as error:
        return failures.report_system(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets a sentence, and the traceback on request
        return failures.report_bug(error, as_json=as_json)
    return status if isinstance(status, int) else 0
