"""Where a verb stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import UnknownPlugin


def test_the_nearest_home_upward_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOMNUS_HOME", raising=False)
    (tmp_path / ".somnus").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")

    assert Scene().root == tmp_path / ".somnus"
    assert Scene(Path("other")).root == tmp_path / "a" / "b" / "other"


def test_to_look_for_a_home_does_not_make_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "none")

    with pytest.raises(UnknownPlugin, match="there is no home"):
        scene.ask(lambda host, _: host.plugins(), "looking")

    assert not scene.root.exists()


def test_an_answer_is_a_document_for_programs_and_lines_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Scene(tmp_path, json=True).answer({"a": 1}, lambda console: console.print("never"))
    Scene(tmp_path).answer({"a": 1}, lambda console: console.print("for people"))

    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"a": 1}
    assert second == "for people"


def test_consoles_go_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene()
    scene.out.print("[b]out")
    scene.err.print("[b]err")

    written = capsys.readouterr()
    assert (written.out, written.err) == ("[b]out\n", "[b]err\n")
