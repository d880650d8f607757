"""What loading a plugin does to the interpreter, and that all of it is undone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk import Plugin
from somnus_plugins.testing.imports import Imports
from somnus_plugins.wire.methods import LoadOrder
from tests.unit.testing.garden import plant

SMALL = """
from {inner} import shade
from somnus_plugins.sdk import Plugin
class Garden(Plugin):
    shade = shade.DEPTH
"""


def order(directory: Path, module: str = "garden") -> LoadOrder:
    """What loads the plugin in a directory."""
    return LoadOrder(
        plugin="somnus/garden",
        version="1",
        entry_module=module,
        entry_attribute="Garden",
        directory=str(directory),
        import_paths=(str(directory / "src"), str(directory)),
        data=str(directory),
        cache=str(directory),
    )


def small(directory: Path, depth: int, place: str = "tree_of_the_garden") -> Path:
    """A plugin of two modules."""
    plant(directory, SMALL.format(inner=place))
    (directory / place).mkdir()
    (directory / place / "shade.py").write_text(f"DEPTH = {depth}\n")
    return directory


def test_modules_paths_and_the_running_plugin_are_as_before(tmp_path: Path) -> None:
    modules, paths, running = set(sys.modules), list(sys.path), Plugin._running
    imports = Imports()
    loaded = imports.load(order(small(tmp_path, 3)))

    assert type(loaded.plugin).current() is loaded.plugin
    assert {"garden", "tree_of_the_garden", "tree_of_the_garden.shade"} <= set(sys.modules)
    assert str(tmp_path) in sys.path
    imports.restore()
    assert set(sys.modules) == modules
    assert sys.path == paths
    assert Plugin._running is running


def test_each_load_finds_the_code_of_its_own_directory(tmp_path: Path) -> None:
    depths = []
    for number in (1, 2):
        imports = Imports()
        loaded = imports.load(order(small(tmp_path / str(number), number)))
        depths.append(vars(type(loaded.plugin))["shade"])
        imports.restore()

    assert depths == [1, 2]
    assert "garden" not in sys.modules


def test_two_plugins_of_one_name_live_side_by_side_in_one_test(tmp_path: Path) -> None:
    imports = Imports()
    first = imports.load(order(small(tmp_path / "1", 1, "tree_one")))
    second = imports.load(order(small(tmp_path / "2", 2, "tree_two")))

    assert [vars(type(each.plugin))["shade"] for each in (first, second)] == [1, 2]
    imports.restore()
    assert not {"garden", "tree_one", "tree_two"} & set(sys.modules)


def test_a_module_that_the_test_has_imported_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path, 1)
    monkeypatch.syspath_prepend(tmp_path)
    import garden  # type: ignore[import-not-found]  # written by this test

    imports = Imports()
    try:
        loaded = imports.load(order(tmp_path))
        assert type(loaded.plugin) is garden.Garden
        imports.restore()
        assert sys.modules["garden"] is garden
    finally:
        for name in ("garden", "tree_of_the_garden", "tree_of_the_garden.shade"):
            sys.modules.pop(name, None)


def test_a_module_of_the_same_name_from_elsewhere_makes_way_and_comes_back(tmp_path: Path) -> None:
    import colorsys

    imports = Imports()
    plant(tmp_path, "")
    (tmp_path / "colorsys.py").write_text("from somnus_plugins.sdk import Plugin\nclass Garden(Plugin): ...\n")

    assert imports.load(order(tmp_path, "colorsys")).plugin is not None
    assert sys.modules["colorsys"] is not colorsys
    imports.restore()
    assert sys.modules["colorsys"] is colorsys


def test_what_was_imported_from_an_environment_inside_the_directory_stays(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "soil_of_the_garden.py").write_text("")
    plant(tmp_path, f"import sys\nsys.path.append({str(packages)!r})\n" + SMALL.format(inner="tree_of_the_garden"))
    (tmp_path / "tree_of_the_garden").mkdir()
    (tmp_path / "tree_of_the_garden" / "shade.py").write_text("import soil_of_the_garden\nDEPTH = 1\n")
    imports = Imports()

    imports.load(order(tmp_path))
    imports.restore()
    assert "soil_of_the_garden" in sys.modules
    assert "tree_of_the_garden.shade" not in sys.modules
    del sys.modules["soil_of_the_garden"]


def test_what_cannot_be_loaded_leaves_nothing_behind(tmp_path: Path) -> None:
    modules, paths = set(sys.modules), list(sys.path)
    imports = Imports()
    plant(tmp_path, "import nothing_of_this_name\n")

    with pytest.raises(InvalidPlugin):
        imports.load(order(tmp_path))
    imports.restore()
    assert (set(sys.modules), sys.path) == (modules, paths)
