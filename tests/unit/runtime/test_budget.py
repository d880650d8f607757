"""How often a plugin may crash."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from somnus_plugins.runtime.budget import CrashBudget


def test_the_wait_grows_with_the_crashes_and_the_last_one_exhausts() -> None:
    budget = CrashBudget(4, 60, (0.0, 0.1, 0.5))

    verdicts = [budget.crashed(now) for now in (0.0, 1.0, 2.0, 3.0)]

    assert [each.wait_s for each in verdicts] == [0.0, 0.1, 0.5, 0.5]
    assert [each.exhausted for each in verdicts] == [False, False, False, True]
    assert [each.crashes for each in verdicts] == [1, 2, 3, 4]


def test_crashes_outside_the_window_and_forgiven_ones_do_not_count() -> None:
    budget = CrashBudget(2, 10, (1.0,))

    assert not budget.crashed(0.0).exhausted
    assert not budget.crashed(10.5).exhausted
    assert budget.crashed(20.0).exhausted
    budget.forgive()
    assert budget.crashed(20.1).crashes == 1


def test_without_a_schedule_nothing_waits() -> None:
    assert CrashBudget(1, 1, ()).crashed(0.0).wait_s == 0.0
    assert CrashBudget(1, 1, ()).crashed(0.0).exhausted


@given(st.integers(1, 6), st.floats(1, 100), st.lists(st.floats(0, 50), max_size=40))
def test_a_plugin_is_held_exactly_when_the_window_is_full(most: int, window_s: float, gaps: list[float]) -> None:
    budget, now, times = CrashBudget(most, window_s, (0.5,)), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        verdict = budget.crashed(now)
        counted = [each for each in times if now - each <= window_s]
        assert verdict.exhausted is (len(counted) >= most)
        assert verdict.crashes == min(most, len(counted))
