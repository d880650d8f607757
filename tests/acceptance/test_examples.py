"""The example plugins: their own tests, every checker, and that what is committed is what they announce."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from somnus_plugins.host.discovery import read_directory
from somnus_plugins.host.home import Home
from somnus_plugins.host.installer import Installer
from somnus_plugins.host.registry import Registry
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.settings import Settings, load_settings
from somnus_plugins.testing import PluginFactory
from somnus_plugins.trust import contributions

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(each.parent for each in (ROOT / "examples" / "plugins").glob("*/pyproject.toml"))
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "SOMNUS_"))}

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)


def run(directory: Path, *words: str) -> str:
    """Run a module of this interpreter in a directory; gives what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
async def installer(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Installer]:
    """Plans installations into a home of its own."""
    settings: Settings = load_settings(overrides={"runtime.pool_size": 0})
    home = Home(tmp_path / "home")
    nursery = Nursery(settings)
    await nursery.open()
    yield Installer(home, Registry(home.registry), nursery, settings)
    await nursery.close()


@each_example
def test_its_own_tests_pass(example: Path) -> None:
    printed = run(example, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")

    assert " passed" in printed
    assert "skipped" not in printed


@each_example
def test_it_is_typed_and_tidy(example: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "mypy"
    assert "no issues found" in run(example, "mypy", "--strict", "--cache-dir", str(cache), ".")
    run(ROOT, "ruff", "check", "--no-cache", str(example))
    assert "would" not in run(ROOT, "ruff", "format", "--no-cache", "--check", str(example))


@each_example
@pytest.mark.anyio
async def test_it_is_installed_without_a_warning_and_announces_what_is_committed(
    example: Path, installer: Installer
) -> None:
    found = read_directory(example)
    assert found.manifest is not None
    plan = await installer.plan(example)
    described = await installer.describe(example, found.manifest)

    assert plan.warnings == ()
    assert (example / contributions.CONTRIBUTIONS_FILE).read_bytes() == contributions.dump(described)
    assert found.contributions == described


def test_there_are_two_and_one_is_a_single_file() -> None:
    code = {each.name: [*each.glob("*.py"), *each.glob("*/*.py")] for each in EXAMPLES}

    assert set(code) == {"documents", "hello_api"}
    assert [each.name for each in code["hello_api"] if "tests" not in each.parts] == ["hello_api.py"]
    assert len((ROOT / "examples/plugins/hello_api/hello_api.py").read_text().splitlines()) < 20


@pytest.mark.anyio
async def test_the_documentation_of_this_repository_can_be_searched(plugin_factory: PluginFactory) -> None:
    documents = plugin_factory(
        directory=ROOT / "examples" / "plugins" / "documents", config={"folder": ROOT / "docs"}, level="process"
    )
    hits = await documents.call("search", {"query": "zygote", "limit": 5})
    found = await documents.http.get("/search", params={"query": "zygote", "limit": 5})

    assert len(hits) == 5
    assert found.json() == hits
    assert all("zygote" in hit["snippet"].lower() for hit in hits)
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
