"""Asking a person: at a real terminal, or not at all."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from somnus_plugins.cli import consent
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import ConsentRequired

ASK = """
from somnus_plugins.cli import consent
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import ConsentRequired
try:
    consent.require(Scene(), "install [red]a/b 1", {})
except ConsentRequired as error:
    print("REFUSED", error.message)
else:
    print("AGREED")
"""


def asked_at_a_terminal(answer: bytes) -> str:
    """What a person sees who answers with these keys."""
    inner, outer = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", ASK], stdin=outer, stdout=outer, stderr=outer) as process:
        os.close(outer)
        os.write(inner, answer)
        process.wait(timeout=20)
        seen = os.read(inner, 65536).decode()
    os.close(inner)
    return seen


@pytest.mark.parametrize("answer", [b"y\n", b"YES\n", b" yes \n"])
def test_a_person_who_says_yes_has_agreed(answer: bytes) -> None:
    seen = asked_at_a_terminal(answer)

    assert "install [red]a/b 1? [y/N]" in seen
    assert "AGREED" in seen


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"yep\n", b"\x04"], ids=["return", "no", "a slip", "end of file"])
def test_everything_else_is_no(answer: bytes) -> None:
    seen = asked_at_a_terminal(answer)

    assert "REFUSED nobody agreed; nothing was done" in seen
    assert "AGREED" not in seen


def test_without_a_terminal_nobody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConsentRequired) as caught:
        consent.require(Scene(), "install a/b 1", {"plan": {"id": "a/b"}})

    assert caught.value.exit_code == 3
    assert caught.value.data == {"plan": {"id": "a/b"}}
    assert "--yes" in caught.value.remedy
    assert capsys.readouterr().out == ""


def test_a_program_is_never_asked() -> None:
    assert consent.may_ask(Scene(json=True)) is False
    assert consent.may_ask(Scene()) is False
