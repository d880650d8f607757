"""What a shell offers: from files alone, and harmless to the shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins.cli import completion
from somnus_plugins.templates import KINDS
from somnus_plugins.trust.manifest import PluginType
from tests.unit.cli.conftest import write


class Typed:
    """The words that were typed so far, as the parser knows them."""

    def __init__(self, home: Path, **words: str) -> None:
        self.params = {"home": str(home), **words}
        self.parent = None


def offered(complete: Any, home: Path, incomplete: str = "", **words: str) -> list[str]:
    context: Any = Typed(home, **words)
    return [each if isinstance(each, str) else each[0] for each in complete(context, incomplete)]


def test_mounts_are_offered_and_ids_after_a_slash(home: Path) -> None:
    assert offered(completion.plugins, home) == ["n"]
    assert offered(completion.plugins, home, "somnus/") == ["somnus/notes"]


@pytest.mark.parametrize("named", ["n", "notes", "somnus/notes"])
def test_tools_of_the_named_plugin_are_offered_with_their_first_line(home: Path, named: str) -> None:
    context: Any = Typed(home, plugin=named)

    assert completion.tools(context, "") == [("search", "Find notes by meaning.")]
    assert offered(completion.tools, home, plugin="another") == []


def test_arguments_and_settings_are_offered_with_their_equals_sign(home: Path) -> None:
    assert offered(completion.arguments, home, plugin="n", tool="search") == ["query=", "limit="]
    assert offered(completion.arguments, home, plugin="n", tool="none") == []
    assert offered(completion.settings, home, plugin="n") == ["folder="]


def test_the_types_that_can_be_created_are_offered(home: Path) -> None:
    assert offered(completion.types, home) == list(KINDS)
    assert set(KINDS) <= {each.value for each in PluginType}


@pytest.mark.parametrize("name", ["$(id)", "a b", "`x`", "x;y", "é", "", "a" * 99])
def test_a_name_that_a_shell_could_run_is_not_offered(home: Path, tmp_path: Path, name: str) -> None:
    write(tmp_path / "notes" / "contributions.json", {"tools": [{"name": name}, {"name": "fine"}]})

    assert offered(completion.tools, home, plugin="n") == ["fine"]


def test_a_description_loses_what_a_shell_could_run(home: Path, tmp_path: Path) -> None:
    tool = {"name": "x", "description": '$(rm -r ~) `id` "quoted"; \x1b[2J done ' + "x" * 200}
    write(tmp_path / "notes" / "contributions.json", {"tools": [tool]})
    context: Any = Typed(home, plugin="n")

    [(_, words)] = completion.tools(context, "")

    assert not set(words) & set('$`";\x1b~[')
    assert len(words) <= completion.HELP_MAX_CHARS


@pytest.mark.parametrize("content", ["", "[]", "{", '{"plugins": 3}', '{"plugins": [3]}', "[" * 100_000])
def test_a_home_that_cannot_be_read_offers_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "registry.json").write_text(content, encoding="utf-8")

    assert offered(completion.plugins, tmp_path) == []
    assert offered(completion.tools, tmp_path, plugin="n") == []


def test_a_missing_home_is_not_made(tmp_path: Path) -> None:
    assert offered(completion.plugins, tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_the_shell_s_own_question_is_answered(home: Path) -> None:
    words = {"_SOMNUS_COMPLETE": "complete_bash", "COMP_WORDS": "somnus info ", "COMP_CWORD": "2"}
    environment = os.environ | words | {"SOMNUS_HOME": str(home)}
    command = [str(Path(sys.executable).with_name("somnus"))]

    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)

    assert ran.stdout.split() == ["n"]
    assert ran.stderr == ""


def test_the_context_of_the_group_is_asked_for_the_home_too(home: Path) -> None:
    group: Any = Typed(home)
    inner: Any = Typed(home)
    inner.params, inner.parent = {}, group

    assert [name for name, _ in completion.plugins(inner, "")] == ["n"]
