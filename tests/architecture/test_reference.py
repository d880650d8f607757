"""The reference pages: written from the code, complete, and the same as what the code would write now."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from pathlib import Path

from docs import generate

from somnus_plugins import errors
from somnus_plugins.settings import Settings
from tests.architecture.source_tree import ROOT, product

REFERENCE = ROOT / "docs" / "reference"


def cells(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page by their first cell."""
    lines = (REFERENCE / page).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    return {row[0]: row for row in rows}


def test_every_generated_page_is_what_the_code_would_write_now() -> None:
    assert len(generate.PAGES) >= 2
    assert generate.outdated() == [], "run `make docs`"


def test_a_page_that_was_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    pages = {name: page() for name, page in generate.PAGES.items()}
    first, *rest = pages
    for name in rest:
        (tmp_path / name).write_text(pages[name].rstrip() + "\n", encoding="utf-8")
    (tmp_path / first).write_text(pages[first] + "a word more\n", encoding="utf-8")

    assert generate.outdated(tmp_path) == [tmp_path / first]
    generate.write(tmp_path)
    assert generate.outdated(tmp_path) == []


def test_every_setting_stands_in_the_manual_with_its_default_and_its_reason() -> None:
    rows = cells("settings.md")
    hints = typing.get_type_hints(Settings)
    names = {
        f"{g.name}.{each.name}" for g in dataclasses.fields(Settings) for each in dataclasses.fields(hints[g.name])
    }

    assert set(rows) == names
    assert [name for name, row in rows.items() if len(row) != 5 or not row[1] or len(row[4].split()) < 3] == []
    assert [name for name, row in rows.items() if row[3] != f"SOMNUS_{name.upper().replace('.', '__')}"] == []


def test_every_error_stands_in_the_manual_with_its_exit_status_and_its_http_status() -> None:
    rows = cells("errors.md")
    expected = {
        each.code: [each.__name__, each.__bases__[0].__name__, str(each.exit_code), str(each.http_status)]
        for each in errors.error_classes()
        if each.__module__ == errors.__name__
    }

    assert {code: row[1:5] for code, row in rows.items()} == expected
    assert all(row[5].endswith(".") for row in rows.values())


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    lines = [line for line in inspect.cleandoc(errors.__doc__ or "").splitlines() if re.match(r" {4}[│├└S ]", line)]
    above: dict[int, str] = {-1: "Exception"}
    drawn = []
    for line in lines:
        branch, name, code = re.match(r" {4}([│├└─ ]*)(\w+) +(\w+)", line).groups()  # type: ignore[union-attr]  # a line that does not match is a failure
        depth = len(branch) // 4
        above[depth] = name
        drawn.append((name, above[depth - 1], code))

    assert len(drawn) > 30
    assert drawn == [(each.__name__, each.__bases__[0].__name__, each.code) for each in generate.product_errors()]


def test_every_error_of_the_product_stands_in_the_one_tree() -> None:
    tree = {each.__name__ for each in generate.product_errors()}
    elsewhere = [
        f"{each.where} {each.name}"
        for module in product()
        if module.name != errors.__name__
        for each in module.classes
        if not each.name.startswith("_") and set(each.bases) & (tree | {"Exception", "BaseException"})
    ]

    assert elsewhere == []
