"""The states of a plugin and the steps between them. Pure: only `Lifecycle.move` changes a state, and only along the
table.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from somnus_plugins.errors import InvalidTransition

__all__ = ["TRANSITIONS", "Lifecycle", "State", "Word"]


class Word(enum.StrEnum):
    """What people are shown."""

    RUNNING = "running"
    ASLEEP = "asleep"
    NEEDS_YOU = "needs you"
    FAILED = "failed"
    OFF = "off"


class State(enum.StrEnum):
    """What is observed of a plugin. Whether it should run is a field of its own (`desired`), never a state."""

    DISCOVERED = "discovered"
    """Found; nothing is known but where it lies."""
    VERIFIED = "verified"
    """Manifest and contributions are read and valid."""
    RESOLVED = "resolved"
    """What it needs is there, and it fits this host."""
    STARTING = "starting"
    ACTIVE = "active"
    DEGRADED = "degraded"
    """It answers, but calls of its go on after their deadline."""
    DRAINING = "draining"
    """No new calls; running ones may finish."""
    ASLEEP = "asleep"
    """Ordinary: no process; the next call, event, schedule or request wakes it."""
    STOPPED = "stopped"
    """A person has disabled it."""
    NEEDS_SETUP = "needs_setup"
    FAILED = "failed"
    """It did not start."""
    CRASH_LOOP = "crash_loop"
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"
    INCOMPATIBLE = "incompatible"
    MIGRATION_ERROR = "migration_error"

    @property
    def word(self) -> Word:
        """The word for people."""
        return _WORDS[self]

    @property
    def held(self) -> bool:
        """Whether it stays like this until somebody does something."""
        return self in HELD

    @property
    def has_process(self) -> bool:
        """Whether there is a process, or one is being made or ended."""
        return self in RUNNING


RUNNING: Final = frozenset({State.STARTING, State.ACTIVE, State.DEGRADED, State.DRAINING})
HELD: Final = frozenset(
    {
        State.NEEDS_SETUP,
        State.FAILED,
        State.CRASH_LOOP,
        State.BLOCKED,
        State.QUARANTINED,
        State.INCOMPATIBLE,
        State.MIGRATION_ERROR,
    }
)
_WORDS: Final = {
    **dict.fromkeys(State, Word.NEEDS_YOU),
    **dict.fromkeys(RUNNING, Word.RUNNING),
    **dict.fromkeys((State.DISCOVERED, State.VERIFIED, State.RESOLVED, State.ASLEEP), Word.ASLEEP),
    **dict.fromkeys((State.FAILED, State.CRASH_LOOP), Word.FAILED),
    State.STOPPED: Word.OFF,
}

_BEFORE_START: Final = frozenset({State.STOPPED, State.NEEDS_SETUP, State.BLOCKED, State.INCOMPATIBLE})
_AFTER_END: Final = frozenset({State.ASLEEP, State.STOPPED, State.FAILED, State.CRASH_LOOP, State.BLOCKED})

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.DISCOVERED: _BEFORE_START | {State.VERIFIED, State.QUARANTINED, State.FAILED},
    State.VERIFIED: _BEFORE_START | {State.RESOLVED},
    State.RESOLVED: _BEFORE_START | {State.ASLEEP},
    State.ASLEEP: _BEFORE_START | {State.STARTING, State.DISCOVERED, State.QUARANTINED},
    State.STARTING: _AFTER_END | {State.ACTIVE, State.NEEDS_SETUP, State.MIGRATION_ERROR},
    State.ACTIVE: _AFTER_END | {State.DEGRADED, State.DRAINING},
    State.DEGRADED: _AFTER_END | {State.ACTIVE, State.DRAINING},
    State.DRAINING: _AFTER_END | {State.ACTIVE},
    State.STOPPED: frozenset({State.DISCOVERED}),
    **{state: frozenset({State.DISCOVERED, State.STOPPED}) for state in HELD},
}
"""From each state, where it may go. A held or stopped plugin begins again at `discovered`, so that whatever held it is
looked at again."""


class Lifecycle:
    """The state of one plugin, why it is so, and who wants to know.

    Args:
        on_change: Called after every step.
    """

    def __init__(self, on_change: Callable[[State, State], None] | None = None) -> None:
        self.state = State.DISCOVERED
        self.reason = ""
        """Why, for a person; empty where nothing need be said."""
        self._on_change = on_change

    def move(self, state: State, reason: str = "") -> None:
        """Take one step.

        Raises:
            InvalidTransition: The table does not have it.
        """
        before = self.state
        if state is before:
            self.reason = reason
            return
        if state not in TRANSITIONS[before]:
            allowed = ", ".join(sorted(TRANSITIONS[before]))
            raise InvalidTransition(f"a plugin that is {before} cannot become {state}; it can become: {allowed}")
        self.state, self.reason = state, reason
        if self._on_change is not None:
            self._on_change(before, state)
