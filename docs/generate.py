"""Write the reference pages that can be made from the code; with `--check`, only say which are out of date.

A page is a function that returns Markdown, in the table `PAGES`. `make docs` runs this; a test compares the pages with
what it would write.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from somnus_plugins import errors, settings
from somnus_plugins.errors import SomnusError

REFERENCE: Final = Path(__file__).resolve().parent / "reference"
NOTICE: Final = "<!-- Written by docs/generate.py from the code: change the code, then run `make docs`. -->"


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """A Markdown table; bars inside a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def flowed(text: str | None) -> str:
    """A docstring as one line."""
    return " ".join(inspect.cleandoc(text or "").split())


# --- settings --------------------------------------------------------------------------------------------------------


def attribute_docs(owner: type) -> dict[str, str]:
    """The docstrings under the attributes of a class, which Python itself does not keep."""
    body = ast.parse(inspect.getsource(owner)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for attribute, text in zip(body.body, body.body[1:], strict=False):
        match attribute, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = flowed(words)
    return found


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
    return "\n\n".join(["# Settings", NOTICE, inspect.cleandoc(settings.__doc__ or ""), SETTINGS_EXAMPLE, *sections])


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
    return "\n\n".join(
        [
            *("# Errors", NOTICE, introduction.strip(), ERRORS_SHAPE),
            *("## The tree", f"```text\n{textwrap.dedent(mark + tree)}\n```"),
            *("## The codes", table(head, map(_error_row, product_errors()))),
        ]
    )


def _error_row(error: type[SomnusError]) -> Sequence[str]:
    kind, meaning = error.__bases__[0].__name__, flowed(error.__doc__).partition(" Args:")[0]
    return f"`{error.code}`", error.__name__, kind, str(error.exit_code), str(error.http_status), meaning


ERRORS_SHAPE: Final = """\
With `--json` the command line prints an error as one document, and ends with the exit status of the table:

```json
{"error": {"code": "unknown_plugin", "message": "…", "remedy": "…"}}
```

Over HTTP the same three, with the status of the table, are an `application/problem+json` document. Codes and
classes are kept between versions; the wording of messages is not."""


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
}


def outdated(folder: Path = REFERENCE) -> list[Path]:
    """The pages of a folder that differ from what would be written now."""
    pages = {folder / name: _finished(page) for name, page in PAGES.items()}
    return [path for path, text in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def write(folder: Path = REFERENCE) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(_finished(page), encoding="utf-8")


def _finished(page: Callable[[], str]) -> str:
    return page().rstrip() + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` fail where one is out of date."""
    if list(arguments) != ["--check"]:
        write()
        return 0
    stale = outdated()
    sys.stdout.writelines(f"out of date: {path.name}; run `make docs`\n" for path in stale)
    return int(bool(stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
