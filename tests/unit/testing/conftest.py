"""The plugin that the tests here test with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from somnus_plugins.testing import PluginFactory, PluginUnderTest
from tests.unit.testing.garden import plant

MakeGarden = Callable[..., PluginUnderTest]


@pytest.fixture(scope="session")
def garden_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin in it."""
    return plant(tmp_path_factory.mktemp("garden"))


@pytest.fixture
def garden(plugin_factory: PluginFactory, garden_directory: Path) -> PluginUnderTest:
    """The plugin, which starts when it is used."""
    return plugin_factory(directory=garden_directory)
