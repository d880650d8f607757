"""The pytest plugin: fixtures `plugin`, `plugin_factory`, `plugin_config`, and the loop that their tests run on.

    async def test_search(plugin):
        assert await plugin.call("search", {"query": "sleep"})

Nothing is to be configured, and no other plugin is needed for coroutines. Where anyio's or pytest-asyncio's plugin runs
the test, it runs on their loop. pytest loads this module in every session of the environment, so it imports nothing but
pytest until a test asks for a plugin.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from somnus_plugins.testing.stage import PluginFactory, Season, Stage
    from somnus_plugins.testing.subject import PluginUnderTest

__all__ = ["plugin", "plugin_config", "plugin_factory"]

MARK_KEYWORDS = frozenset({"config", "level"})
STAGE: pytest.StashKey[Stage] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--plugin-level`."""
    parser.getgroup("somnus-plugins").addoption(
        "--plugin-level",
        choices=("memory", "process"),
        default="memory",
        help="where the fixture `plugin` runs a plugin: in this process (quick), or in one of its own (as a host does)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "plugin(config={...}, level='memory' or 'process'): settings and place of the fixture `plugin`."
    )


# -- fixtures ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _plugin_season() -> Iterator[Season]:
    from somnus_plugins.testing.stage import Season

    season = Season()
    yield season
    season.close()


@pytest.fixture
def _plugin_stage(
    request: pytest.FixtureRequest, _plugin_season: Season, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    from somnus_plugins.testing.stage import Stage

    level = _mark(request).get("level") or request.config.getoption("--plugin-level")
    stage = Stage(_plugin_season, request.path.parent, tmp_path_factory.mktemp("plugin"), level)
    request.node.stash[STAGE] = stage
    yield stage
    stage.clear()


@pytest.fixture
def plugin_config() -> dict[str, Any]:
    """Values of the plugin's settings; override it in a test module or conftest.py."""
    return {}


@pytest.fixture
def plugin_factory(_plugin_stage: Stage) -> PluginFactory:
    """Makes further plugins: `plugin_factory(config={…}, level="process")`. They start when they are used."""
    return _plugin_stage.plugin


@pytest.fixture
def plugin(request: pytest.FixtureRequest, _plugin_stage: Stage, plugin_config: dict[str, Any]) -> PluginUnderTest:
    """The plugin that the test lies in, started; ended after the test.

    Settings come from the fixture `plugin_config` and, above it, from `@pytest.mark.plugin(config={…})`.
    """
    made = _plugin_stage.plugin(config={**plugin_config, **(_mark(request).get("config") or {})})
    _plugin_stage.opening = made
    return made


def _mark(request: pytest.FixtureRequest) -> dict[str, Any]:
    from somnus_plugins.testing.stage import GRANTS_MISSING

    mark = request.node.get_closest_marker("plugin")
    if mark is None:
        return {}
    if mark.args or not mark.kwargs.keys() <= MARK_KEYWORDS:
        found = ", ".join([*map(repr, mark.args), *mark.kwargs])
        why = f"; {GRANTS_MISSING}" if "grants" in mark.kwargs else ""
        raise pytest.UsageError(f"@pytest.mark.plugin({found}): allowed are the keywords config and level{why}")
    return dict(mark.kwargs)


# -- the test itself --------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put beginning and end of the plugins around the test, on whatever loop runs it."""
    stage = item.stash.get(STAGE, None)
    if stage is None or not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.obj):
        return (yield)
    test = item.obj
    item.obj = _staged(test, stage)
    try:
        return (yield)
    finally:
        item.obj = test


def _staged(test: Callable[..., Awaitable[object]], stage: Stage) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def staged(**arguments: Any) -> None:
        __tracebackhide__ = True
        try:
            await stage.open()
            await test(**arguments)
        finally:
            await stage.close()

    return staged


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine of ours that no other plugin has taken."""
    if pyfuncitem.stash.get(STAGE, None) is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    if pyfuncitem.funcargs.get("anyio_backend"):
        return None
    import asyncio

    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner() as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True
