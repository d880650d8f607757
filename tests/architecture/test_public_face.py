"""What users import: complete, lazy, and light where an author pays for it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

import somnus_plugins
from tests.architecture.source_tree import SOURCE, Module, product

NEW_MODULES = 120

WEIGH = f"""
import sys
sys.path.insert(0, {str(SOURCE.parent)!r})
import msgspec
before = set(sys.modules)
import somnus_plugins.sdk
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def typing_names(module: Module) -> dict[str, str]:
    """Name to home, from the imports that only the type checker sees."""
    return {
        target.rpartition(".")[2]: target.rpartition(".")[0]
        for target in (each.target for each in module.imports if each.kind == "typing")
    }


def test_the_public_names_are_those_of_the_lazy_table_and_of_the_type_checker() -> None:
    table = dict(vars(somnus_plugins)["_HOMES"])

    assert set(somnus_plugins.__all__) == {*table, "__version__"}
    assert typing_names(Module("somnus_plugins", SOURCE / "__init__.py", is_package=True)) == table
    assert sorted(somnus_plugins.__all__) == dir(somnus_plugins)


@pytest.mark.parametrize("name", somnus_plugins.__all__)
def test_every_public_name_resolves_to_what_its_home_exports(name: str) -> None:
    found = getattr(somnus_plugins, name)

    if name != "__version__":
        home = importlib.import_module(vars(somnus_plugins)["_HOMES"][name])
        assert found is getattr(home, name)
        assert name in home.__all__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Plugin'"):
        _ = somnus_plugins.Plugin

    assert not hasattr(somnus_plugins, "sdk_")


def test_the_sdk_is_light_enough_to_be_loaded_at_every_wake() -> None:
    command = [sys.executable, "-I", "-c", WEIGH]
    loaded: list[str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    foreign = {each.partition(".")[0] for each in loaded} - set(sys.stdlib_module_names) - {"somnus_plugins", "msgspec"}

    assert "somnus_plugins.sdk" in loaded
    assert not {"asyncio", "somnus_plugins.host", "somnus_plugins.runtime"} & set(loaded)
    assert foreign == set()
    assert len(loaded) < NEW_MODULES, f"{len(loaded)} modules: {' '.join(loaded)}"


def test_the_init_of_a_room_is_its_rule_of_admission() -> None:
    rooms = [each for each in product() if each.is_package]

    assert len(rooms) > 3
    assert [each.shown for each in rooms if not each.documented] == []
