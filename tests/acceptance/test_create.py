"""`create`: what it writes runs, passes its own tests, and pleases every checker, as it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from somnus_plugins.templates import KINDS

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "SOMNUS_"))}


def run(directory: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a module of this interpreter in a directory."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module", params=KINDS)
def created(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `create` has written in an empty folder."""
    folder = tmp_path_factory.mktemp("empty")
    run(folder, "somnus_plugins", "create", "--name", "MyPlugin", "--type", request.param)
    assert [each.name for each in folder.iterdir()] == ["my-plugin"]
    return folder / "my-plugin"


@pytest.mark.parametrize("options", [[], ["--plugin-level=process"]], ids=["memory", "process"])
def test_its_own_tests_pass_with_no_configuration(created: Path, options: list[str]) -> None:
    done = run(created, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options)

    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_check_accepts_it_without_a_finding(created: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "somnus_plugins", "--home", str(tmp_path / "home"), "check", str(created), "--json")
    found = json.loads(done.stdout)

    assert found["findings"] == []
    assert found["id"] == "local/my-plugin"


def test_it_is_typed_and_tidy_by_the_tools_own_defaults(
    created: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.getbasetemp() / "mypy"
    typed = run(created, "mypy", "--strict", "--cache-dir", str(cache), ".")
    run(created, "ruff", "check", "--isolated", "--no-cache", ".")
    tidy = run(created, "ruff", "format", "--isolated", "--no-cache", "--check", ".")

    assert "no issues found" in typed.stdout
    assert "would be reformatted" not in tidy.stdout


def test_a_second_create_at_the_same_place_is_refused(created: Path) -> None:
    before = sorted(created.rglob("*"))
    done = run(
        created.parent,
        *("somnus_plugins", "create", "--name", "my plugin", "--type", KINDS[0], "--json"),
        check=False,
    )

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "usage"
    assert sorted(created.rglob("*")) == before


def test_it_can_be_installed_and_called(created: Path, tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    run(tmp_path, "somnus_plugins", *home, "install", str(created), "--yes")
    info = json.loads(run(tmp_path, "somnus_plugins", *home, "info", "my-plugin", "--json").stdout)

    assert (info["plugin"]["id"], info["plugin"]["state"]) == ("local/my-plugin", "asleep")
    assert (created / "contributions.json").is_file()
    if "statistics" in (created / "my_plugin" / "__init__.py").read_text():
        done = run(tmp_path, "somnus_plugins", *home, "call", "my-plugin", "statistics", "text=one two", "--json")
        assert json.loads(done.stdout)["words"] == 2
