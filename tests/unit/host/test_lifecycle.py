"""The table of states: what it allows, what it refuses, what people are shown."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from somnus_plugins.errors import InvalidTransition
from somnus_plugins.host.lifecycle import HELD, RUNNING, TRANSITIONS, Lifecycle, State, Word


def at(state: State) -> Lifecycle:
    """A plugin that has come to this state along the table."""
    lifecycle = Lifecycle()
    for step in path_to(state):
        lifecycle.move(step)
    return lifecycle


def path_to(state: State) -> list[State]:
    """The shortest way from the first state."""
    ways: dict[State, list[State]] = {State.DISCOVERED: []}
    waiting = [State.DISCOVERED]
    while waiting:
        here = waiting.pop(0)
        for there in sorted(TRANSITIONS[here] - ways.keys()):
            ways[there] = [*ways[here], there]
            waiting.append(there)
    return ways[state]


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_can_be_left(state: State) -> None:
    assert at(state).state is state
    assert TRANSITIONS[state] - {state}


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_a_step_is_taken_exactly_where_the_table_has_it(before: State, after: State) -> None:
    lifecycle = at(before)

    if after is before or after in TRANSITIONS[before]:
        lifecycle.move(after, "because")
        assert (lifecycle.state, lifecycle.reason) == (after, "because")
    else:
        with pytest.raises(InvalidTransition, match=f"{before} cannot become {after}") as raised:
            lifecycle.move(after)
        assert lifecycle.state is before
        assert all(each in str(raised.value) for each in TRANSITIONS[before])


@given(st.lists(st.sampled_from(State), max_size=40))
def test_any_walk_stays_on_the_table_and_tells_each_step(wishes: list[State]) -> None:
    told: list[tuple[State, State]] = []
    lifecycle = Lifecycle(lambda before, now: told.append((before, now)))
    for wish in wishes:
        try:
            lifecycle.move(wish)
        except InvalidTransition:
            continue

    assert all(now in TRANSITIONS[before] for before, now in told)
    assert [now for _, now in told][-1:] == ([lifecycle.state] if told else [])


def test_a_new_reason_for_the_same_state_is_no_step() -> None:
    told: list[State] = []
    lifecycle = Lifecycle(lambda before, now: told.append(now))

    lifecycle.move(State.DISCOVERED, "again")

    assert lifecycle.reason == "again"
    assert told == []


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.ACTIVE, Word.RUNNING),
        (State.DEGRADED, Word.RUNNING),
        (State.DRAINING, Word.RUNNING),
        (State.STARTING, Word.RUNNING),
        (State.ASLEEP, Word.ASLEEP),
        (State.RESOLVED, Word.ASLEEP),
        (State.STOPPED, Word.OFF),
        (State.FAILED, Word.FAILED),
        (State.CRASH_LOOP, Word.FAILED),
        (State.NEEDS_SETUP, Word.NEEDS_YOU),
        (State.BLOCKED, Word.NEEDS_YOU),
        (State.QUARANTINED, Word.NEEDS_YOU),
        (State.INCOMPATIBLE, Word.NEEDS_YOU),
        (State.MIGRATION_ERROR, Word.NEEDS_YOU),
    ],
)
def test_people_are_shown_one_of_five_words(state: State, word: Word) -> None:
    assert state.word is word
    assert state.held is (state in HELD)
    assert state.has_process is (state in RUNNING)


@pytest.mark.parametrize("state", sorted(HELD))
def test_a_held_plugin_is_only_looked_at_anew_or_switched_off(state: State) -> None:
    assert TRANSITIONS[state] == {State.DISCOVERED, State.STOPPED}
    assert not state.has_process
