"""The frames: everything that is ever sent between two peers.

A frame is a msgpack array whose first element is its type. The `payload` of a frame is decoded later, by whoever knows
what it should be, so that a wrong type there is an error of that one call and not of the connection.

Ids are chosen by the side that starts a call: odd ones by the host, even ones by the worker or door. Frames of a call
travel in both directions under its id.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict, cast

import msgspec

from somnus_plugins.errors import SomnusError

__all__ = [
    "EMPTY_HEADER",
    "PROGRESS_MAX_CHARS",
    "Cancel",
    "Credit",
    "End",
    "ErrorRecord",
    "Failure",
    "Filled",
    "Frame",
    "Header",
    "Item",
    "Progress",
    "Request",
    "Reserve",
    "Reserved",
    "Response",
    "Spilled",
    "raw",
    "record",
]


class Header(msgspec.Struct, array_like=True, frozen=True):
    """What rides with a call. The host writes it; a worker's own header is never believed."""

    timeout_s: float | None = None
    """Seconds the callee has, from arrival; None means its own limit."""
    trace: str = ""
    """32 hex digits: the W3C trace id of the root call."""
    caller: str = ""
    """Id of the plugin that calls, or empty for the application."""
    depth: int = 0
    """How many calls between plugins lie above this one."""
    chain: tuple[str, ...] = ()
    """Ids of the plugins above, outermost first."""
    user: str | None = None
    """The person on whose behalf, as the application names them."""
    session: str | None = None
    """The application's session."""


EMPTY_HEADER: Final = Header()

PROGRESS_MAX_CHARS: Final = 1_000
"""Longest text of a progress message, in characters: it is for one line on a screen."""


class ErrorRecord(TypedDict, total=False):
    """An error as `errors.SomnusError.to_record` gives it; its data is decoded by whoever knows how much to allow."""

    code: str
    message: str
    remedy: str
    data: msgspec.Raw


class Request(msgspec.Struct, array_like=True, tag=1):
    """Starts a call."""

    id: int
    method: str
    target: str
    """What the method acts on: the name of a tool, for `tool`."""
    header: Header
    streams: int
    """Bit 0: the caller will send items. Bit 1: the caller takes items."""
    payload: msgspec.Raw


class Response(msgspec.Struct, array_like=True, tag=2):
    """Ends a call with a result."""

    id: int
    payload: msgspec.Raw


class Failure(msgspec.Struct, array_like=True, tag=3):
    """Ends a call with an error."""

    id: int
    error: ErrorRecord


class Cancel(msgspec.Struct, array_like=True, tag=4):
    """The caller no longer wants the answer. The callee still ends the call with a `Response` or `Failure`."""

    id: int


class Item(msgspec.Struct, array_like=True, tag=5):
    """One item of a stream, in either direction; costs credit."""

    id: int
    payload: msgspec.Raw


class End(msgspec.Struct, array_like=True, tag=6):
    """The caller's stream is complete. (The callee's stream ends with the call.)"""

    id: int


class Credit(msgspec.Struct, array_like=True, tag=7):
    """The reader of a stream has consumed this many bytes; as many more may be sent."""

    id: int
    count: int


class Progress(msgspec.Struct, array_like=True, tag=8):
    """How far a call has come. May be dropped."""

    id: int
    done: float
    total: float | None
    message: str


class Spilled(msgspec.Struct, array_like=True, tag=9):
    """The next frame of the host lies in the shared memory whose descriptor was sent before this one."""

    length: int


class Reserve(msgspec.Struct, array_like=True, tag=10):
    """A worker asks for shared memory for one large frame."""

    ticket: int
    length: int


class Reserved(msgspec.Struct, array_like=True, tag=11):
    """The memory for this ticket was sent as a descriptor; `granted` is false where the size is over the limit."""

    ticket: int
    granted: bool


class Filled(msgspec.Struct, array_like=True, tag=12):
    """The worker no longer needs the memory of this ticket."""

    ticket: int
    written: bool = True
    """Its frame lies there; false where it was given up."""


Frame = Request | Response | Failure | Cancel | Item | End | Credit | Progress | Spilled | Reserve | Reserved | Filled


def raw(value: Any) -> msgspec.Raw:
    """Any value as a payload: the encoder takes it as it is, only the decoder delays."""
    return cast(msgspec.Raw, value)


def record(error: SomnusError) -> ErrorRecord:
    """An error as the content of a `Failure`."""
    return cast(ErrorRecord, error.to_record())
