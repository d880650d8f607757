"""Where the plugins of a test stand: which one is meant, and what is left when the test has ended."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from somnus_plugins.errors import InvalidManifest, NotAPlugin, UsageError
from somnus_plugins.testing.stage import Season, Stage, find_plugin
from tests.unit.testing.garden import CODE, MANIFEST, plant

pytestmark = pytest.mark.anyio


def stage_in(folder: Path, start: Path | None = None) -> Stage:
    """A stage for the plugin of a folder."""
    (folder / "room").mkdir(exist_ok=True)
    return Stage(Season(), start or folder, folder / "room", "memory")


async def test_the_plugin_is_the_nearest_one_upward(tmp_path: Path) -> None:
    outer, inner = plant(tmp_path / "outer"), plant(tmp_path / "outer" / "below" / "inner")
    (inner / "tests").mkdir()
    (outer / "below" / "pyproject.toml").write_text('[project]\nname = "not-a-plugin"\n')

    assert find_plugin(inner / "tests") == inner
    assert find_plugin(outer / "below") == outer
    with pytest.raises(NotAPlugin, match=r"\[tool.somnus\]"):
        find_plugin(tmp_path)


async def test_a_manifest_that_breaks_a_rule_is_said_and_one_that_is_no_toml_is_passed_over(tmp_path: Path) -> None:
    plant(tmp_path / "a", manifest=MANIFEST.replace('entry = "garden:Garden"', "entry = 1"))
    plant(tmp_path / "b")
    (tmp_path / "b" / "tests").mkdir()
    (tmp_path / "b" / "tests" / "pyproject.toml").write_text("not toml [")

    with pytest.raises(InvalidManifest, match="entry"):
        stage_in(tmp_path / "a").plugin()
    assert stage_in(tmp_path / "b", tmp_path / "b" / "tests").plugin().directory == tmp_path / "b"


async def test_a_level_that_is_none_is_refused(tmp_path: Path) -> None:
    stage = stage_in(plant(tmp_path))

    with pytest.raises(UsageError, match="'memory', 'process'"):
        stage.plugin(level="disk")  # type: ignore[arg-type]  # what is tested
    assert stage.plugin(level="memory").level == "memory"


async def test_each_plugin_of_a_test_has_a_home_of_its_own(tmp_path: Path) -> None:
    stage = stage_in(plant(tmp_path))
    first, second = stage.plugin(config={"greeting": "one"}), stage.plugin(config={"greeting": "two"})

    assert first.data != second.data
    assert (await first.call("greet", {"name": ""})).startswith("one")
    assert (await second.call("greet", {"name": ""})).startswith("two")
    await stage.close()
    stage.clear()
    assert [(each.data / "closed").is_file() for each in (first, second)] == [True, True]


async def test_only_the_one_that_opens_is_started_before_the_test(tmp_path: Path) -> None:
    stage = stage_in(plant(tmp_path))
    stage.opening, other = stage.plugin(), stage.plugin()
    await stage.open()

    assert stage.opening.instance.streams == 0
    with pytest.raises(UsageError, match="does not run"):
        _ = other.instance
    await stage.close()
    stage.clear()


async def test_what_fails_at_the_end_of_a_plugin_stands_in_its_log_and_holds_up_no_other(tmp_path: Path) -> None:
    broken = CODE.replace('(self.data / "closed").write_text("in order")', "raise KeyError")
    stage = stage_in(plant(tmp_path, broken))
    plugins = [stage.plugin(), stage.plugin()]
    for each in plugins:
        await each.start()
    await stage.close()

    assert [each.logs[-1].level for each in plugins] == ["ERROR", "ERROR"]
    assert all("KeyError in stop" in each.logs[-1].message for each in plugins)
    stage.clear()


async def test_the_level_of_logging_is_as_before(tmp_path: Path) -> None:
    stage = stage_in(plant(tmp_path))
    logging.root.setLevel(logging.ERROR)
    try:
        await stage.plugin().start()
        assert logging.root.level == logging.INFO
        await stage.close()
        stage.clear()
        assert logging.root.level == logging.ERROR
    finally:
        logging.root.setLevel(logging.WARNING)
