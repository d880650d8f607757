"""The one way out for errors."""

from __future__ import annotations

import json

import pytest
import typer

from somnus_plugins.cli import failures
from somnus_plugins.errors import (
    ConsentRequired,
    InvalidManifest,
    NotReady,
    PermissionDenied,
    SomnusError,
    UsageError,
    error_classes,
)

PROBLEMS = [
    {"file": "pyproject.toml", "key": "tool.somnus.type", "found": '"x"', "allowed": "a or b"},
    {"file": "pyproject.toml", "key": "project.version", "found": "nothing", "allowed": "a version", "hint": "add it"},
]


@pytest.mark.parametrize("kind", [each for each in error_classes() if each.__module__ == SomnusError.__module__])
def test_every_error_ends_with_its_own_exit_status(kind: type[SomnusError], capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(kind("it went wrong", remedy="Mend it."), as_json=True) == kind.exit_code
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["message"], error["remedy"]) == (kind.code, "it went wrong", "Mend it.")


def test_a_person_reads_message_and_remedy_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    status = failures.report(NotReady("notes is off", remedy="Turn it on."), as_json=False)

    written = capsys.readouterr()
    assert status == 1
    assert written.err == "error notes is off\n→ Turn it on.\n"
    assert written.out == ""


def test_problems_of_a_manifest_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    error = InvalidManifest("pyproject.toml has 2 problems:\n  - one\n  - two", data={"problems": PROBLEMS})

    assert failures.report(error, as_json=False) == 2

    assert capsys.readouterr().err.splitlines() == [
        "error pyproject.toml has 2 problems:",
        '  pyproject.toml:tool.somnus.type: found "x"; allowed: a or b',
        "  pyproject.toml:project.version: found nothing; allowed: a version (add it)",
    ]


@pytest.mark.parametrize("problems", [None, 3, ["x"], [{}], [{"file": 3}, None]])
def test_problems_of_any_shape_are_survived(problems: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(UsageError("odd", data={"problems": problems}), as_json=False) == 2
    assert capsys.readouterr().err.startswith("error odd\n")


def test_words_of_a_plugin_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    failures.report(NotReady("\x1b[2Jgone [red]x", remedy="\x9b"), as_json=False)

    written = capsys.readouterr().err
    assert written == "error \\x1b[2Jgone [red]x\n→ \\x9b\n"


def test_a_missing_consent_gives_its_plan_to_whoever_has_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status = failures.report(ConsentRequired("agree", data={"plan": {"id": "a/b"}}), as_json=False)

    written = capsys.readouterr()
    assert status == 3
    assert json.loads(written.out)["error"]["data"] == {"plan": {"id": "a/b"}}
    assert written.err == "error agree\n"


def test_a_refusal_ends_with_three(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(PermissionDenied("no"), as_json=True) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "permission_denied"


def test_the_system_s_refusal_names_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    status = failures.report_system(PermissionError(13, "Permission denied", "/x"), as_json=True)

    assert status == 1
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "Permission denied: /x"


def test_a_bug_is_called_a_bug_and_shows_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    status = failures.report_bug(ZeroDivisionError("division by zero"), as_json=False)

    written = capsys.readouterr().err
    assert status == 1
    assert written.startswith("error ZeroDivisionError: division by zero\n→ This is a bug in somnus-plugins.")
    assert "Traceback" not in written


def test_the_traceback_comes_on_request(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMNUS_DEBUG", "1")

    failures.report_bug(ZeroDivisionError("division by zero"), as_json=True)

    written = capsys.readouterr()
    assert "ZeroDivisionError: division by zero" in written.err
    assert json.loads(written.out)["error"]["data"] == {"class": "ZeroDivisionError"}


def test_a_usage_error_points_to_the_help_of_its_verb(capsys: pytest.CaptureFixture[str]) -> None:
    status = failures.report_usage(typer.BadParameter("not a number"), as_json=True)

    error = json.loads(capsys.readouterr().out)["error"]
    assert status == 2
    assert error["message"] == "Invalid value: not a number"
    assert error["remedy"].startswith("`somnus-plugins --help`")
