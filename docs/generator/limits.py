"""The pages of settings, errors and states."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from docs.generator.markdown import attribute_docs, code, flowed, page, summary, table

from somnus_plugins import errors, settings
from somnus_plugins.errors import SomnusError
from somnus_plugins.host.lifecycle import TRANSITIONS, State, Word

__all__ = ["errors_page", "product_errors", "settings_page", "states_page"]

# --- settings --------------------------------------------------------------------------------------------------------


def setting_groups() -> Iterator[tuple[str, type]]:
    """Each group's name and class, in the order of `Settings`."""
    hints = typing.get_type_hints(settings.Settings)
    yield from ((each.name, hints[each.name]) for each in dataclasses.fields(settings.Settings))


def settings_page() -> str:
    """Every setting with default, range, environment variable, meaning and reason."""
    head = ["setting", "default", "allowed", "environment", "meaning"]
    sections = [
        f"## `[{group}]`\n\n{flowed(owner.__doc__)}\n\n{table(head, _setting_rows(group, owner))}"
        for group, owner in setting_groups()
    ]
    return page("Settings", inspect.cleandoc(settings.__doc__ or ""), SETTINGS_EXAMPLE, *sections)


SETTINGS_EXAMPLE: Final = """\
```toml
# .somnus/config.toml
[runtime]
pool_size = 4

[web]
allowed_hosts = ["localhost", "plugins.example.org"]
```

In the environment a list is written with commas: `SOMNUS_WEB__ALLOWED_HOSTS=localhost,plugins.example.org`. Sizes are
written as a number of bytes wherever the name ends in `_bytes`; the tables show them by their unit."""


def _setting_rows(group: str, owner: type) -> Iterator[Sequence[str]]:
    docs = attribute_docs(owner)
    for each in dataclasses.fields(owner):
        shown: Callable[[Any], str] = _bytes if each.name.endswith("_bytes") else _plain
        low, high = each.metadata.get("low"), each.metadata.get("high")
        allowed = _kind(each.default) if low is None else f"{shown(low)} to {shown(high)}"
        variable = f"`{settings.ENVIRONMENT_PREFIX}{group}__{each.name}`".upper()
        yield f"`{group}.{each.name}`", shown(each.default), allowed, variable, docs[each.name]


def _plain(value: Any) -> str:
    match value:
        case bool() | str():
            return f"`{str(value).lower()}`"
        case tuple():
            return ", ".join(map(_plain, value)) or "none"
        case int() if value >= 100_000:
            return f"{value:_}".replace("_", " ")
        case _:
            return f"{value:g}"


def _bytes(value: int) -> str:
    unit, size = next((each for each in UNITS if value % each[1] == 0), ("bytes", 1))
    return f"{value // size} {unit}"


UNITS: Final = (("GiB", 1024 * settings.MIB), ("MiB", settings.MIB), ("KiB", settings.KIB))


def _kind(default: Any) -> str:
    if isinstance(default, tuple):
        return "list of numbers" if default and isinstance(default[0], float) else "list of texts"
    return "true, false" if isinstance(default, bool) else "text"


# --- errors ----------------------------------------------------------------------------------------------------------


def product_errors() -> list[type[SomnusError]]:
    """The classes of the tree in the order of `errors.py`: a test or an author may have derived more."""
    own = [each for each in errors.error_classes() if each.__module__ == errors.__name__]
    return sorted(own, key=lambda each: inspect.getsourcelines(each)[1])


def errors_page() -> str:
    """Every error with its code, exit status, HTTP status and meaning."""
    introduction, mark, tree = inspect.cleandoc(errors.__doc__ or "").partition("    SomnusError ")
    head = ["code", "class", "kind of", "exit", "HTTP", "meaning"]
    return page(
        "Errors",
        *(introduction.strip(), ERRORS_SHAPE),
        *("## The tree", f"```text\n{textwrap.dedent(mark + tree)}\n```"),
        *("## The codes", table(head, map(_error_row, product_errors()))),
    )


def _error_row(error: type[SomnusError]) -> Sequence[str]:
    kind, meaning = error.__bases__[0].__name__, summary(error.__doc__)
    return f"`{error.code}`", error.__name__, kind, str(error.exit_code), str(error.http_status), meaning


ERRORS_SHAPE: Final = """\
With `--json` the command line prints an error as one document, and ends with the exit status of the table:

```json
{"error": {"code": "unknown_plugin", "message": "…", "remedy": "…"}}
```

Over HTTP the same three, with the status of the table, are an `application/problem+json` document. Codes and
classes are kept between versions; the wording of messages is not."""

# --- states ----------------------------------------------------------------------------------------------------------


def states_page() -> str:
    """Every state with its word and the states that may follow."""
    docs = attribute_docs(State)
    rows = [
        (code(each.value), each.word.value, "yes" if each.held else "", docs.get(each.name) or STATE_MEANINGS[each])
        for each in State
    ]
    steps = [(code(each.value), ", ".join(code(to.value) for to in State if to in TRANSITIONS[each])) for each in State]
    words = ", ".join(f"*{each.value}*" for each in Word)
    return page(
        "States",
        STATES_INTRODUCTION.format(words=words),
        table(["state", "word", "held", "meaning"], rows),
        "## Steps",
        STATES_STEPS,
        table(["from", "may become"], steps),
    )


STATE_MEANINGS: Final = {
    State.STARTING: "A process is being made, or loads the plugin.",
    State.ACTIVE: "It serves.",
    State.NEEDS_SETUP: "A setting that it needs has no value, or a value does not fit; the reason names it.",
    State.CRASH_LOOP: "It crashed `runtime.crash_max` times within `runtime.crash_window_s`.",
    State.BLOCKED: "Policy forbids it to run; the reason says which: `contributions_changed`, not installed.",
    State.QUARANTINED: "A person has set it apart; its data is kept.",
    State.INCOMPATIBLE: "It is made for another plugin API, or another plugin that it needs is not there.",
    State.MIGRATION_ERROR: "Its state could not be brought to its new version.",
}
"""Of the states whose name says nearly all; a test asks for each state's meaning."""

STATES_INTRODUCTION: Final = """\
A state is what is observed. What a person wants is a field of its own, `desired` (`enabled` or `disabled`), and so are
`reason`, `generation`, `sandbox_level` and `trust`. People are shown one of five words: {words}. A *held* plugin stays
as it is until somebody does something; [the manual for operators](../operators.md#held-plugins) says what."""

STATES_STEPS: Final = """\
Each step that there is; any other is refused as `invalid_transition`. A held or stopped plugin begins again at
`discovered`, so that whatever held it is looked at again."""
