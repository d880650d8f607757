"""The pytest plugin as an author meets it: sessions of pytest in folders with a plugin and a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Loaded here, so that they outlive the sessions below, which forget what they import; some may be loaded only once.
from somnus_plugins.testing import http, pytest_plugin, stage, websocket
from somnus_plugins.worker import asgi
from tests.unit.testing.garden import plant

LOADED = (asgi, http, pytest_plugin, stage, websocket)
CALL = '(await plugin.call("greet", {"name": "Ada"}))'
BARE = ["-p", "no:hypothesispytest", "-p", "no:xdist", "-W", "error", "-q"]


@pytest.fixture
def author(pytester: pytest.Pytester) -> pytest.Pytester:
    """An author's folder with the plugin in it, and no configuration of pytest."""
    plant(pytester.path)
    return pytester


def run(author: pytest.Pytester, code: str, *options: str, conftest: str = "") -> pytest.RunResult:
    """Run an author's test file, warnings being errors."""
    tests = author.mkdir("tests")
    (tests / "test_garden.py").write_text(f"import pytest\n{code}", encoding="utf-8")
    (tests / "conftest.py").write_text(f"import pytest\n{conftest}", encoding="utf-8")
    return author.runpytest_inprocess(*BARE, *options)


@pytest.mark.parametrize("options", [[], ["-p", "no:anyio"], ["--anyio-mode=auto"]], ids=["as is", "alone", "anyio"])
def test_a_coroutine_runs_with_no_configuration_and_no_other_plugin(
    author: pytest.Pytester, options: list[str]
) -> None:
    result = run(author, f'async def test_it(plugin):\n    assert {CALL} == "hello Ada, for None in None"\n', *options)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*warning*")


def test_classes_parameters_and_other_fixtures_work_as_ever(author: pytest.Pytester) -> None:
    result = run(
        author,
        """
class TestGarden:
    @pytest.mark.parametrize("name", ["Ada", "Bo"])
    async def test_it(self, tmp_path, name, plugin):
        assert tmp_path.is_dir()
        assert name in await plugin.call("greet", {"name": name})

    async def test_failing(self, plugin):
        assert await plugin.call("sow", {"count": 1}) == [2]

def test_not_async(plugin, plugin_factory):
    assert plugin.manifest.name == "garden"
""",
    )

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*assert [[]0[]] == [[]2[]]*"])


def test_marks_and_the_fixture_for_settings_are_laid_over_one_another(author: pytest.Pytester) -> None:
    result = run(
        author,
        f"""
@pytest.fixture
def plugin_config(tmp_path):
    return {{"greeting": "hi", "folder": tmp_path}}

async def test_fixture(plugin, tmp_path):
    assert {CALL}.startswith("hi Ada")
    assert plugin.instance.config.folder == tmp_path

@pytest.mark.plugin(config={{"greeting": "hey"}})
async def test_mark(plugin, tmp_path):
    assert {CALL}.startswith("hey Ada")
    assert plugin.instance.config.folder == tmp_path

async def test_factory(plugin_factory, plugin):
    async with plugin_factory(config={{"greeting": "yo"}}) as other:
        assert (await other.call("greet", {{"name": "Bo"}})).startswith("yo Bo")
    assert {CALL}.startswith("hi Ada")
""",
        "--strict-markers",
    )

    result.assert_outcomes(passed=3)
    assert result.ret == 0


def test_a_mark_that_means_nothing_is_an_error(author: pytest.Pytester) -> None:
    result = run(author, "@pytest.mark.plugin(settings={})\nasync def test_it(plugin): ...\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.plugin(settings): allowed are the keywords config and level*"])


def test_the_plugin_has_started_before_the_test_and_ended_after_it(author: pytest.Pytester) -> None:
    result = run(
        author,
        """
data = []

async def test_start(plugin):
    assert plugin.instance.streams == 0
    data.append(plugin.data)

def test_stop():
    assert (data[0] / "closed").read_text() == "in order"

async def test_fails(plugin):
    data.append(plugin.data)
    raise KeyError("mine")

def test_stop_after_a_failure():
    assert (data[1] / "closed").read_text() == "in order"
""",
    )

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["E *KeyError: 'mine'"])


def test_a_plugin_that_does_not_start_fails_the_test_with_the_reason(author: pytest.Pytester) -> None:
    result = run(author, '@pytest.mark.plugin(config={"greeting": 1})\nasync def test_it(plugin): ...\n')

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *NotReady: *greeting*"])


def test_modules_of_the_plugin_are_fresh_in_each_test(author: pytest.Pytester) -> None:
    result = run(
        author,
        """
import sys
classes = []

@pytest.mark.parametrize("number", [1, 2])
async def test_it(plugin, number):
    classes.append(type(plugin.instance))
    assert sys.modules["garden"].Garden is classes[-1]

def test_after():
    assert "garden" not in sys.modules
    assert classes[0] is not classes[1]
""",
    )

    result.assert_outcomes(passed=3)
    assert "garden" not in sys.modules


ASYNC_FIXTURE = """
@pytest.fixture
async def greeting(plugin):
    return await plugin.call("greet", {"name": "Ada"})
"""


def test_asynchronous_fixtures_of_anyio_may_use_the_plugin_before_the_test(author: pytest.Pytester) -> None:
    result = run(
        author,
        """
@pytest.mark.anyio
async def test_it(greeting, plugin):
    assert greeting.startswith("hello Ada")
    assert plugin.instance.streams == 0
    assert [line.message for line in plugin.logs] == ["the garden is open", "greeting Ada"]
""",
        conftest=f"{ASYNC_FIXTURE}\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n",
    )

    result.assert_outcomes(passed=1)
    assert result.ret == 0


OTHER_LOOP = """
import asyncio, functools

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    test, arguments = pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    if asyncio.iscoroutinefunction(test):
        loop = asyncio.new_event_loop()
        loop.set_debug(True)
        loop.run_until_complete(test(**arguments))
        loop.close()
        return True
"""


def test_a_loop_that_another_plugin_brings_is_used(author: pytest.Pytester) -> None:
    result = run(
        author,
        f"import asyncio\nasync def test_it(plugin):\n    assert {CALL}\n"
        "    assert asyncio.get_running_loop().get_debug()\n",
        conftest=OTHER_LOOP,
    )

    result.assert_outcomes(passed=1)
    assert result.ret == 0


def test_a_fixture_of_the_same_name_in_another_project_is_left_alone(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        "@pytest.fixture\ndef plugin():\n    return 3\n\ndef test_it(plugin):\n    assert plugin == 3\n\n"
        "async def test_async(plugin): ...\n",
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*"])


def test_a_test_without_a_plugin_around_it_is_told_so(pytester: pytest.Pytester) -> None:
    result = run(pytester, "async def test_it(plugin): ...\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *NotAPlugin: no pyproject.toml with [[]tool.somnus[]] in *"])


def test_a_call_without_a_loop_and_on_another_loop_is_refused(author: pytest.Pytester) -> None:
    result = run(
        author,
        """
import asyncio
from somnus_plugins.errors import UsageError

def test_no_loop(plugin):
    coroutine = plugin.start()
    with pytest.raises(UsageError, match="no other|none"):
        coroutine.send(None)

def test_two_loops(plugin_factory):
    plugin = plugin_factory()
    asyncio.run(plugin.start())
    with pytest.raises(UsageError, match="another event loop"):
        asyncio.run(plugin.start())
""",
    )

    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_the_pytest_plugin_costs_a_session_without_plugins_nothing() -> None:
    weigh = (
        "import sys, pytest; before = set(sys.modules); import somnus_plugins.testing.pytest_plugin;"
        "print(*sorted({each.partition('.')[0] for each in set(sys.modules) - before}))"
    )
    found = subprocess.run([sys.executable, "-c", weigh], capture_output=True, check=True, text=True).stdout.split()

    assert found == ["somnus_plugins"]
    assert Path(pytest_plugin.__file__).is_file()


def test_grants_are_refused_so_that_nobody_believes_in_them(author: pytest.Pytester) -> None:
    result = run(
        author,
        """
@pytest.mark.plugin(grants=["network"])
async def test_marked(plugin): ...

async def test_made(plugin_factory):
    plugin_factory(grants=["network"])
""",
    )

    result.assert_outcomes(errors=1, failed=1)
    result.stdout.fnmatch_lines(["*allowed are the keywords config and level; `grants` comes with permissions*"])
    result.stdout.fnmatch_lines(["*UsageError: grants: allowed are config, level and directory*"])
