"""Timing, percentiles, rounds, and what machine this is."""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Row", "concurrent_rate", "latencies_us", "machine", "median", "percentile", "pinned_to", "run_on"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours, the reference of the same run, and what we want to reach."""

    what: str
    ours: float
    reference: float
    unit: str
    against: str
    """What the reference is."""
    reach: float
    """The ratio to reach."""
    faster: bool = False
    """Whether the ratio is reference ÷ ours, and at least `reach`; else it is ours ÷ reference, and at most that."""
    more: bool = False
    """Whether more is better (calls a second): the ratio is then ours ÷ reference, and at least `reach`."""
    note: str = ""
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """As `faster` says."""
        return self.reference / self.ours if self.faster else self.ours / self.reference

    @property
    def reached(self) -> bool:
        """Whether the ratio is good enough."""
        return self.ratio >= self.reach if self.faster or self.more else self.ratio <= self.reach


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values are at most."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def latencies_us(call: Callable[[], Awaitable[Any]], count: int, warm_up: int = 300) -> list[float]:
    """Microseconds of `count` calls, one after another."""
    for _ in range(warm_up):
        await call()
    taken: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1e6)
    return taken


async def concurrent_rate(call: Callable[[], Awaitable[Any]], count: int, in_flight: int = 32) -> float:
    """Calls a second with `in_flight` of them under way."""
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return count / (time.perf_counter() - began)


def run_on(loop: str, work: Awaitable[Any]) -> Any:
    """Run a coroutine on `asyncio` or `uvloop`."""
    if loop == "uvloop":
        import uvloop

        return uvloop.run(work)  # type: ignore[arg-type]  # a coroutine
    return asyncio.run(work)  # type: ignore[arg-type]  # a coroutine


def pinned_to(core: int | None) -> None:
    """Keep this process, and what it starts, on one core; None lets it go."""
    cores = set(range(os.cpu_count() or 1)) if core is None else {core}
    os.sched_setaffinity(0, cores)


def machine() -> str:
    """One line about where the figures come from."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {memory_gib:.0f} GiB, Linux {platform.release()}, "
        f"Python {sys.version.split()[0]}"
    )
