"""The zygote and its children as the kernel sees them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import HostNotRunning, InvalidPlugin, PeerClosed, ZygoteFailed
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.nursery import Nursery
from somnus_plugins.runtime.process import WorkerProcess
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.methods import Assignment, LoadOrder
from somnus_plugins.wire.peer import Incoming
from tests.support.plugins import PRELUDE, House, open_house, short_settings
from tests.support.processes import Census, Held, Script, children_of, descendants_of, is_gone, threads_of
from tests.support.waiting import eventually, eventually_now

pytestmark = pytest.mark.anyio

ASSIGNMENT = Assignment(
    plugin="local/probe",
    generation=1,
    memory_mb=256,
    open_files=64,
    threads=8,
    window_bytes=65536,
    inline_max_bytes=65536,
    frame_max_bytes=1 << 20,
    incoming_max=16,
)
PROBE = """
import random, uuid
class Main(Plugin):
    @tool
    async def look(self) -> dict[str, Any]:
        status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return {
            "environ": dict(os.environ),
            "kernel": Path("/proc/self/environ").read_bytes(),
            "files": {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")[:-1]},
            "arguments": Path("/proc/self/cmdline").read_bytes(),
            "directory": os.getcwd(),
            "privileges": status["NoNewPrivs"].strip(),
            "random": random.random(),
            "uuid": uuid.uuid4().hex,
            "hash": hash("seed"),
            "session": os.getsid(0) == os.getpid(),
            "limits": status["Threads"].strip(),
        }
"""


async def serve_nothing(incoming: Incoming) -> Any:
    raise AssertionError(incoming.method)


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    opened = Nursery(short_settings(runtime__pool_size=2))
    await opened.open()
    yield opened
    await opened.close()


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let this process open so many more files and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1 + count, hard))
    held: list[int] = []
    try:
        with suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        for each in held[len(held) - count :]:
            os.close(each)
        del held[len(held) - count :]
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in held:
            os.close(each)


async def attached(nursery: Nursery) -> WorkerProcess:
    """A process that speaks."""
    process = await nursery.take(ASSIGNMENT)
    await process.attach(LogBook("local/probe", None, short_settings().logs), 1, serve_nothing, 1 << 20)
    return process


async def ping(process: WorkerProcess) -> None:
    await process.peer.request("ping", header=Header(timeout_s=5))


async def test_a_plugin_sees_nothing_of_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMNUS_CANARY", "a secret of the host")
    secret = tmp_path / "secret"
    secret.write_text("open in the host")
    with secret.open() as held:
        os.set_inheritable(held.fileno(), True)
        async with open_house(tmp_path) as house:
            await house.add("probe", PROBE)
            seen = await house.call("probe", "look")

    assert "SOMNUS_CANARY" not in seen["environ"]
    assert set(seen["environ"]) <= {
        "HOME",
        "LANG",
        "PATH",
        "MALLOC_ARENA_MAX",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "LC_CTYPE",
    }
    assert b"secret" not in seen["kernel"] + seen["arguments"]
    assert str(secret) not in seen["files"].values()
    assert (seen["directory"], seen["privileges"], seen["session"]) == ("/", "1", True)


async def test_a_plugin_has_five_descriptors_and_those_of_its_loop(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("probe", PROBE)
        files = (await house.call("probe", "look"))["files"]

    kinds = [files[str(number)].partition(":")[0] for number in range(5)]
    assert kinds == ["/dev/null", "pipe", "pipe", "socket", "socket"]
    beyond = {name: target for name, target in files.items() if int(name) > 4}
    assert all(target.startswith(("anon_inode:", "pipe:", "socket:", "/dev/null")) for target in beyond.values())
    assert len(beyond) <= 10


async def test_children_differ_in_what_is_random_and_share_what_is_not(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for name in ("one", "two", "three"):
            await house.add(name, PROBE)
        seen = [await house.call(name, "look") for name in ("one", "two", "three")]

    assert len({each["random"] for each in seen}) == 3
    assert len({each["uuid"] for each in seen}) == 3
    assert len({each["hash"] for each in seen}) == 1


async def test_the_zygote_has_one_thread_and_a_name(nursery: Nursery) -> None:
    assert nursery.zygote is not None
    zygote = nursery.zygote.pid

    assert threads_of(zygote) == 1
    assert Path(f"/proc/{zygote}/comm").read_text().strip() == "somnus-zygote"
    assert nursery.zygote.warm_s > 0
    assert len(children_of(zygote)) == 2


async def test_the_pool_is_filled_again(nursery: Nursery) -> None:
    assert nursery.blank == 2

    taken = [await attached(nursery) for _ in range(3)]
    await asyncio.gather(*map(ping, taken))
    await eventually(lambda: nursery.blank == 2)

    assert len({each.pid for each in taken}) == 3
    assert nursery.zygote is not None
    assert children_of(nursery.zygote.pid) >= {each.pid for each in taken}


async def test_a_child_that_died_in_the_pool_is_not_given_out(nursery: Nursery) -> None:
    assert nursery.zygote is not None
    blank = children_of(nursery.zygote.pid)
    for child in blank:
        os.kill(child, signal.SIGKILL)
    await eventually(lambda: all(map(is_gone, blank)))

    process = await attached(nursery)

    await ping(process)
    assert process.alive


@pytest.mark.parametrize("limit", [{"runtime__zygote_max_forks": 4}, {"runtime__zygote_max_age_s": 1}])
async def test_a_zygote_is_replaced_and_its_children_live_on(limit: dict[str, Any]) -> None:
    nursery = Nursery(short_settings(runtime__pool_size=1, **limit))
    await nursery.open()
    try:
        old = await attached(nursery)
        first = nursery.zygote
        assert first is not None

        async def replaced() -> bool:
            await (await attached(nursery)).kill("enough")
            return nursery.zygote is not first

        await eventually(replaced, 10)
        await ping(old)
        assert not is_gone(first.pid)
        await old.stop(1, "done")
        await eventually(lambda: is_gone(first.pid))
        assert nursery.zygote is not None
        assert nursery.zygote.alive
    finally:
        await nursery.close()


async def test_many_forks_at_once_survive_a_zygote_that_wears_out_at_each() -> None:
    nursery = Nursery(short_settings(runtime__pool_size=0, runtime__zygote_max_forks=1))
    await nursery.open()
    try:
        processes = await asyncio.gather(*(attached(nursery) for _ in range(3)))
        await asyncio.gather(*map(ping, processes))

        assert len({each.pid for each in processes}) == 3
    finally:
        await nursery.close()


async def test_children_end_with_a_killed_zygote_and_the_next_comes_from_a_new_one(nursery: Nursery) -> None:
    process = await attached(nursery)
    await ping(process)
    zygote = nursery.zygote
    assert zygote is not None
    call = asyncio.create_task(process.peer.request("nothing", header=Header(timeout_s=10)))

    with Held([zygote.pid, *children_of(zygote.pid)]) as held:
        os.kill(zygote.pid, signal.SIGKILL)
        await eventually(lambda: not held.living(), 1)
    ending = await asyncio.wait_for(process.ended, 3)
    await asyncio.gather(call, return_exceptions=True)

    assert ending.reason == "its zygote ended"
    assert ending.asked
    again = await attached(nursery)
    await ping(again)
    assert nursery.zygote is not zygote


async def test_a_zygote_that_stands_still_is_ended_and_replaced() -> None:
    nursery = Nursery(short_settings(runtime__pool_size=0, runtime__start_timeout_s=0.3))
    await nursery.open()
    try:
        assert nursery.zygote is not None
        os.kill(nursery.zygote.pid, signal.SIGSTOP)

        with pytest.raises(ZygoteFailed, match="did not answer"):
            await nursery.take(ASSIGNMENT)

        await eventually(lambda: nursery.zygote is not None and not nursery.zygote.alive)
        await (await nursery.take(ASSIGNMENT)).kill("enough")
    finally:
        await nursery.close()


@pytest.mark.parametrize("free", range(9))
async def test_a_fork_for_which_there_is_no_descriptor_fails_alone_and_leaves_nothing(free: int) -> None:
    nursery = Nursery(short_settings(runtime__pool_size=0))
    await nursery.open()
    try:
        zygote = nursery.zygote
        assert zygote is not None
        held = await attached(nursery)
        before = Census.now(zygote.pid)
        with descriptors_left(free), pytest.raises(ZygoteFailed, match="descriptor"):
            await nursery.take(ASSIGNMENT)

        await eventually(lambda: Census.now(zygote.pid) == before)
        await ping(held)
        await ping(await attached(nursery))
        assert nursery.zygote is zygote
    finally:
        await nursery.close()


async def test_a_zygote_that_has_no_descriptor_free_fails_that_fork_alone() -> None:
    nursery = Nursery(short_settings(runtime__pool_size=0))
    await nursery.open()
    try:
        zygote = nursery.zygote
        assert zygote is not None
        held = await attached(nursery)
        files = Path(f"/proc/{zygote.pid}/fd")
        # The standard three, its socket, its host's handle and the pipe that wakes it: what it forked with is closed.
        await eventually(lambda: len(os.listdir(files)) == 7)
        fifth_free = sorted({*range(64)} - {*map(int, os.listdir(files))})[4]
        soft, hard = resource.prlimit(zygote.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(zygote.pid, resource.RLIMIT_NOFILE, (fifth_free, hard))
        with pytest.raises(ZygoteFailed, match="cannot count its threads"):
            await nursery.take(ASSIGNMENT)
        resource.prlimit(zygote.pid, resource.RLIMIT_NOFILE, (soft, hard))

        await ping(held)
        await ping(await attached(nursery))
        await eventually(lambda: len(children_of(zygote.pid)) == 2)
    finally:
        await nursery.close()


async def test_a_zygote_that_cannot_be_executed_is_one_kind_of_error() -> None:
    before = Census.now()
    for free in range(4):
        nursery = Nursery(short_settings())
        with descriptors_left(free), pytest.raises(ZygoteFailed, match="cannot be executed"):
            await nursery.open()
        assert nursery.zygote is None
        await nursery.close()
    await eventually(lambda: Census.now() == before)


async def test_a_zygote_that_is_killed_can_fork_no_more_at_once(nursery: Nursery) -> None:
    zygote = nursery.zygote
    assert zygote is not None
    process = await attached(nursery)
    taking = asyncio.create_task(WorkerProcess.fork(zygote, short_settings()))
    await asyncio.sleep(0)

    zygote.kill()

    assert not zygote.alive
    with pytest.raises(ZygoteFailed, match="killed"):
        await taking
    assert (await process.ended).reason == "its zygote ended"


async def test_a_fork_that_is_given_up_leaves_nothing(nursery: Nursery) -> None:
    await eventually(lambda: nursery.blank == 2)
    assert nursery.zygote is not None
    before = Census.now(nursery.zygote.pid)

    for _ in range(4):
        taking = [asyncio.create_task(nursery.take(ASSIGNMENT)) for _ in range(4)]
        await asyncio.wait(taking, return_when=asyncio.FIRST_COMPLETED)
        for each in taking:
            each.cancel()
        for each in await asyncio.gather(*taking, return_exceptions=True):
            if isinstance(each, WorkerProcess):
                await each.kill("enough")

    zygote = nursery.zygote.pid
    await eventually(lambda: nursery.blank == 2 and Census.now(zygote) == before)


async def test_closing_leaves_nothing_whatever_is_under_way() -> None:
    before = Census.now()
    nursery = Nursery(short_settings(runtime__pool_size=3))
    await nursery.open()
    assert nursery.zygote is not None
    process = await attached(nursery)
    taking = [asyncio.create_task(nursery.take(ASSIGNMENT)) for _ in range(5)]
    await asyncio.wait(taking, return_when=asyncio.FIRST_COMPLETED)

    with Held([nursery.zygote.pid, *children_of(nursery.zygote.pid)]) as held:
        await nursery.close()
        assert held.living() == set()
        assert process.ended.done()
    for each in await asyncio.gather(*taking, return_exceptions=True):
        assert isinstance(each, WorkerProcess | HostNotRunning | ZygoteFailed)
    await eventually(lambda: Census.now() == before)
    with pytest.raises(HostNotRunning):
        await nursery.take(ASSIGNMENT)


async def test_opening_that_is_given_up_leaves_nothing() -> None:
    before = Census.now()
    for turns in (1, 3, 30):
        nursery = Nursery(short_settings())
        opening = asyncio.create_task(nursery.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await nursery.close()

    await eventually(lambda: Census.now() == before)
    assert opening.cancelled()


async def test_a_process_that_has_ended_may_be_ended_again(nursery: Nursery) -> None:
    process = await attached(nursery)
    await ping(process)
    os.kill(process.pid, signal.SIGKILL)

    first, second, third = await asyncio.gather(process.kill("a"), process.stop(1, "b"), process.kill("c"))

    assert first is second is third
    assert first.status == -signal.SIGKILL
    with pytest.raises(PeerClosed):
        await ping(process)


async def test_an_answer_to_the_host_that_is_none_is_a_fault_of_the_plugin(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "liar.py").write_text(
        f"{PRELUDE}import struct, msgspec\n"
        "body = msgspec.msgpack.encode([2, 1, {'fingerprint': 5}])\n"
        "os.write(3, struct.pack('>I', len(body)) + body)\n"
    )
    process = await attached(nursery)
    order = LoadOrder(
        plugin="local/liar",
        version="1",
        entry_module="liar",
        entry_attribute="Main",
        directory=str(tmp_path),
        import_paths=(str(tmp_path),),
        data=str(tmp_path),
        cache=str(tmp_path),
    )

    with pytest.raises(InvalidPlugin, match="something else than its Announcement"):
        await process.load(order, 5)

    await process.kill("enough")
    assert msgspec.msgpack.decode(b"\x01") == 1


HOST = """
import asyncio
from somnus_plugins import PluginHost, load_settings
async def main():
    async with PluginHost(arguments[0], settings=load_settings(environment={})) as host:
        await host.apply(await host.plan(arguments[1]))
        await host.call("forks", "calm")
        say([(await host.status()).zygote_pid, await host.call("forks", "begin")])
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


async def test_nothing_survives_a_host_that_is_killed(tmp_path: Path) -> None:
    from tests.support.plugins import hostile_code, write_plugin

    directory = write_plugin(tmp_path, "forks", hostile_code("forks"), prelude="")
    with Script(HOST, str(tmp_path / "home"), str(directory)) as script:
        zygote, started = await asyncio.to_thread(script.hear)
        everything = descendants_of(script.pid) | {zygote, *started}
        with Held(everything) as held:
            assert len(held.living()) >= 4
            script.process.kill()

            await eventually(lambda: not held.living(), 1.5)


def test_a_host_serves_on_when_the_thread_that_started_it_has_ended(tmp_path: Path) -> None:
    """As a test client does it: the start in one thread, the calls in another, and the loop in none of them."""
    loop = asyncio.new_event_loop()
    runner = threading.Thread(target=loop.run_forever)
    runner.start()
    stack: dict[str, Any] = {}

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    def begin() -> None:
        stack["manager"] = open_house(tmp_path)
        stack["house"] = run(stack["manager"].__aenter__())

    starter = threading.Thread(target=begin)
    starter.start()
    starter.join()
    try:
        house: House = stack["house"]
        run(house.add("probe", PROBE))
        zygote = run(house.zygote())
        assert run(house.call("probe", "look"))["directory"] == "/"
        assert run(house.zygote()) == zygote
    finally:
        run(stack["manager"].__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        runner.join()
        loop.close()
    assert is_gone(zygote)


def test_a_host_starts_in_a_short_lived_thread_with_a_loop_of_its_own_again_and_again(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def once() -> None:
        async with open_house(tmp_path) as house:
            await house.add("probe", PROBE)
            seen.append((await house.call("probe", "look"))["uuid"])

    before = eventually_now(Census.now)
    for _ in range(2):
        thread = threading.Thread(target=lambda: asyncio.run(once()))
        thread.start()
        thread.join()

    assert len(set(seen)) == 2
    eventually_now(lambda: Census.now() == before)


async def test_a_host_is_started_by_a_loop_that_already_runs_as_in_a_notebook(tmp_path: Path) -> None:
    for _ in range(2):
        async with open_house(tmp_path) as house:
            await house.add("probe", PROBE)
            assert (await house.call("probe", "look"))["directory"] == "/"
    assert house.host.role == "stopped"
