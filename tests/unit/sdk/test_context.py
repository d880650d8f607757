"""A call tells what the host wrote, and nothing else."""

from __future__ import annotations

from contextvars import copy_context
from time import monotonic

import pytest

from somnus_plugins.errors import UsageError
from somnus_plugins.sdk import Call
from somnus_plugins.sdk.context import ACTIVE
from somnus_plugins.wire.frames import EMPTY_HEADER, Header

pytestmark = pytest.mark.anyio


class Source:
    """A request, as far as a call reads it."""

    def __init__(self, header: Header = EMPTY_HEADER, received: float = 0.0) -> None:
        self.header = header
        self.received = received
        self.told: list[tuple[float, float | None, str]] = []

    def progress(self, done: float, total: float | None, message: str) -> None:
        self.told.append((done, total, message))


def test_a_call_reads_the_header() -> None:
    call = Call(
        Source(Header(trace="0af7", caller="somnus/journal", depth=3, chain=("a/b",), user="ada", session="s1"))
    )

    assert (call.caller, call.user, call.session) == ("somnus/journal", "ada", "s1")
    assert (call.depth, call.trace_id) == (3, "0af7")


def test_a_call_of_the_application_has_no_caller_and_no_user() -> None:
    call = Call(Source())

    assert (call.caller, call.depth) == ("", 0)
    assert call.user is None
    assert call.session is None


def test_a_deadline_counts_from_the_arrival() -> None:
    call = Call(Source(Header(timeout_s=30.0), received=monotonic()))

    assert call.deadline == pytest.approx(monotonic() + 30, abs=1)
    assert call.remaining_s == pytest.approx(30, abs=1)


def test_without_a_timeout_there_is_no_deadline() -> None:
    call = Call(Source())

    assert call.deadline is None
    assert call.remaining_s is None


def test_what_remains_is_never_negative() -> None:
    call = Call(Source(Header(timeout_s=1.0), received=monotonic() - 100))

    assert call.remaining_s == 0.0
    assert call.deadline is not None
    assert call.deadline < monotonic()


async def test_progress_reaches_the_caller_as_numbers() -> None:
    source = Source()

    await Call(source).progress(1, 3, "reading")
    await Call(source).progress(2)

    assert source.told == [(1.0, 3.0, "reading"), (2.0, None, "")]
    assert all(isinstance(done, float) for done, _, _ in source.told)


def test_the_current_call_is_that_of_the_context() -> None:
    call = Call(Source())
    context = copy_context()
    context.run(ACTIVE.set, call)

    assert context.run(Call.current) is call
    with pytest.raises(UsageError, match="no call is being served"):
        copy_context().run(Call.current)


def test_outside_a_call_the_remedy_says_where_to_use_it() -> None:
    with pytest.raises(UsageError) as caught:
        copy_context().run(Call.current)

    assert "tool, route, event or schedule" in caught.value.remedy
    assert caught.value.code == "usage"


@pytest.mark.parametrize("name", ["caller", "user", "depth", "trace_id", "deadline"])
def test_a_plugin_cannot_change_what_the_host_wrote(name: str) -> None:
    call = Call(Source())

    with pytest.raises(AttributeError):
        setattr(call, name, "forged")
    assert call.caller == ""
