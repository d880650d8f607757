"""`logs`, which needs no host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


@pytest.fixture
def written(home: Path) -> Path:
    """The home, with three lines of its plugin's log."""
    lines = [
        {"time_s": 1.0 + number, "plugin": "somnus/notes", "generation": 1, "stream": "stdout", "message": text}
        for number, text in enumerate(["one", "two\x1b[2J", "three"])
    ]
    file = home / "logs" / "somnus" / "notes.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return home


def test_the_newest_lines_are_one_document_for_programs(somnus: Somnus, written: Path) -> None:
    ended = somnus("logs", "n", "-n", "2", "--home", str(written), "--json")

    assert ended.status == 0
    assert [each["message"] for each in ended.document] == ["two\x1b[2J", "three"]
    assert "\x1b" not in ended.out


def test_lines_for_people_cannot_steer_the_terminal(somnus: Somnus, written: Path) -> None:
    ended = somnus("logs", "notes", "--home", str(written))

    assert ended.status == 0
    assert [line.rpartition("stdout: ")[2] for line in ended.out.splitlines()] == ["one", "two\\x1b[2J", "three"]


def test_a_plugin_that_has_written_nothing_is_no_error(somnus: Somnus, home: Path) -> None:
    person, program = somnus("logs", "n", "--home", str(home)), somnus("logs", "n", "--home", str(home), "--json")

    assert (person.status, person.out) == (0, "")
    assert "It has written nothing." in person.err
    assert program.document == []


@pytest.mark.parametrize("count", ["-1", "x", "1.5"])
def test_the_number_of_lines_is_a_whole_one(somnus: Somnus, home: Path, count: str) -> None:
    ended = somnus("logs", "n", f"--lines={count}", "--home", str(home), "--json")

    assert ended.status == 2
    assert "allowed is a whole number from 0" in ended.error["message"]


def test_an_unknown_plugin_is_told_with_those_that_are_known(somnus: Somnus, home: Path) -> None:
    ended = somnus("logs", "other", "--home", str(home), "--json")

    assert (ended.status, ended.error["code"]) == (2, "unknown_plugin")
    assert "installed are: n" in ended.error["message"]
