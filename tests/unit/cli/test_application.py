"""The command from its words to its exit status, as far as no host is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from somnus_plugins import __version__
from somnus_plugins.cli.application import VERBS
from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]
HEAVY = {"asyncio", "fastapi", "msgspec", "pydantic", "sqlalchemy", "uvicorn", "uvloop"}


def modules_after(*words: str) -> set[str]:
    """Top names of the modules that a run has loaded."""
    code = f"""
import sys
from somnus_plugins.cli import main
main({list(words)!r})
print(*sorted(name.partition(".")[0] for name in sys.modules), file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    return set(ran.stderr.split())


def test_the_version_is_said_by_option(somnus: Somnus) -> None:
    ended = somnus("--version")

    assert ended.status == 0
    assert ended.out == f"somnus-plugins {__version__}\n"


def test_without_words_help_is_shown_and_the_status_is_usage(somnus: Somnus) -> None:
    ended = somnus()

    assert ended.status == 2
    assert [verb for verb in VERBS if f" {verb} " not in ended.out] == []
    assert ended.err == ""


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_what_it_does_and_takes_home_and_json(somnus: Somnus, verb: str) -> None:
    ended = somnus(verb, "--help")

    assert ended.status == 0
    assert "--home" in ended.out
    assert "--json" in ended.out
    assert len([line for line in ended.out.splitlines() if line.strip()][1].split()) >= 3


def test_help_loads_nothing_heavy() -> None:
    assert modules_after("list", "--help") & HEAVY == set()
    assert modules_after("--version") & HEAVY == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sing"], "No such command 'sing'"),
        (["list", "--loud"], "No such option: --loud"),
        (["call", "notes"], "Missing argument 'TOOL'"),
        (["list", "--home"], "'--home' requires an argument"),
        (["disable", "a", "b"], "unexpected extra argument"),
    ],
    ids=["verb", "option", "argument", "value", "too many"],
)
def test_words_that_mean_nothing_are_a_usage_error_for_people_and_programs(
    somnus: Somnus, words: list[str], said: str
) -> None:
    person, program = somnus(*words), somnus("--json", *words)

    assert (person.status, program.status) == (2, 2)
    assert said in person.err
    assert person.out == ""
    assert said in program.error["message"]
    assert program.error["code"] == "usage"
    assert "--help" in program.error["remedy"]
    assert program.err == ""


def test_json_and_home_may_stand_before_or_after_the_verb(somnus: Somnus, tmp_path: Path) -> None:
    before = somnus("--json", "--home", str(tmp_path / "none"), "info", "notes")
    after = somnus("info", "notes", "--home", str(tmp_path / "none"), "--json")

    assert before == after
    assert after.status == 2
    assert str(tmp_path / "none") in after.error["message"]


def test_the_home_after_the_verb_wins_over_the_one_before(somnus: Somnus, tmp_path: Path) -> None:
    ended = somnus("--home", str(tmp_path / "first"), "info", "notes", "--home", str(tmp_path / "second"), "--json")

    assert str(tmp_path / "second") in ended.error["message"]
    assert str(tmp_path / "first") not in ended.error["message"]


def test_a_word_after_two_dashes_is_no_option(somnus: Somnus) -> None:
    ended = somnus("call", "--", "notes", "search", "--json")

    assert ended.status == 2
    assert ended.out == ""
    assert "there is no home" in ended.err


def test_the_home_of_the_environment_is_used(somnus: Somnus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMNUS_HOME", str(tmp_path / "elsewhere"))

    assert str(tmp_path / "elsewhere") in somnus("info", "notes").err
    assert str(tmp_path / "elsewhere") in somnus("list").out


def test_a_setting_that_is_wrong_is_told_with_its_place(
    somnus: Somnus, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMNUS_RUNTIME__POOL_SIZE", "many")

    ended = somnus("list", "--home", str(home), "--json")

    assert ended.status == 2
    assert ended.error["code"] == "invalid_setting"
    assert "SOMNUS_RUNTIME__POOL_SIZE" in ended.error["message"]


def test_what_the_system_refuses_is_an_error_and_no_bug(somnus: Somnus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ended = somnus("install", str(tmp_path), "--home", str(tmp_path / "file" / "home"), "--json")

    assert ended.status == 1
    assert ended.error["code"] == "failed"
    assert "Not a directory" in ended.error["message"]
    assert "bug" not in ended.error["remedy"]


def test_an_interruption_ends_with_130_and_without_a_traceback(home: Path) -> None:
    file = home / "logs" / "somnus" / "notes.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"time_s": 1.0, "plugin": "somnus/notes", "generation": 1, "stream": "log", "message": "one"}\n')
    words = [sys.executable, "-m", "somnus_plugins", "logs", "n", "--follow", "--json", "--home", str(home)]

    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(2)
        _, err = process.communicate(timeout=20)

    assert '"message":"one"' in first
    assert process.returncode == 130
    assert err == ""


def test_it_is_a_command_of_the_environment_and_a_module() -> None:
    commands = [
        [sys.executable, "-m", "somnus_plugins"],
        *([str(Path(sys.executable).with_name(name))] for name in ("somnus", "somnus-plugins")),
    ]

    answers = [
        subprocess.run([*each, "--version"], capture_output=True, text=True, timeout=30, check=True, env=os.environ)
        for each in commands
    ]

    assert len({each.stdout for each in answers}) == 1
    assert answers[0].stdout.startswith("somnus-plugins ")
