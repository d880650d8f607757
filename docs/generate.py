"""Write the reference pages that can be made from the code; with `--check`, only say which are out of date.

A page is a function that returns Markdown, in the table `PAGES`. `make docs` runs this; a test compares the pages with
what it would write.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # run as a script, Python looks in this folder and not in the one above
    sys.path.insert(0, str(ROOT))

from docs.generator.interfaces import cli_page, http_page, operations_page, python_page  # noqa: E402 - see above
from docs.generator.limits import errors_page, product_errors, settings_page, states_page  # noqa: E402 - see above
from docs.generator.plugins import manifest_page, sdk_page, wire_page  # noqa: E402 - see above

__all__ = ["PAGES", "main", "outdated", "product_errors", "write"]

REFERENCE: Final = ROOT / "docs" / "reference"

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "http.md": http_page,
    "manifest.md": manifest_page,
    "operations.md": operations_page,
    "python.md": python_page,
    "sdk.md": sdk_page,
    "settings.md": settings_page,
    "states.md": states_page,
    "wire.md": wire_page,
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
