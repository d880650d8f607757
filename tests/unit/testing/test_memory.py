"""A worker without a process: to a host it is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from somnus_plugins.errors import HostError, PeerClosed
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.settings import Settings
from somnus_plugins.testing.imports import Imports
from somnus_plugins.testing.memory import MemoryNursery, MemoryWorker
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.methods import Assignment
from somnus_plugins.wire.peer import Incoming
from tests.unit.testing.garden import plant
from tests.unit.testing.test_imports import order

pytestmark = pytest.mark.anyio

ASSIGNMENT = Assignment(
    plugin="somnus/garden",
    generation=7,
    memory_mb=64,
    open_files=64,
    threads=8,
    window_bytes=64 * 1024,
    inline_max_bytes=64 * 1024,
    frame_max_bytes=1024 * 1024,
    incoming_max=16,
)


async def refuse(incoming: Incoming) -> object:
    """Serve a plugin that asks for nothing."""
    raise AssertionError(incoming.method)


@pytest.fixture
def imports() -> Iterator[Imports]:
    made = Imports()
    yield made
    made.restore()


@pytest.fixture
def book() -> LogBook:
    return LogBook("somnus/garden", None, Settings().logs)


async def attached(imports: Imports, book: LogBook) -> MemoryWorker:
    """A worker that somebody listens to."""
    worker = await MemoryNursery(Settings(), imports).take(ASSIGNMENT)
    assert isinstance(worker, MemoryWorker)
    await worker.attach(book, 7, refuse, 1024 * 1024)
    return worker


async def test_it_loads_serves_and_stops_in_order(imports: Imports, book: LogBook, tmp_path: Path) -> None:
    worker = await attached(imports, book)
    announcement = await worker.load(order(plant(tmp_path)), 5)
    await worker.run("start", 5)
    answer = await worker.peer.request("tool", {"count": 2}, "sow", Header(timeout_s=5))
    described = await worker.describe(5)
    ending = await worker.stop(1, "enough")

    assert msgspec.msgpack.decode(answer) == [0, 1]
    assert described.fingerprint == announcement.fingerprint
    assert (tmp_path / "closed").read_text() == "in order"
    assert (ending.asked, ending.reason) == (True, "enough")
    assert not worker.alive


async def test_before_it_is_attached_or_loaded_it_says_so(imports: Imports, book: LogBook) -> None:
    blank = await MemoryNursery(Settings(), imports).take(ASSIGNMENT)
    with pytest.raises(HostError, match="no plugin"):
        _ = blank.peer

    worker = await attached(imports, book)
    with pytest.raises(Exception, match="no plugin is loaded"):
        await worker.peer.request("ping", header=Header(timeout_s=5))
    await worker.kill("enough")


async def test_a_kill_ends_calls_and_is_remembered_once(imports: Imports, book: LogBook, tmp_path: Path) -> None:
    worker = await attached(imports, book)
    await worker.load(order(plant(tmp_path)), 5)
    exchange = await worker.peer.exchange("tool", {}, "doze", Header(timeout_s=5), sends=False)
    first = await worker.kill("first")

    assert (await worker.kill("second")) is first
    with pytest.raises(PeerClosed):
        await exchange.result()
    assert not (tmp_path / "closed").exists()


async def test_what_is_logged_while_it_lives_stands_in_its_book(imports: Imports, book: LogBook) -> None:
    log = logging.getLogger("somnus.plugin.somnus.garden")
    before = list(logging.root.handlers)
    log.error("before")
    worker = await attached(imports, book)
    log.error("during\x1b[31m")
    await worker.kill("enough")
    log.error("after")

    assert [(line.message, line.level, line.generation) for line in book.recent()] == [("during\\x1b[31m", "ERROR", 7)]
    assert logging.root.handlers == before
