"""The call that is being served, as the plugin's code sees it."""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from somnus_plugins.errors import UsageError

if TYPE_CHECKING:
    from somnus_plugins.wire.frames import Header

__all__ = ["ACTIVE", "Call", "CallSource"]


class CallSource(Protocol):
    """What a `Call` reads: a request as it came from the host."""

    @property
    def header(self) -> Header:
        """Who calls, and how long they wait."""

    @property
    def received(self) -> float:
        """When it arrived, in seconds of `time.monotonic`."""

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Tell the caller how far it has come."""


class Call:
    """The call that is being served.

    A parameter with this annotation is filled in by the SDK and never appears in a schema. Everything here was written
    by the host; no plugin can claim another caller, user or depth.
    """

    __slots__ = ("_source", "served_by")

    def __init__(self, source: CallSource, served_by: object = None) -> None:
        self._source = source
        self.served_by = served_by
        """The plugin that serves it."""

    @classmethod
    def current(cls) -> Call:
        """The call that the running code serves.

        Raises:
            UsageError: It serves none: it runs at import, in `on_start`, or in a thread of its own.
        """
        call = ACTIVE.get(None)
        if call is None:
            raise UsageError(
                "Call.current() was used where no call is being served",
                remedy="Use it in a tool, route, event or schedule, or in what these await or call.",
            )
        return call

    @property
    def caller(self) -> str:
        """Id of the plugin that calls; empty for the application."""
        return self._source.header.caller

    @property
    def user(self) -> str | None:
        """The person on whose behalf, as the application names them."""
        return self._source.header.user

    @property
    def session(self) -> str | None:
        """The application's session."""
        return self._source.header.session

    @property
    def depth(self) -> int:
        """How many calls between plugins lie above this one."""
        return self._source.header.depth

    @property
    def trace_id(self) -> str:
        """W3C trace id of the root call, 32 hex digits."""
        return self._source.header.trace

    @property
    def deadline(self) -> float | None:
        """When the caller stops waiting, in seconds of `time.monotonic`; None where only the host's limit holds."""
        timeout_s = self._source.header.timeout_s
        return None if timeout_s is None else self._source.received + timeout_s

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline, never negative; None where there is none."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - monotonic())

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell the caller how far the call has come.

        Args:
            done: How much is done, in the same unit as `total`.
            total: How much there is; None where that is not known.
            message: One line for a person.
        """
        self._source.progress(float(done), None if total is None else float(total), message)


ACTIVE: Final[ContextVar[Call]] = ContextVar("somnus_plugins_call")
"""Set by the worker for the time of each call."""
