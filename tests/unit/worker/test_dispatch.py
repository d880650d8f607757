"""A worker answers what the host asks, whatever the author's code does. Through real peers."""

from __future__ import annotations

import asyncio
import functools
import logging
import sqlite3
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any

import pytest

from somnus_plugins.errors import (
    InvalidInput,
    InvalidPlugin,
    InvalidResult,
    NotReady,
    PermanentError,
    PluginError,
    PluginRaised,
    TemporaryError,
    ToolError,
    from_record,
)
from somnus_plugins.sdk import Call, Event, Plugin, cron, every, on, tool
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.methods import WORKER_METHODS, Announcement, Occurrence
from somnus_plugins.worker.dispatch import Dispatcher
from tests.support.wire import until

from .serving import loaded_of, order_of, served, served_by

pytestmark = pytest.mark.anyio
RAISED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("secret words"),
    "SystemExit": lambda: SystemExit("secret words"),
    "KeyboardInterrupt": lambda: KeyboardInterrupt("secret words"),
    "StopIteration": lambda: StopIteration("secret words"),
    "RecursionError": lambda: RecursionError("secret words"),
    "MemoryError": lambda: MemoryError("secret words"),
    "GeneratorExit": lambda: GeneratorExit("secret words"),
    "CancelledError": lambda: asyncio.CancelledError("secret words"),
}


class Notes(Plugin):
    """Every kind of method that answers one result."""

    @tool
    async def echo(self, data: dict) -> dict:  # type: ignore[type-arg]  # as authors write it
        return data

    @tool
    def thread_name(self) -> str:
        return threading.current_thread().name

    @tool
    async def whose_thread(self) -> str:
        return threading.current_thread().name

    @tool
    async def who(self, call: Call, other: Call | None = None) -> list[Any]:
        assert call is other is Call.current()
        return [call.caller, call.user, call.depth, call.trace_id, Notes.current() is self]

    @tool
    def who_in_thread(self, call: Call) -> list[Any]:
        return [Call.current() is call, call.caller, Notes.current() is self]

    @tool
    async def steps(self, call: Call) -> int:
        await call.progress(1, 2, "one")
        await call.progress(2, 2)
        return 2

    @tool
    def steps_in_thread(self, call: Call) -> int:
        self.wait(call.progress(1, None, "one"))
        return self.wait(self._later(41)) + 1

    async def _later(self, number: int) -> int:
        await asyncio.sleep(0)
        return number

    @tool
    async def fails(self, kind: str) -> None:
        raise RAISED[kind]()

    @tool
    def fails_in_thread(self, kind: str) -> None:
        raise RAISED[kind]()

    @tool
    async def speaks(self, kind: str) -> None:
        raise {"tool": ToolError, "temporary": TemporaryError, "permanent": PermanentError}[kind]("read me")

    @tool
    async def unsendable(self) -> Any:
        return {"items": [1, {"handle": threading.Lock()}]}

    @tool
    async def lies(self) -> int:
        return "no number"  # type: ignore[return-value]  # the very mistake


async def test_a_tool_answers_its_result() -> None:
    async with served(Notes) as host:
        assert await host.call("echo", data={"id": 1, "tags": ["a", None, 0.5]}) == {"id": 1, "tags": ["a", None, 0.5]}
        assert await host.call("echo", data={}) == {}


async def test_async_methods_run_on_the_loop_and_others_in_threads() -> None:
    async with served(Notes) as host:
        assert await host.call("whose_thread") == threading.current_thread().name
        assert (await host.call("thread_name")).startswith("somnus-method")


async def test_the_call_is_injected_into_every_parameter_that_wants_it() -> None:
    header = Header(caller="somnus/journal", user="ada", depth=2, trace="ab" * 16)
    async with served(Notes) as host:
        assert await host.call("who", header) == ["somnus/journal", "ada", 2, "ab" * 16, True]
        assert await host.call("who_in_thread", header) == [True, "somnus/journal", True]


async def test_a_caller_cannot_give_an_injected_parameter() -> None:
    async with served(Notes) as host:
        with pytest.raises(InvalidInput, match="unknown argument 'call'") as caught:
            await host.call("who", call="forged")
    assert caught.value.data["problems"][0]["path"] == "$.call"


async def test_progress_reaches_the_host_from_the_loop_and_from_threads() -> None:
    async with served(Notes) as host:
        assert await host.call("steps") == 2
        assert host.progress == [(1.0, 2.0, "one"), (2.0, 2.0, "")]
        assert await host.call("steps_in_thread") == 42
        assert host.progress[2:] == [(1.0, None, "one")]


@pytest.mark.parametrize("tool_name", ["fails", "fails_in_thread"])
@pytest.mark.parametrize("kind", sorted(RAISED))
async def test_what_an_author_raises_reaches_the_caller_as_its_class_only(
    tool_name: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(Notes) as host:
        with pytest.raises(PluginRaised) as caught:
            await host.call(tool_name, kind=kind)
        assert await host.call("echo", data={"still": "there"}) == {"still": "there"}

    expected = "RuntimeError" if kind == "StopIteration" else kind
    assert caught.value.message == f"{expected} in {tool_name}"
    assert caught.value.data == {"class": expected}
    assert "secret" not in str(caught.value.to_record())
    assert expected in caplog.text


async def test_the_traceback_is_logged_with_the_authors_line(caplog: pytest.LogCaptureFixture) -> None:
    async with served(Notes) as host:
        with pytest.raises(PluginRaised):
            await host.call("fails", kind="ValueError")

    (record,) = [each for each in caplog.records if each.name == "somnus.plugin"]
    assert record.levelno == logging.ERROR
    assert "raise RAISED[kind]()" in caplog.text


@pytest.mark.parametrize(
    ("kind", "expected"), [("tool", ToolError), ("temporary", TemporaryError), ("permanent", PermanentError)]
)
async def test_errors_that_are_meant_to_be_read_pass_word_for_word(
    kind: str, expected: type[PluginError], caplog: pytest.LogCaptureFixture
) -> None:
    async with served(Notes) as host:
        with pytest.raises(expected, match=r"^read me$"):
            await host.call("speaks", kind=kind)

    assert "Traceback" not in caplog.text


async def test_an_unsendable_result_names_the_path_of_the_culprit() -> None:
    async with served(Notes) as host:
        with pytest.raises(InvalidResult, match=r"\$\.items\[1\]\.handle: lock") as caught:
            await host.call("unsendable")
    assert caught.value.data["path"] == "$.items[1].handle"


async def test_a_result_that_breaks_its_promise_is_refused() -> None:
    async with served(Notes) as host:
        with pytest.raises(InvalidResult, match="lies returned what does not fit") as caught:
            await host.call("lies")
    assert caught.value.data["problems"][0]["found"] == "'no number'"


async def test_an_unknown_tool_is_named_with_those_there_are() -> None:
    async with served(Notes) as host:
        with pytest.raises(PluginError, match="no tool 'ecko'") as caught:
            await host.call("ecko")
    assert "echo" in caught.value.message


@pytest.mark.parametrize("payload", [[1], "text", 3, True])
async def test_arguments_that_are_no_object_are_refused(payload: Any) -> None:
    async with served(Notes) as host:
        with pytest.raises(InvalidInput, match="echo") as caught:
            await host.ask("tool", "echo", payload)
    assert caught.value.data["problems"][0]["path"] == "$"


async def test_no_arguments_at_all_are_an_empty_object() -> None:
    async with served(Notes) as host:
        assert await host.ask("tool", "whose_thread", None) == threading.current_thread().name
        with pytest.raises(InvalidInput, match=r"\$\.data: found nothing"):
            await host.ask("tool", "echo", None)


async def test_an_adapter_is_built_once_and_only_for_tools_that_are_called() -> None:
    class Expensive(Plugin):
        @tool
        async def cheap(self) -> int:
            return 1

        @tool
        async def broken(self, lock: threading.Thread) -> int:
            return 2

    async with served(Expensive) as host:
        assert await host.call("cheap") == 1
        assert await host.call("cheap") == 1
        with pytest.raises(InvalidPlugin, match="tool broken: an annotation has no schema"):
            await host.call("broken", lock=1)


async def test_a_decorator_that_hides_async_still_works() -> None:
    def logged(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            return method(*arguments, **keywords)

        return wrapper

    class Wrapped(Plugin):
        @tool
        @logged
        async def search(self, query: str) -> str:
            return query.upper()

    async with served(Wrapped) as host:
        assert await host.call("search", query="sleep") == "SLEEP"
        with pytest.raises(InvalidInput):
            await host.call("search", other=1)


# --- streams ---------------------------------------------------------------------------------------------------------


class Streams(Plugin):
    """Every way to write a stream."""

    def __init__(self) -> None:
        self.produced = 0
        self.closed = asyncio.Event()
        self.threads: set[str] = set()

    @tool
    async def async_generator(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number

    @tool
    async def without_annotation(self, n: int):  # type: ignore[no-untyped-def]  # as authors write it
        for number in range(n):
            yield number

    @tool
    def generator(self, n: int) -> Generator[int, None, None]:
        yield from range(n)

    @tool
    def iterator(self, n: int) -> Iterator[int]:
        return iter(range(n))

    @tool
    def iterable(self, n: int) -> Iterable[int]:
        return list(range(n))

    @tool
    async def returns_async_iterator(self, n: int) -> AsyncIterator[int]:
        return self.async_generator(n)

    @tool
    def returns_async_iterator_from_thread(self, n: int) -> AsyncIterator[int]:
        return self.async_generator(n)

    @tool
    async def returns_iterator(self, n: int) -> Iterator[int]:
        return iter(range(n))

    @tool
    async def endless(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                self.produced += 1
                yield b"x" * 10_000
        finally:
            self.closed.set()

    @tool
    def endless_in_thread(self) -> Iterator[bytes]:
        loop = self.loop  # type: ignore[attr-defined]  # set by the test
        try:
            while True:
                self.produced += 1
                yield b"x" * 10_000
        finally:
            loop.call_soon_threadsafe(self.closed.set)

    @tool
    def from_a_database(self) -> Iterator[int]:
        database = sqlite3.connect(":memory:")
        try:
            for number in range(20):
                self.threads.add(threading.current_thread().name)
                yield database.execute("select ?", (number,)).fetchone()[0]
        finally:
            database.close()

    @tool
    async def breaks(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("secret words")

    @tool
    def breaks_in_thread(self) -> Iterator[int]:
        yield 1
        raise ToolError("read me")

    @tool
    async def lies(self) -> AsyncIterator[int]:
        yield 1
        yield "two"  # type: ignore[misc]  # the very mistake


WAYS = [
    "async_generator",
    "without_annotation",
    "generator",
    "iterator",
    "iterable",
    "returns_async_iterator",
    "returns_async_iterator_from_thread",
    "returns_iterator",
]


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_write_a_stream_sends_its_items(way: str) -> None:
    async with served(Streams) as host:
        assert await host.stream(way, n=3) == [0, 1, 2, None]
        assert await host.stream(way, n=0) == [None]


@pytest.mark.parametrize("way", WAYS)
async def test_a_caller_who_takes_no_items_gets_them_as_a_list(way: str) -> None:
    async with served(Streams) as host:
        assert await host.call(way, n=3) == [0, 1, 2]
        assert await host.call(way, n=0) == []


@pytest.mark.parametrize("way", ["endless", "endless_in_thread"])
async def test_a_slow_reader_holds_the_author_back(way: str) -> None:
    async with served(Streams) as host:
        host.plugin.loop = asyncio.get_running_loop()
        exchange = await host.open(way)
        first = await anext(aiter(exchange))
        await until(lambda: host.plugin.produced > 20)
        for _ in range(20):
            await host.ask("ping")
        held = host.plugin.produced
        exchange.cancel()
        await asyncio.wait_for(host.plugin.closed.wait(), 5)

    assert len(first) > 10_000
    assert host.plugin.produced <= held + 2 <= 60


async def test_a_generator_in_a_thread_stays_in_that_thread() -> None:
    async with served(Streams) as host:
        assert await host.stream("from_a_database") == [*range(20), None]
        assert len(host.plugin.threads) == 1


async def test_a_stream_that_breaks_ends_with_the_error_after_its_items() -> None:
    async with served(Streams) as host:
        for way, expected in (("breaks", PluginRaised), ("breaks_in_thread", ToolError)):
            exchange = await host.open(way)
            items = [item async for item in _until_broken(exchange)]
            assert len(items) == 1
            with pytest.raises(expected) as caught:
                await exchange.result()
            assert "secret" not in caught.value.message


async def _until_broken(exchange: Any) -> AsyncIterator[Any]:
    try:
        async for item in exchange:
            yield item
    except PluginError:
        return


async def test_items_are_held_to_the_annotation() -> None:
    async with served(Streams) as host:
        with pytest.raises(InvalidResult, match="'two'") as caught:
            await host.call("lies")
    assert caught.value.data["problems"][0]["path"] == "$"


# --- cancelling ------------------------------------------------------------------------------------------------------


class Waiting(Plugin):
    """Methods that wait for ever."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended: list[str] = []
        self.loop = asyncio.get_running_loop()

    @tool
    async def sleeps(self) -> None:
        self.started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise

    @tool
    def waits(self) -> None:
        self.loop.call_soon_threadsafe(self.started.set)
        try:
            self.wait(asyncio.sleep(3600))
        finally:
            self.loop.call_soon_threadsafe(self.ended.append, "thread")

    @tool
    async def shrugs(self) -> str:
        self.started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "never mind"
        return "slept"


@pytest.mark.parametrize(("name", "ended"), [("sleeps", ["cancelled"]), ("waits", ["thread"]), ("shrugs", [])])
async def test_a_cancelled_call_stops_the_method(name: str, ended: list[str]) -> None:
    async with served(Waiting) as host:
        task = asyncio.create_task(host.call(name))
        await asyncio.wait_for(host.plugin.started.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: host.plugin.ended == ended)
        assert await host.ask("ping") is None


# --- the life of a plugin --------------------------------------------------------------------------------------------


class Living(Plugin):
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.life: list[str] = []

    async def on_prepare(self) -> None:
        self.life.append("prepare")

    async def on_start(self) -> None:
        self.life.append("start")

    async def on_stop(self) -> None:
        self.life.append("stop")


async def test_hooks_run_when_the_host_says_so() -> None:
    async with served(Living) as host:
        for method in ("prepare", "start"):
            assert await host.ask(method) is None
        assert host.plugin.life == ["prepare", "start"]
    assert host.plugin.life == ["prepare", "start", "stop"]


@pytest.mark.parametrize("hook", ["prepare", "start"])
async def test_a_hook_that_raises_is_named(hook: str) -> None:
    async def fails(self: Plugin) -> None:
        raise OSError("secret words")

    kind = type("Broken", (Plugin,), {f"on_{hook}": fails})
    async with served(kind) as host:
        with pytest.raises(PluginRaised, match=f"OSError in {hook}") as caught:
            await host.ask(hook)
    assert caught.value.data == {"class": "OSError"}


@pytest.mark.parametrize("method", sorted(set(WORKER_METHODS) - {"load", "ping", "stop"}))
async def test_before_it_is_loaded_a_plugin_is_not_ready(method: str) -> None:
    async with served_by(Dispatcher()) as host:
        with pytest.raises(NotReady, match="no plugin is loaded") as caught:
            await host.ask(method, "x", {})
        assert await host.ask("ping") is None
    assert caught.value.code == "not_ready"


async def test_every_method_of_the_table_is_served() -> None:
    dispatcher = Dispatcher()

    assert set(dispatcher._methods) == set(WORKER_METHODS)
    assert len(WORKER_METHODS) == 11


async def test_a_method_outside_the_table_does_not_exist() -> None:
    async with served_by(Dispatcher()) as host:
        with pytest.raises(PluginError, match="no method 'evaluate'"):
            await host.ask("evaluate", "1+1")
        assert await host.ask("ping") is None


async def test_a_second_plugin_is_not_loaded_into_the_same_process() -> None:
    async with served(Living) as host:
        with pytest.raises(NotReady, match="somnus/notes is loaded here already"):
            await host.ask("load", payload=order_of(plugin="other/one"))
        assert await host.ask("start") is None


async def test_a_load_order_that_is_none_is_refused() -> None:
    async with served_by(Dispatcher()) as host:
        with pytest.raises(InvalidInput, match="allowed is the record LoadOrder"):
            await host.ask("load", payload={"plugin": 3})
        with pytest.raises(NotReady):
            await host.ask("start")


async def test_a_plugin_is_loaded_from_its_directory(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "dispatched_plugin.py").write_text(
        "from somnus_plugins.sdk import Plugin, tool\n"
        "class Small(Plugin):\n"
        "    state_version = 3\n"
        "    async def on_prepare(self): ...\n"
        "    @tool\n"
        "    def where(self) -> str:\n"
        "        return self.wait(self.later())\n"
        "    async def later(self):\n"
        "        return self.base_path\n"
    )
    order = order_of(
        entry_module="dispatched_plugin",
        entry_attribute="Small",
        directory=str(tmp_path),
        import_paths=(str(tmp_path),),
        cache=str(tmp_path / "cache"),
    )
    async with served_by(Dispatcher()) as host:
        announced = await host.ask("load", payload=order)
        assert await host.call("where") == "/plugins/notes"

    assert announced.keys() == {"fingerprint", "state_version", "wants_prepare"}
    assert Announcement(**announced).state_version == 3


# --- settings that do not fit ----------------------------------------------------------------------------------------


async def test_without_its_settings_a_plugin_is_described_and_not_called() -> None:
    dispatcher = Dispatcher(loaded_of(Notes, folder="x"))
    async with served_by(dispatcher) as host:
        with pytest.raises(NotReady, match="needs to be set up: the plugin has no settings; found folder") as caught:
            await host.call("echo", data={})
        described = await host.ask("describe")

    assert "somnus config somnus/notes" in caught.value.remedy
    assert "echo" in [each["name"] for each in described["tools"]]


# --- events and times ------------------------------------------------------------------------------------------------


class Listening(Plugin):
    """Methods the host calls by itself."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @on("memory.stored")
    async def remember(self, event: Event, call: Call) -> None:
        self.heard.append((event, call.depth))

    @on("memory.*")
    def remember_in_thread(self, event: Event) -> None:
        self.heard.append((event.topic, threading.current_thread().name[:6]))

    @on("a.b")
    @every("1s")
    async def either(self) -> None:
        self.heard.append("either")

    @cron("0 7 * * *")
    async def morning(self, call: Call, greeting: str = "good morning") -> None:
        self.heard.append((greeting, call.caller))

    @every("1h")
    async def fails(self) -> None:
        raise ValueError("secret words")


async def test_an_event_arrives_as_a_record() -> None:
    came = Occurrence(topic="memory.stored", data={"id": 7}, source="somnus/journal", time_s=1.5, id="e1")
    async with served(Listening) as host:
        assert await host.ask("event", "remember", came, Header(depth=1)) is None

    event = Event(topic="memory.stored", data={"id": 7}, source="somnus/journal", time_s=1.5, id="e1")
    assert host.plugin.heard == [(event, 1)]


async def test_a_receiver_without_async_runs_in_a_thread() -> None:
    async with served(Listening) as host:
        await host.ask("event", "remember_in_thread", Occurrence(topic="memory.gone"))
        await host.ask("event", "remember_in_thread", Occurrence(topic="memory.gone"))

    assert host.plugin.heard == [("memory.gone", "somnus")] * 2


async def test_one_method_may_serve_both_events_and_times() -> None:
    async with served(Listening) as host:
        await host.ask("event", "either", Occurrence(topic="a.b"))
        await host.ask("schedule", "either")
        await host.ask("schedule", "morning")

    assert host.plugin.heard == ["either", "either", ("good morning", "")]


async def test_a_scheduled_method_that_raises_is_named() -> None:
    async with served(Listening) as host:
        with pytest.raises(PluginRaised, match="ValueError in fails"):
            await host.ask("schedule", "fails")
        with pytest.raises(PluginError, match="'remember' is not declared for schedules"):
            await host.ask("schedule", "remember")


async def test_an_event_that_is_no_record_is_refused() -> None:
    async with served(Listening) as host:
        with pytest.raises(InvalidInput, match="allowed is the record Occurrence"):
            await host.ask("event", "remember", 3)
        assert host.plugin.heard == []


async def test_errors_of_the_worker_are_those_a_host_rebuilds() -> None:
    async with served(Notes) as host:
        with pytest.raises(PluginError) as caught:
            await host.call("fails", kind="ValueError")

    rebuilt = from_record(caught.value.to_record(), within=PluginError)
    assert type(rebuilt) is PluginRaised
    assert rebuilt.data == {"class": "ValueError"}
