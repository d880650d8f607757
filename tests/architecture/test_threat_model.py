"""The threat model promises nothing without a test: each row names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

PAGE = ROOT / "docs" / "threat-model.md"
TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")


def promises(markdown: str) -> list[list[str]]:
    """The rows of all tables threat → mechanism → test."""
    tables = [each.partition("\n\n")[0] for each in markdown.split("| threat | mechanism | test |")[1:]]
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def unproven(row: list[str], root: Path) -> str:
    """Why a row does not hold, or an empty text."""
    if len(row) != 3 or not all(row):
        return f"a row has threat, mechanism and test: {row}"
    named = list(TEST.finditer(row[2]))
    if not named:
        return f"{row[0]}: names no test"
    missing = [match[0] for match in named if match["name"] not in functions_in(root / match["file"])]
    return f"{row[0]}: there is no {', '.join(missing)}" if missing else ""


def functions_in(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_of_the_threat_model_has_a_test_that_exists() -> None:
    rows = promises(PAGE.read_text(encoding="utf-8"))

    assert len(rows) >= 50
    assert len({row[0] for row in rows}) == len(rows)
    assert [fault for row in rows if (fault := unproven(row, ROOT))] == []


def test_every_claim_of_the_security_page_has_its_promises() -> None:
    """The page is the short form: each of its points leads to the headings below which the promises stand."""
    model = PAGE.read_text(encoding="utf-8")
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", model, re.MULTILINE)
    claims = re.findall(r"^- \*\*(.+?)\*\*", page, re.MULTILINE)

    assert claims == headings
    assert all(len(promises(part)) >= 3 for part in model.split("\n### ")[1:])


def test_every_hostile_plugin_is_named_by_a_test() -> None:
    """A plugin that shows an attack and is used by no test proves nothing."""
    users = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "tests" / "integration").rglob("test_*.py"))
    plugins = sorted((ROOT / "tests" / "adversarial" / "plugins").glob("*.py"))

    assert len(plugins) > 20
    assert [each.stem for each in plugins if each.stem != "__init__" and f'"{each.stem}"' not in users] == []


def test_the_threat_model_says_how_far_confinement_goes() -> None:
    assert "level is `none`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("| garbage | strikes | `tests/test_a.py::test_here` |", ""),
        ("| garbage | strikes | `tests/test_a.py::test_gone` |", "garbage: there is no `tests/test_a.py::test_gone`"),
        ("| garbage | strikes | `tests/no.py::test_here` |", "garbage: there is no `tests/no.py::test_here`"),
        ("| garbage | strikes | by hand |", "garbage: names no test"),
        ("| garbage | | `tests/test_a.py::test_here` |", "a row has threat, mechanism and test"),
    ],
)
def test_a_promise_without_proof_is_found(tmp_path: Path, row: str, fault: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("async def test_here() -> None: ...\n", encoding="utf-8")
    page = f"text\n\n| threat | mechanism | test |\n| --- | --- | --- |\n{row}\n\nmore text | with a bar\n"

    (found,) = promises(page)
    assert promises(page + page) == [found, found]
    assert unproven(found, tmp_path).startswith(fault)
    assert bool(unproven(found, tmp_path)) is bool(fault)
