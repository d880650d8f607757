"""An author's code runs on the loop and in threads, and what it raises is told as its class."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from somnus_plugins.errors import PluginRaised, SomnusError, TemporaryError, ToolError, UsageError
from somnus_plugins.sdk.threads import LOOP_ACCESS
from somnus_plugins.worker.execution import Threads, author_error, stream_from_loop, stream_from_thread
from tests.support.wire import until

pytestmark = pytest.mark.anyio
COLOUR: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


@pytest.mark.parametrize("error", [ToolError("read me"), TemporaryError("later", 3), PluginRaised("again")])
def test_errors_for_callers_stay_what_they_are(error: SomnusError, caplog: pytest.LogCaptureFixture) -> None:
    assert author_error(error, "search") is error
    assert caplog.records == []


@pytest.mark.parametrize(
    "error", [ValueError("secret"), SystemExit("secret"), UsageError("secret"), KeyError("secret")]
)
def test_any_other_becomes_its_class(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    found = author_error(error, "search", file="notes.py", line=3)

    assert type(found) is PluginRaised
    assert found.message == f"{type(error).__name__} in search"
    assert found.data == {"class": type(error).__name__, "file": "notes.py", "line": 3}
    assert [(each.name, each.levelno) for each in caplog.records] == [("somnus.plugin", logging.ERROR)]


def test_an_endless_class_name_is_cut() -> None:
    kind = type("E" * 10_000, (Exception,), {})

    found = author_error(kind(), "search")

    assert found.data["class"] == "E" * 100
    assert len(found.message) < 200


async def test_a_function_runs_in_another_thread_with_this_context() -> None:
    COLOUR.set("red")

    def looks() -> tuple[str, bool]:
        COLOUR.set("blue")
        return COLOUR.get(), threading.current_thread() is threading.main_thread()

    assert await Threads(2).run(looks) == ("blue", False)
    assert COLOUR.get() == "red"


async def test_arguments_are_handed_on() -> None:
    threads = Threads(1)

    assert await threads.run(divmod, 7, 2) == (3, 1)
    assert await threads.run(dict, a=1) == {"a": 1}


async def test_no_more_run_at_once_than_there_are_threads() -> None:
    running, most, lock = 0, 0, threading.Lock()
    gate = threading.Event()

    def counts() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(5)
        with lock:
            running -= 1

    threads = Threads(2)
    tasks = [asyncio.create_task(threads.run(counts)) for _ in range(6)]
    await until(lambda: running == 2)
    gate.set()
    await asyncio.gather(*tasks)

    assert most == 2
    assert running == 0


async def test_stop_iteration_does_not_hang_its_caller() -> None:
    def stops() -> Any:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration left a function"):
        await asyncio.wait_for(Threads(1).run(stops), 5)
    assert threading.active_count() >= 1


async def test_a_cancelled_task_leaves_its_thread_and_ends_its_waits() -> None:
    seen: list[bool] = []
    started, gate = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def works() -> None:
        loop.call_soon_threadsafe(started.set)
        gate.wait(5)
        seen.append(LOOP_ACCESS.get().cancelled)

    task = asyncio.create_task(Threads(1).run(works))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await until(lambda: seen)

    assert seen == [True]


async def test_after_closing_nothing_more_is_run() -> None:
    threads = Threads(1)
    assert await threads.run(int, "3") == 3
    threads.close()

    with pytest.raises(RuntimeError, match="shutdown"):
        await threads.run(int, "4")


async def test_closing_what_never_ran_is_nothing() -> None:
    before = threading.active_count()
    Threads(4).close()

    assert threading.active_count() == before


class Source:
    """Items by both protocols, with a mark once it is closed."""

    def __init__(self, items: list[int]) -> None:
        self.items = items
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        try:
            yield from self.items
        finally:
            self.closed = True

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            for item in self.items:
                yield item
        finally:
            self.closed = True


async def test_items_of_the_loop_are_written_and_sent_in_order() -> None:
    sent: list[str] = []
    source = Source([1, 2])

    async def send(item: str) -> None:
        sent.append(item)

    await stream_from_loop(aiter(source), str, send)

    assert sent == ["1", "2"]
    assert source.closed


async def test_a_reader_that_is_gone_closes_the_source() -> None:
    source = Source([1, 2, 3])

    async def send(item: str) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await stream_from_loop(aiter(source), str, send)
    assert source.closed


async def test_items_of_a_thread_are_delivered_in_order() -> None:
    delivered: list[str] = []
    source = Source([1, 2])

    await Threads(1).run(stream_from_thread, iter(source), str, delivered.append)

    assert delivered == ["1", "2"]
    assert source.closed


async def test_a_cancelled_stream_in_a_thread_stops_between_two_items() -> None:
    delivered: list[int] = []
    source = Source(list(range(1_000)))

    def deliver(item: int) -> None:
        delivered.append(item)
        LOOP_ACCESS.get().cancelled = True

    await Threads(1).run(stream_from_thread, iter(source), int, deliver)

    assert delivered == [0]
    assert source.closed
