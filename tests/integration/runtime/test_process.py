"""A worker process and what its plugin tries with it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from somnus_plugins.errors import CallTimeout, InvalidPlugin
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.runtime.nursery import Nursery
from tests.integration.runtime.test_zygote import ASSIGNMENT, serve_nothing
from tests.support.plugins import hostile_code, open_house, short_settings, write_plugin

pytestmark = pytest.mark.anyio

COLLIDING = """
import itertools, msgspec
from somnus_plugins.worker import describe
pack = msgspec.msgpack.encode
def answer(loaded):
    keys = [*itertools.product((-1, -2), repeat=14)]
    hostile = b"\\xdf" + len(keys).to_bytes(4, "big") + b"".join(pack(key) + b"\\xc0" for key in keys)
    return msgspec.Raw(b"\\x82" + pack("fingerprint") + pack("0" * 64) + pack("openapi") + b"\\x81\\xa1x" + hostile)
describe.describe = answer
class Main(Plugin):
    pass
"""
STARTER = """
class Main(Plugin):
    @tool
    def inherited(self, note: str) -> None:
        os.system(f"ls /proc/self/fd > {note}")
"""


async def test_keys_that_collide_in_what_a_plugin_adds_do_not_stop_the_host(tmp_path: Path) -> None:
    slowest, beating = 0.0, True

    async def beat() -> None:
        nonlocal slowest
        while beating:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - began)

    async with open_house(tmp_path) as house:
        heart = asyncio.create_task(beat())
        with pytest.raises(InvalidPlugin, match="something else than its Contributions"):
            await house.host.plan(write_plugin(tmp_path / "plugins", "evil", COLLIDING))
        beating = False
        await heart

    assert slowest < 2


async def test_a_program_that_a_plugin_starts_does_not_hold_the_wire(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add("starter", STARTER)
        await house.call("starter", "inherited", {"note": str(tmp_path / "note")})

    held = (tmp_path / "note").read_text().split()
    assert {"0", "1", "2"} <= set(held)
    assert len(held) == 4, "the three, and the directory that is listed"


async def test_a_process_is_worn_out_when_its_last_thread_is_gone(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        limits = "[tool.somnus.limits]\nthreads = 4\n"
        await house.add("thief", hostile_code("blocks_thread"), somnus=limits, prelude="")
        assert await house.call("thief", "calm") == "calm"
        first = await house.process("thief")
        for _ in range(2):
            with pytest.raises(CallTimeout):
                await house.call("thief", "go", timeout_s=0.05)
        await house.becomes("thief", "asleep", 3)

        assert await house.call("thief", "calm") == "calm"
        assert await house.process("thief") != first


@pytest.mark.parametrize("turns", range(5))
async def test_a_stop_that_is_cancelled_is_cancelled_though_the_process_has_just_ended(turns: int) -> None:
    nursery = Nursery(short_settings(runtime__pool_size=0))
    await nursery.open()
    try:
        process = await nursery.take(ASSIGNMENT)
        await process.attach(LogBook("local/probe", None, short_settings().logs), 1, serve_nothing, 1 << 20)
        stopping = asyncio.create_task(process.stop(2, "done"))
        await asyncio.wait([process.ended])
        for _ in range(turns):
            await asyncio.sleep(0)
        unfinished = stopping.cancel()
        await asyncio.wait([stopping])

        assert stopping.cancelled() == unfinished
        assert process.ended.done()
    finally:
        await nursery.close()
