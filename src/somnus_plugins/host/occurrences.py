"""What happens by itself: events on their way to subscribers, and schedules.

Delivery is at most once: an event that nobody can take now is gone, and the plugin's log says so.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from cronsim import CronSim, CronSimError

from somnus_plugins.errors import SomnusError
from somnus_plugins.host.admission import header
from somnus_plugins.host.instance import Instance
from somnus_plugins.trust.manifest.coverage import event_covers
from somnus_plugins.wire.contributions import Schedule
from somnus_plugins.wire.methods import Occurrence

__all__ = ["Events", "Timetable", "matches"]

DEFERRED_MAX: Final = 1_000
"""Deliveries under way at the same time; the next event is dropped for the subscribers it would have gone to."""
SHORTEST_PERIOD_S: Final = 0.1
"""No schedule comes more often, whatever a plugin asks for: each time costs the host a task, and a period that is too
short to change the clock would never end."""
LOOK_S: Final = 3600.0
"""Longest wait between two looks at the timetable, however far away the next time is."""


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic fits a pattern: `*` stands for one word and, at the end, for the rest."""
    wanted, words = pattern.split("."), topic.split(".")
    if wanted[-1] == "*" and len(words) >= len(wanted):
        words = words[: len(wanted)]
    return len(wanted) == len(words) and all(each in ("*", word) for each, word in zip(wanted, words, strict=True))


class Events:
    """Brings events to the plugins that subscribe to them, waking them where they sleep.

    Args:
        instances: The plugins that are served now.
    """

    def __init__(self, instances: Callable[[], Iterable[Instance]]) -> None:
        self._instances = instances
        self._deliveries: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._closed = False

    def publish(self, topic: str, data: Any = None, source: str = "") -> int:
        """Send an event to all who subscribe to it.

        Returns:
            How many deliveries it makes.
        """
        occurrence = Occurrence(
            topic=topic, data=data, source=source, time_s=time.time(), id=f"{time.time_ns():x}-{next(self._numbers)}"
        )
        started = 0
        for instance in () if self._closed else self._instances():
            for method in self._receivers(instance, topic):
                if len(self._deliveries) >= DEFERRED_MAX:
                    instance.book.note(f"event {topic} dropped: too many deliveries are under way", level="WARNING")
                    continue
                task = asyncio.get_running_loop().create_task(self._deliver(instance, method, occurrence))
                self._deliveries.add(task)
                task.add_done_callback(self._deliveries.discard)
                started += 1
        return started

    def _receivers(self, instance: Instance, topic: str) -> list[str]:
        allowed = instance.manifest.permissions.events.subscribe
        methods = [
            subscription.method
            for subscription in instance.contributions.subscriptions
            if matches(subscription.pattern, topic)
            and any(event_covers(granted, subscription.pattern) for granted in allowed)
        ]
        wakes = any(each.event and matches(each.event, topic) for each in instance.manifest.activation)
        return methods or ([""] if wakes else [])

    async def _deliver(self, instance: Instance, method: str, occurrence: Occurrence) -> None:
        """Deliver one event; an empty method only wakes the plugin."""
        try:
            if method:
                await instance.request("event", occurrence, method, header(instance.timeout_s()))
            else:
                await instance.awake(instance.timeout_s())
        except SomnusError as error:
            instance.book.note(f"event {occurrence.topic} was not taken: {error}", level="WARNING")

    async def close(self) -> None:
        """Give up what is under way; nothing is delivered any more."""
        self._closed = True
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)


class Timetable:
    """Calls scheduled methods when their time has come; one timer for all plugins.

    A plugin that misses its time because the host was down or the method still ran is called at the next time, once.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Instance, Schedule]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._running: dict[tuple[str, Schedule], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def set(self, instances: Iterable[Instance]) -> None:
        """Follow the schedules of these plugins from now on; one that is followed already keeps its next time."""
        known = {(instance.id, schedule): when for when, _, instance, schedule in self._due}
        self._due = []
        for instance in instances:
            for schedule in instance.contributions.schedules:
                when = known.get((instance.id, schedule)) or _next(schedule, time.time())
                if when < math.inf:
                    self._due.append((when, next(self._numbers), instance, schedule))
                else:
                    instance.book.note(f"scheduled {schedule.method}: {schedule.cron!r} never comes", level="WARNING")
        heapq.heapify(self._due)
        self._changed.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            wait_s = min(LOOK_S, max(0.0, self._due[0][0] - time.time())) if self._due else None
            try:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together with the event.
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                self._start_due(time.time())

    def _start_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, number, instance, schedule = heapq.heappop(self._due)
            heapq.heappush(self._due, (_next(schedule, now), number, instance, schedule))
            key = (instance.id, schedule)
            if key not in self._running:
                task = self._running[key] = asyncio.get_running_loop().create_task(self._call(instance, schedule))
                task.add_done_callback(lambda done, key=key: self._running.pop(key, None))  # type: ignore[misc]  # bound now

    async def _call(self, instance: Instance, schedule: Schedule) -> None:
        try:
            await instance.request("schedule", None, schedule.method, header(instance.timeout_s()))
        except SomnusError as error:
            instance.book.note(f"scheduled {schedule.method} failed: {error}", level="WARNING")

    async def close(self) -> None:
        """Stop calling."""
        tasks = [*self._running.values(), *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _next(schedule: Schedule, now: float) -> float:
    """Seconds since the epoch; infinity for an expression that means no time, which a forged file may hold."""
    if schedule.cron is not None:
        try:
            return float(next(CronSim(schedule.cron, datetime.fromtimestamp(now).astimezone())).timestamp())
        except (CronSimError, StopIteration):
            return math.inf
    return now + max(SHORTEST_PERIOD_S, schedule.every_s or 0.0)
