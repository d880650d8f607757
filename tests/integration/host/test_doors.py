"""One home, one host, and every other process a door to it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import struct
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from somnus_plugins import PluginHost
from somnus_plugins._version import __version__
from somnus_plugins.errors import (
    CallTimeout,
    HostLost,
    NotReady,
    PluginRaised,
    RefusedError,
    SomnusError,
    UnknownPlugin,
)
from somnus_plugins.host.core import Conversation, Terms
from tests.support.plugins import House, open_house, short_settings
from tests.support.processes import Held, Script, descendants_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

PLUGIN = """
class Main(Plugin):
    @tool(read_only=True)
    async def echo(self, value: Any) -> Any:
        return value

    @tool
    async def once(self, value: Any) -> Any:
        return value

    @tool(idempotent=True)
    async def slow(self, s: float = 0.02) -> int:
        await asyncio.sleep(s)
        return os.getpid()

    @tool
    async def count(self, n: int, call: Call) -> AsyncIterator[int]:
        for number in range(n):
            await call.progress(number, n, "")
            yield number

    @tool
    async def boom(self) -> None:
        raise ValueError
"""
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
DOOR = """
import asyncio
from somnus_plugins import PluginHost, load_settings
async def main():
    home, overrides, calls = arguments
    async with PluginHost(home, settings=load_settings(environment={}, overrides=overrides)) as host:
        answers = await asyncio.gather(*(host.call("served", "echo", {"value": n}) for n in range(calls)))
        say([host.role, answers == list(range(calls)), host.catalogue.revision])
        await asyncio.to_thread(sys.stdin.readline)
        say([host.role, host.catalogue.revision, sorted(host.catalogue.mounts)])
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""
SHORT = {
    "runtime.pool_size": 1,
    "runtime.stop_timeout_s": 0.3,
    "runtime.cancel_grace_s": 0.2,
    "host.door_timeout_s": 10,
    "host.barrier_timeout_s": 2,
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        await opened.add("served", PLUGIN)
        yield opened


@asynccontextmanager
async def door_to(root: Path, **overrides: Any) -> AsyncIterator[PluginHost]:
    async with PluginHost(root / "home", settings=short_settings(**overrides)) as door:
        yield door


async def test_a_second_host_on_a_home_is_a_door_and_serves_the_same(house: House) -> None:
    async with door_to(house.root) as door:
        assert (house.host.role, door.role) == ("host", "door")
        assert await door.call("served", "echo", {"value": [1, {"a": b"x"}]}) == [1, {"a": b"x"}]
        told: list[float] = []
        stream = door.stream("served", "count", {"n": 50}, progress=lambda done, total, text: told.append(done))
        assert [each async for each in stream] == list(range(50))
        assert told
        assert (await door.status()).doors == (os.getpid(),)
        assert await door.call("served", "echo", {"value": bytes(4_000_000)}) == bytes(4_000_000)

    assert door.role == "stopped"

    async def left() -> bool:
        return (await house.host.status()).doors == ()

    await eventually(left)


async def test_errors_through_a_door_are_the_same_errors(house: House) -> None:
    async with door_to(house.root) as door:
        with pytest.raises(PluginRaised, match="ValueError in boom") as raised:
            await door.call("served", "boom")
        with pytest.raises(CallTimeout):
            await door.call("served", "slow", {"s": 60}, timeout_s=0.1)
        with pytest.raises(UnknownPlugin):
            await door.call("nobody", "boom")

    assert raised.value.data == {"class": "ValueError"}
    assert (await house.host.info("served")).running == 0


async def pour_into(conversation: Conversation) -> None:
    """Send until it is refused."""
    while True:
        await conversation.send(bytes(100_000))


async def test_items_travel_up_through_a_door_and_an_early_answer_is_no_hang(house: House) -> None:
    async with door_to(house.root) as door:
        for host in (house.host, door):
            conversation = await host.converse("served", "tool", "echo", {"value": 1}, Terms(5.0), sends=True)
            with pytest.raises(SomnusError, match="ended"):
                await asyncio.wait_for(pour_into(conversation), 3)
            assert bytes(await conversation.result()) == b"\x01"
            await conversation.close()

    assert (await house.host.info("served")).running == 0


async def test_a_call_that_is_given_up_at_a_door_ends_in_the_plugin(house: House) -> None:
    async with door_to(house.root) as door:
        task = asyncio.create_task(door.call("served", "slow", {"s": 600}))

        async def running() -> int:
            return (await house.host.info("served")).running

        await eventually(running)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        async def none() -> bool:
            return await running() == 0

        await eventually(none)


async def test_every_door_has_a_change_before_it_is_reported_as_done(house: House) -> None:
    async with door_to(house.root) as first, door_to(house.root) as second:
        for _ in range(5):
            for change in (first.disable, second.enable):
                await change("served")
                seen = {
                    (each.catalogue.revision, "served" in each.catalogue.mounts) for each in (house.host, first, second)
                }
                assert len(seen) == 1
        generations = {each.catalogue.find("served").generation for each in (house.host, first, second)}
        assert generations == {11}
        assert await first.call("served", "echo", {"value": 2}) == 2


async def test_what_is_done_at_a_door_is_done_in_the_host(house: House) -> None:
    async with door_to(house.root) as door:
        view = await House(house.root, door).add("added", PLUGIN)

        assert view.state == "asleep"
        assert await house.call("added", "echo", {"value": 3}) == 3
        assert [each.id for each in await door.plugins()] == ["local/added", "local/served"]


async def test_when_the_host_stops_a_door_takes_over(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("served", PLUGIN)
        door = PluginHost(tmp_path / "home", settings=short_settings())
        await door.start()
        another = PluginHost(tmp_path / "home", settings=short_settings())
        await another.start()
    try:
        assert await door.call("served", "echo", {"value": 1}) == 1
        assert await another.call("served", "echo", {"value": 2}) == 2
        assert sorted([door.role, another.role]) == ["door", "host"]
        assert door.catalogue.revision == another.catalogue.revision
    finally:
        await another.stop()
        await door.stop()


async def test_processes_on_one_home_agree(house: House) -> None:
    arguments = (str(house.root / "home"), SHORT, 16)
    with Script(DOOR, *arguments) as first, Script(DOOR, *arguments) as second:
        revision = house.host.catalogue.revision
        for script in (first, second):
            assert await asyncio.to_thread(script.hear) == ["door", True, revision]
        await house.host.disable("served")
        for script in (first, second):
            script.tell()
            assert await asyncio.to_thread(script.hear) == ["door", revision + 1, []]


async def test_a_door_that_stands_still_holds_a_change_up_for_the_barrier_only(tmp_path: Path) -> None:
    async with open_house(tmp_path, host__barrier_timeout_s=0.3) as house:
        await house.add("served", PLUGIN)
        with Script(DOOR, str(tmp_path / "home"), SHORT, 1) as script:
            assert (await asyncio.to_thread(script.hear))[0] == "door"
            os.kill(script.pid, signal.SIGSTOP)
            began = time.monotonic()
            await house.host.disable("served")
            took_s = time.monotonic() - began
            os.kill(script.pid, signal.SIGCONT)

            async def attached_anew() -> bool:
                return script.pid in (await house.host.status()).doors

            assert 0.3 <= took_s < 2
            await eventually(attached_anew)
            script.tell()
            assert await asyncio.to_thread(script.hear) == ["door", house.host.catalogue.revision, []]


async def test_a_host_that_stands_still_costs_a_door_no_more_than_the_deadline(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("served", PLUGIN)
    with Script(HOST, str(tmp_path / "home"), SHORT) as script:
        assert await asyncio.to_thread(script.hear) == "host"
        async with door_to(tmp_path) as door:
            assert await door.call("served", "echo", {"value": 1}) == 1
            os.kill(script.pid, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(CallTimeout):
                await door.call("served", "echo", {"value": 1}, timeout_s=0.3)
            took_s = time.monotonic() - began
            os.kill(script.pid, signal.SIGCONT)

            assert took_s < 2.5
            assert await door.call("served", "echo", {"value": 2}) == 2


async def test_after_the_host_is_killed_answers_go_on_and_one_door_takes_over(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("served", PLUGIN)
    with Script(HOST, str(tmp_path / "home"), SHORT) as script:
        assert await asyncio.to_thread(script.hear) == "host"
        async with (
            door_to(tmp_path, host__door_timeout_s=20) as door,
            door_to(tmp_path, host__door_timeout_s=20) as other,
        ):
            processes: set[int] = set()
            refused: list[SomnusError] = []
            over = asyncio.Event()

            async def repeat(number: int) -> int:
                answers, through = 0, (door, other)[number % 2]
                while not over.is_set():
                    processes.add(await through.call("served", "slow"))
                    answers += 1
                return answers

            async def try_once() -> None:
                while not over.is_set():
                    try:
                        await door.call("served", "once", {"value": 1})
                    except SomnusError as error:
                        refused.append(error)

            callers = [asyncio.create_task(repeat(number)) for number in range(64)]
            single = asyncio.create_task(try_once())
            await eventually(lambda: processes)
            with Held(descendants_of(script.pid)) as held:
                script.process.kill()
                await eventually(lambda: len(processes) > 1, 20)
                assert held.living() == set()
            over.set()
            answers = await asyncio.gather(*callers)
            await single

            assert min(answers) > 0
            assert sorted([door.role, other.role]) == ["door", "host"]
            assert {type(error) for error in refused} <= {HostLost, NotReady}
            assert door.catalogue.revision == other.catalogue.revision


def frame(kind: int, *fields: Any) -> bytes:
    import msgspec

    body = msgspec.msgpack.encode([kind, *fields])
    return struct.pack(">I", len(body)) + body


async def test_a_process_of_another_version_is_sent_away_with_the_reason(house: House) -> None:
    import msgspec

    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    with connection:
        await loop.sock_connect(connection, str(house.root / "home" / "run" / "host.sock"))
        greeting = {"pid": 1, "version": "0.0.0"}
        await loop.sock_sendall(connection, frame(1, 2, "hello", "", [], 0, greeting))
        answer = msgspec.msgpack.decode((await loop.sock_recv(connection, 65536))[4:])

    assert answer[:2] == [3, 2]
    assert answer[2]["code"] == RefusedError.code
    assert __version__ in answer[2]["message"]
    assert (await house.host.status()).doors == ()


KNOCK = """
import os, socket
os.setgroups([])
os.setuid(65534)
knocking = socket.socket(socket.AF_UNIX)
try:
    knocking.connect(arguments[0])
    say(knocking.recv(1) == b"")
except OSError as error:
    say(error.errno)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
async def test_another_user_is_not_let_in() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_house(Path(folder)) as house:
            await house.add("served", PLUGIN)
            file = house.root / "home" / "run" / "host.sock"
            assert file.stat().st_mode & 0o777 == 0o600
            with Script(KNOCK, str(file)) as script:
                assert await asyncio.to_thread(script.hear) == errno.EACCES

            for each in (file.parent, house.root / "home", house.root):
                each.chmod(0o711)
            file.chmod(0o666)
            with Script(KNOCK, str(file)) as script:
                assert await asyncio.to_thread(script.hear) is True
            assert await house.call("served", "echo", {"value": 1}) == 1


async def test_the_socket_works_below_a_path_that_is_longer_than_an_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    async with open_house(deep) as house, door_to(deep) as door:
        await house.add("served", PLUGIN)

        assert len(str(deep)) > 108
        assert await door.call("served", "echo", {"value": 4}) == 4
