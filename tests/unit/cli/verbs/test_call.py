"""`call`: what is wrong with its words before any host is asked."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


def test_arguments_come_in_one_way_only(somnus: Somnus) -> None:
    ended = somnus("call", "notes", "search", "query=x", "--input", "{}", "--json")

    assert ended.status == 2
    assert ended.error["message"] == "arguments come as KEY=VALUE or with --input, not both"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "--input is not JSON"),
        ("", "--input is not JSON"),
        ("[1]", "found a JSON list; allowed is an object"),
        ("3", "found a JSON int; allowed is an object"),
        ("[" * 5000, "--input is not JSON"),
    ],
    ids=["broken", "empty", "a list", "a number", "deep"],
)
def test_input_that_is_no_json_object_is_refused(somnus: Somnus, document: str, said: str) -> None:
    ended = somnus("call", "notes", "search", "--input", document, "--json")

    assert ended.status == 2
    assert ended.error["code"] == "invalid_input"
    assert said in ended.error["message"]


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan"])
def test_a_timeout_is_a_number_of_seconds(somnus: Somnus, seconds: str) -> None:
    ended = somnus("call", "notes", "search", f"--timeout={seconds}", "--json")

    assert ended.status == 2
    assert "allowed is seconds, more than 0" in ended.error["message"]


def test_without_a_home_there_is_no_plugin(somnus: Somnus, tmp_path: Path) -> None:
    ended = somnus("call", "notes", "search", "query=x", "--json")

    assert (ended.status, ended.error["code"]) == (2, "unknown_plugin")
    assert not (tmp_path / ".somnus").exists()


def test_a_dash_reads_the_arguments_from_standard_input(somnus: Somnus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[1]")))

    ended = somnus("call", "notes", "search", "-", "--json")
    both = somnus("call", "notes", "search", "-", "--input", "{}", "--json")

    assert ended.error["message"].startswith("standard input: found a JSON list")
    assert both.error["message"] == "arguments come as KEY=VALUE or with --input, not both"
