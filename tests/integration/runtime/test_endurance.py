"""What is flat stays flat: hosts and plugins that come and go leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from tests.support.plugins import VERIFY, open_house, write_plugin
from tests.support.processes import Census
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

CYCLES = 1_000 if VERIFY else 60
SETTLING = 500 if VERIFY else 20
"""Cycles before anything is measured: for so long the allocator still takes pages that it then keeps and uses again."""
HOSTS = 100 if VERIFY else 3
COLLECT_EVERY = 100
"""Cycles between two collections. A process that ends leaves reference cycles behind; how high they pile up depends on
when Python collects them by itself, and what is measured is what is held."""
GROWTH_KB = 1_500
"""Resident memory that may be added while it is measured. A leak of one page a cycle would be 4,000 in 1,000 cycles."""
PLUGIN = """
class Main(Plugin):
    @tool
    async def echo(self, value: Any) -> Any:
        print("called")
        return value
"""


def resident_kb() -> int:
    """Memory of this process."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


async def test_plugins_that_start_and_stop_leave_the_host_flat(tmp_path: Path) -> None:
    async with open_house(tmp_path, logs__recent_lines=10) as house:
        await house.add("cycled", PLUGIN)

        async def cycle(number: int) -> None:
            assert await house.call("cycled", "echo", {"value": number}) == number
            await house.host.operate("restart", plugin="cycled")

        for number in range(SETTLING):
            await cycle(number)
        before, memory_kb = await house.census(), resident_kb()
        for number in range(CYCLES):
            await cycle(number)
            if number % COLLECT_EVERY == 0:
                gc.collect()

        async def same() -> bool:
            return await house.census() == before

        await eventually(same)
        assert resident_kb() - memory_kb < GROWTH_KB
        assert (await house.host.info("cycled")).starts == CYCLES + SETTLING


async def test_crashes_leave_the_host_flat(tmp_path: Path) -> None:
    code = PLUGIN + "\n    @tool\n    async def die(self) -> None:\n        os._exit(1)\n"
    async with open_house(tmp_path, runtime__crash_max=1000, runtime__crash_window_s=1) as house:
        await house.add("cycled", code)
        await house.call("cycled", "echo", {"value": 0})
        await asyncio.gather(house.call("cycled", "die"), return_exceptions=True)
        before = await house.census()

        for _ in range(CYCLES // 3):
            await asyncio.gather(*(house.call("cycled", "die") for _ in range(3)), return_exceptions=True)

        async def same() -> bool:
            return await house.census() == before

        await eventually(same)
        assert (await house.host.info("cycled")).running == 0


async def test_hosts_that_start_and_stop_leave_the_process_flat(tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "cycled", PLUGIN)

    async def cycle() -> None:
        async with open_house(tmp_path) as house:
            await house.install(tmp_path / "plugins" / "cycled")
            assert await house.call("cycled", "echo", {"value": 1}) == 1

    await cycle()
    before, memory_kb = Census.now(), resident_kb()
    for _ in range(HOSTS):
        await cycle()

    await eventually(lambda: Census.now() == before)
    assert resident_kb() - memory_kb < GROWTH_KB
