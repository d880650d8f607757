"""The one way out for errors: what a person or a program is told, and the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import typer

from somnus_plugins.cli import terminal
from somnus_plugins.errors import SomnusError, UsageError

__all__ = ["INTERRUPTED", "report", "report_bug", "report_system", "report_usage"]

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the number of the signal, as shells count."""

DEBUG_VARIABLE: Final = "SOMNUS_DEBUG"
"""Environment variable that shows the traceback behind an error."""


def report(error: SomnusError, *, as_json: bool) -> int:
    """Tell an error of the tree; returns the exit status.

    A missing consent is told to programs in any case: whoever has no terminal gets the plan.
    """
    consent = error.code == "consent_required" and not sys.stdout.isatty()
    if as_json or consent:
        terminal.write_json({"error": error.to_record()})
    if not as_json:
        _tell(error.message, error.remedy, error.data.get("problems"))
    _trace(error)
    return error.exit_code


def report_usage(error: typer.TyperException, *, as_json: bool) -> int:
    """Tell that the command line itself cannot be understood; returns the exit status."""
    message = error.format_message()
    if not message:  # no words at all: help was shown instead
        return UsageError.exit_code
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "somnus-plugins"
    return report(UsageError(message, remedy=f"`{command} --help` shows what there is."), as_json=as_json)


def report_system(error: OSError, *, as_json: bool) -> int:
    """Tell what the operating system refused; returns the exit status."""
    place = f": {error.filename}" if error.filename else ""
    return report(SomnusError(f"{error.strerror or error}{place}"), as_json=as_json)


def report_bug(error: Exception, *, as_json: bool) -> int:
    """Tell an error that nobody has thought of; returns the exit status."""
    failure = SomnusError(
        f"{type(error).__name__}: {error}",
        remedy=f"This is a bug in somnus-plugins. Please report it; {DEBUG_VARIABLE}=1 shows where it happened.",
        data={"class": type(error).__name__},
    )
    failure.__cause__ = error
    return report(failure, as_json=as_json)


def _tell(message: str, remedy: str, problems: Any) -> None:
    from rich.text import Text

    console = terminal.console(errors=True)
    listed = list(_problem_lines(problems))
    said = message.splitlines()[0] if len(listed) > 1 and message else message
    console.print(Text.assemble(("error ", "bold red"), terminal.safe(said)), soft_wrap=True)
    if len(listed) > 1:
        for place, rest in listed:
            console.print(Text.assemble("  ", (place, "bold"), rest), soft_wrap=True)
    if remedy:
        console.print(Text.assemble(("→ ", "cyan"), terminal.safe(remedy)), soft_wrap=True)


def _problem_lines(problems: Any) -> Iterator[tuple[str, str]]:
    """Place, and what was found and is allowed there, of each problem that an error carries."""
    for each in problems if isinstance(problems, list | tuple) else ():
        if isinstance(each, dict):
            said = {key: terminal.one_line(value) for key, value in each.items()}
            place = ":".join(filter(None, (said.get("file"), said.get("key") or said.get("path"))))
            hint = f" ({said['hint']})" if said.get("hint") else ""
            yield f"{place}: ", f"found {said.get('found', '?')}; allowed: {said.get('allowed', '?')}{hint}"


def _trace(error: BaseException) -> None:
    if os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
        import traceback

        sys.stderr.write(terminal.safe("".join(traceback.format_exception(error))))
