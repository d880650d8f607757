"""Doors and guests where something is wrong: strangers, hosts that stand still, listeners that are no host."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import struct
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from somnus_plugins import PluginHost
from somnus_plugins._version import __version__
from somnus_plugins.errors import CallTimeout, HostBusy, HostLost, InvalidInput, RefusedError, UsageError
from somnus_plugins.host.core import Terms
from somnus_plugins.host.home import Home
from somnus_plugins.wire.methods import HttpRequest
from tests.support.plugins import open_house, short_settings
from tests.support.processes import Held, Script
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

PLUGIN = """
class Main(Plugin):
    @tool
    async def echo(self, value: Any) -> Any:
        return value

    @tool(timeout_s=0.3)
    async def brief(self) -> int:
        return 1

    @tool
    async def big(self, n: int) -> bytes:
        return bytes(n)

    @tool(timeout_s=0.5)
    async def items(self, n: int, size: int, pause_s: float = 0) -> AsyncIterator[bytes]:
        for _ in range(n):
            yield bytes(size)
            await asyncio.sleep(pause_s)
"""
ROUTE = """
    @get("/slow")
    async def slow(self) -> Any:
        from fastapi.responses import StreamingResponse

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"part"
                await asyncio.sleep(0.6)

        return StreamingResponse(parts())
"""
LIMITS = "[tool.somnus.limits]\ncall_timeout_s = 0.4\n"
HOST = """
import asyncio
from somnus_plugins import PluginHost, load_settings
async def main():
    home, overrides = arguments
    async with PluginHost(home, settings=load_settings(environment={}, overrides=overrides)) as host:
        say(host.role)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""
BRIEF = {
    "runtime.pool_size": 1,
    "runtime.start_timeout_s": 0.1,
    "runtime.prepare_timeout_s": 0.1,
    "runtime.stop_timeout_s": 0.1,
    "host.drain_timeout_s": 0.1,
    "host.door_timeout_s": 0.3,
    "host.barrier_timeout_s": 0.1,
}
REQUEST, RESPONSE, FAILURE = 1, 2, 3


def frame(kind: int, *fields: Any) -> bytes:
    body = msgspec.msgpack.encode([kind, *fields])
    return struct.pack(">I", len(body)) + body


async def heard(connection: socket.socket) -> list[Any]:
    """The next frame; an empty list where the other side has left."""
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < 4 or len(data) < 4 + struct.unpack_from(">I", data)[0]:
        part = await asyncio.wait_for(loop.sock_recv(connection, 65536), 5)
        if not part:
            return []
        data += part
    found: list[Any] = msgspec.msgpack.decode(data[4 : 4 + struct.unpack_from(">I", data)[0]])
    return found


@asynccontextmanager
async def guest_of(root: Path) -> AsyncIterator[Any]:
    """Knock at a host; gives a function that asks one thing and takes the answer."""
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    loop, number = asyncio.get_running_loop(), 0

    async def ask(method: str, target: str, payload: Any) -> list[Any]:
        nonlocal number
        number += 2
        await loop.sock_sendall(connection, frame(REQUEST, number, method, target, [], 0, payload))
        return await heard(connection)

    with connection:
        await loop.sock_connect(connection, str(root / "home" / "run" / "host.sock"))
        yield ask


@contextmanager
def listener(root: Path, backlog: int) -> Iterator[socket.socket]:
    """Something that holds a home and listens there, and is no host."""
    home = Home(root / "home")
    lock = os.open(home.run / "host.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home.run / "host.sock"))
        listening.listen(backlog)
        listening.setblocking(False)
        try:
            yield listening
        finally:
            os.close(lock)


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def impatient(root: Path) -> PluginHost:
    return PluginHost(
        root / "home", settings=short_settings(host__door_timeout_s=0.2, runtime__zygote_start_timeout_s=1)
    )


async def test_a_guest_that_was_not_let_in_can_do_nothing(root: Path) -> None:
    async with open_house(root) as house:
        await house.add("served", PLUGIN)
        async with guest_of(root) as ask:
            refused = await ask("hello", "", {"pid": 1, "version": "0.0.0"})
            answers = [
                await ask("operate", "disable", {"arguments": {"plugin": "served"}}),
                await ask("request", "local/served", ["tool", "echo", [None, None, None], {"value": 1}]),
                await ask("exchange", "local/served", ["tool", "echo", [None, None, None], {"value": 1}]),
            ]

        assert [each[0] for each in (refused, *answers)] == [FAILURE] * 4
        assert {each[2]["code"] for each in answers} == {RefusedError.code}
        assert "served" in house.host.catalogue.mounts


@pytest.mark.parametrize("method", ["hello", "request", "exchange", "operate"])
async def test_a_record_that_is_none_is_an_error_of_use(root: Path, method: str) -> None:
    async with open_house(root), guest_of(root) as ask:
        welcome = await ask("hello", "", {"pid": 1, "version": __version__})
        answers = [await ask(method, "status", wrong) for wrong in (7, {"pid": "x"}, [1, 2])]

    assert welcome[0] == RESPONSE
    assert [(each[0], each[2]["code"]) for each in answers] == [(FAILURE, UsageError.code)] * 3


async def test_a_host_whose_queue_is_full_is_busy_and_no_stranger(root: Path) -> None:
    with listener(root, 0) as listening, socket.socket(socket.AF_UNIX) as first:
        first.connect(listening.getsockname())
        with pytest.raises(HostBusy, match="does not answer"):
            await impatient(root).start()
        assert first.getpeername() == listening.getsockname()


async def test_a_door_that_is_given_up_while_it_attaches_leaves_nothing_behind(root: Path) -> None:
    loop = asyncio.get_running_loop()
    with listener(root, 5) as listening:
        door = PluginHost(root / "home", settings=short_settings())
        starting = asyncio.create_task(door.start())
        connection, _ = await loop.sock_accept(listening)
        with connection:
            assert (await heard(connection))[2] == "hello"
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            frames = [await heard(connection), await heard(connection)]

    assert [] in frames
    assert door.role == "stopped"


async def test_a_welcome_that_is_none_is_a_host_that_does_not_answer(root: Path) -> None:
    loop = asyncio.get_running_loop()
    with listener(root, 5) as listening:
        starting = asyncio.create_task(impatient(root).start())
        connection, _ = await loop.sock_accept(listening)
        with connection:
            number = (await heard(connection))[1]
            await loop.sock_sendall(connection, frame(RESPONSE, number, {"revision": "x"}))
            with pytest.raises(HostBusy, match="Welcome"):
                await starting
            assert await heard(connection) == []


async def test_an_answer_that_cannot_be_taken_is_lost_at_once_and_not_waited_for(root: Path) -> None:
    loop = asyncio.get_running_loop()
    limits = {"window_bytes": 1 << 16, "frame_max_bytes": 1 << 20, "call_timeout_s": 60, "operation_timeout_s": 60}
    with listener(root, 5) as listening:
        door = impatient(root)
        starting = asyncio.create_task(door.start())
        connection, _ = await loop.sock_accept(listening)
        with connection:
            number = (await heard(connection))[1]
            await loop.sock_sendall(connection, frame(RESPONSE, number, {"revision": 1, "listings": [], **limits}))
            await starting
            asking = asyncio.create_task(door.status())
            assert (await heard(connection))[2:4] == ["operate", "status"]
            await loop.sock_sendall(connection, b"\xff\xff\xff\xff")
            with pytest.raises(HostLost, match="an answer of the host was lost"):
                await asyncio.wait_for(asking, 3)
        await door.stop()

    assert door.role == "stopped"


async def test_a_door_goes_by_the_hosts_settings_and_not_its_own(root: Path) -> None:
    async with open_house(root, wire__window_bytes=4 << 20, wire__frame_max_bytes=8 << 20) as house:
        await house.add("served", PLUGIN)
        small = short_settings(wire__window_bytes=16 << 10, wire__frame_max_bytes=1 << 20)
        large = short_settings(wire__window_bytes=64 << 20, wire__frame_max_bytes=64 << 20)
        for settings in (small, large):
            async with PluginHost(root / "home", settings=settings) as door:
                assert door.role == "door"
                assert len(await door.call("served", "big", {"n": 3_000_000}, timeout_s=5)) == 3_000_000
                sizes = []
                async for item in door.stream("served", "items", {"n": 2000, "size": 1000}):
                    sizes.append(len(item))
                    await asyncio.sleep(0)
                assert sizes == [1000] * 2000
                with pytest.raises(InvalidInput, match="8,388,608"):
                    await door.call("served", "echo", {"value": bytes(9 << 20)}, timeout_s=5)
                assert await door.call("served", "echo", {"value": 1}) == 1


async def test_a_host_that_stands_still_costs_no_more_than_its_own_limits(root: Path) -> None:
    async with open_house(root) as house:
        await house.add("served", PLUGIN, somnus=LIMITS)
    with Script(HOST, str(root / "home"), BRIEF | {"runtime.start_timeout_s": 5}) as script:
        assert await asyncio.to_thread(script.hear) == "host"
        async with PluginHost(root / "home", settings=short_settings()) as door:
            assert await door.call("served", "brief") == 1
            os.kill(script.pid, signal.SIGSTOP)

            async def conversation(method: str) -> Any:
                talk = await door.converse("served", method, "brief", {}, Terms())
                return await talk.result()

            waits = [
                door.call("served", "echo", {"value": 1}),
                door.call("served", "brief"),
                door.call("nobody", "brief", timeout_s=0.1),
                conversation("tool"),
                conversation("http"),
            ]
            began = time.monotonic()
            ends = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 10)
            took_s = time.monotonic() - began
            os.kill(script.pid, signal.SIGCONT)

            assert {type(each) for each in ends} == {CallTimeout}
            assert took_s < 3
            assert await door.call("served", "brief") == 1


async def test_an_operation_of_a_host_that_stands_still_has_an_end(root: Path) -> None:
    with Script(HOST, str(root / "home"), BRIEF) as script:
        assert await asyncio.to_thread(script.hear) == "host"
        async with PluginHost(root / "home", settings=short_settings()) as door:
            assert (await door.status()).doors == (os.getpid(),)
            os.kill(script.pid, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(CallTimeout):
                await asyncio.wait_for(door.status(), 10)
            took_s = time.monotonic() - began
            os.kill(script.pid, signal.SIGCONT)

            assert 1 < took_s < 5
            assert (await door.status()).doors == (os.getpid(),)


async def test_an_answer_that_has_begun_may_take_as_long_through_a_door_as_without(root: Path) -> None:
    async with open_house(root) as house:
        await house.add("served", PLUGIN + ROUTE, somnus=LIMITS)
        async with PluginHost(root / "home", settings=short_settings()) as door:
            request = HttpRequest("GET", "http", "/slow", b"", [], "", "1.1", None, None, [], b"")
            talk = await door.converse("served", "http", "", request, Terms(), sends=False)
            parts = [each async for each in talk]
            await talk.result()
            await talk.close()

            assert door.role == "door"
            assert sum(b"part" in bytes(each) for each in parts) == 3


async def test_taking_over_goes_on_after_the_disk_has_failed_once(root: Path) -> None:
    door = PluginHost(root / "home", settings=short_settings(host__door_timeout_s=0.3))
    lock = root / "home" / "run" / "host.lock"
    async with open_house(root) as house:
        await house.add("served", PLUGIN)
        await door.start()
        lock.unlink()
        lock.mkdir()
    try:
        with pytest.raises(HostBusy):
            await door.call("served", "brief")
        lock.rmdir()

        await eventually(lambda: door.role == "host")
        assert await door.call("served", "brief") == 1
    finally:
        await door.stop()


async def test_a_listener_that_fails_does_not_end_a_takeover(root: Path) -> None:
    door = PluginHost(root / "home", settings=short_settings())
    told: list[dict[str, Any]] = []
    failing = [RuntimeError("once")]

    def listen(catalogue: object) -> None:
        if failing and door.role == "between":
            raise failing.pop()

    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with open_house(root):
        await door.start()
        door.on_catalogue(listen)
    try:
        await eventually(lambda: door.role == "host")
    finally:
        await door.stop()

    assert [str(each["exception"]) for each in told] == ["once"]
    assert not failing


async def test_a_stop_that_is_given_up_goes_on_and_the_next_one_waits_for_it(root: Path) -> None:
    host = PluginHost(root / "home", settings=short_settings())
    await host.start()
    zygote = (await host.status()).zygote_pid
    assert zygote is not None
    with Held([zygote]) as held:
        stopping = asyncio.create_task(host.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        assert (stopping.cancelled(), host.role) == (True, "stopped")

        await host.stop()

        assert held.living() == set()
    async with PluginHost(root / "home", settings=short_settings()) as next_host:
        assert next_host.role == "host"


async def test_a_start_waits_for_a_stop_that_was_given_up(root: Path) -> None:
    host = PluginHost(root / "home", settings=short_settings())
    await host.start()
    stopping = asyncio.create_task(host.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await host.start()
    try:
        assert host.role == "host"
        assert (await host.status()).zygote_pid is not None
    finally:
        await host.stop()

    assert host.role == "stopped"
    assert host.catalogue.mounts == {}
