"""How often a plugin may crash, and how long it then waits. Pure: the caller brings the time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["CrashBudget", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a crash."""

    crashes: int
    """Crashes within the window, this one included."""
    exhausted: bool
    """Too many: hold the plugin."""
    wait_s: float
    """Seconds until it may be started again."""


class CrashBudget:
    """Counts crashes over a sliding window.

    Args:
        most: Crashes that are too many.
        window_s: Seconds over which they count.
        backoff_s: Seconds to wait after the first, second, … crash of the window; the last one repeats.
    """

    def __init__(self, most: int, window_s: float, backoff_s: tuple[float, ...]) -> None:
        self._most = most
        self._window_s = window_s
        self._backoff_s = backoff_s or (0.0,)
        self._crashes: deque[float] = deque(maxlen=most)

    def crashed(self, now: float) -> Verdict:
        """Count a crash at `now` (monotonic seconds)."""
        while self._crashes and now - self._crashes[0] > self._window_s:
            self._crashes.popleft()
        self._crashes.append(now)
        count = len(self._crashes)
        wait_s = self._backoff_s[min(count, len(self._backoff_s)) - 1]
        return Verdict(count, count >= self._most, wait_s)

    def forgive(self) -> None:
        """Forget all crashes: a person has asked for a new start."""
        self._crashes.clear()
