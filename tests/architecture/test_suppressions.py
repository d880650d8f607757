"""What is switched off for a line names the rule and gives the reason."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.architecture.source_tree import ROOT, Comment, product, scripts, suite

MARKS = re.compile(r"\b(type:\s*ignore|noqa|nosec|pragma:\s*no|pyright:|mypy:|ruff:|fmt:\s*(off|skip))")
NAMED = re.compile(
    r"(type:\s*ignore\[[\w, -]+\]|(ruff:\s*)?noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|nosec\s+B\d+"
    r"|pragma:\s*no cover|fmt:\s*(off|skip))(?P<reason>.*)"
)


def unexplained(comment: Comment) -> bool:
    """Whether a suppression lacks its rule, or a reason of two words behind it or in the comment above it."""
    if not MARKS.match(comment.text):
        return False
    named = NAMED.match(comment.text)
    reasons = [named["reason"], comment.above] if named else []
    return not any(len(re.findall(r"\w+", each)) >= 2 for each in reasons if not MARKS.match(each))


def test_every_suppression_names_its_rule_and_its_reason() -> None:
    comments = [each for module in [*product(), *suite(), *scripts()] for each in module.comments]

    assert len(comments) > 20
    assert [f"{each.where} # {each.text}" for each in comments if unexplained(each)] == []


@pytest.mark.parametrize(
    "text",
    [
        "type: ignore",
        "type: ignore[arg-type]",
        "type: ignore  # each group is a dataclass",
        "noqa",
        "noqa: BLE001",
        "noqa: BLE001 said",
        "nosec  # because it is fine here",
        "pragma: no cover",
        "ruff: noqa",
        "ruff: noqa: E501",
        "mypy: ignore-errors for reasons of our own",
    ],
)
def test_a_suppression_without_rule_or_reason_is_found(text: str) -> None:
    assert unexplained(Comment("here:1", text, above=""))
    assert unexplained(Comment("here:1", text, above="noqa: S101 for some other line"))


@pytest.mark.parametrize(
    ("text", "above"),
    [
        ("type: ignore[arg-type]  # each group is a dataclass", ""),
        ("noqa: BLE001, S110 - the author's code may raise anything", ""),
        ("ruff: noqa: RUF009 - all defaults of this file are frozen", ""),
        ("noqa: S603", "the program is our own interpreter"),
        ("a note about noqa and type: ignore in passing", ""),
    ],
)
def test_a_suppression_with_rule_and_reason_passes(text: str, above: str) -> None:
    assert not unexplained(Comment("here:1", text, above))
    assert not unexplained(Comment("here:1", "an ordinary remark", above=text))


def test_rules_switched_off_for_all_are_few() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]

    assert len(lint["ignore"]) <= 6
    assert not {"E", "F", "B", "BLE", "S"} & set(lint["ignore"])
