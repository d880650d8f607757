"""Frames to bytes and back.

On the wire a frame is its length (32 bit, big endian) and its msgpack. The length is checked before anything is
allocated for it: a longer frame is skipped as its bytes arrive and counted, never collected.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from somnus_plugins.wire.frames import (
    Cancel,
    Credit,
    End,
    Failure,
    Filled,
    Frame,
    Item,
    Progress,
    Request,
    Reserve,
    Reserved,
    Response,
    Spilled,
)

__all__ = ["DECODE_ERRORS", "ENCODE_ERRORS", "HOST_READS", "PREFIX", "WORKER_READS", "Splitter", "encode_frame"]

PREFIX: Final = struct.Struct(">I")

DECODE_ERRORS: Final = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError)
"""Everything that decoding hostile bytes may raise."""

ENCODE_ERRORS: Final = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
"""Everything that encoding a value of an author or a caller may raise."""

_BOTH = Request | Response | Failure | Cancel | Item | End | Credit | Progress

HOST_READS: Final[msgspec.msgpack.Decoder[Frame]] = msgspec.msgpack.Decoder(_BOTH | Reserve | Filled)
"""Decodes what a worker may send."""

WORKER_READS: Final[msgspec.msgpack.Decoder[Frame]] = msgspec.msgpack.Decoder(_BOTH | Spilled | Reserved)
"""Decodes what the host may send."""

encode_frame: Final[Callable[[Frame], bytes]] = msgspec.msgpack.Encoder().encode
"""The body of a frame; raises one of `ENCODE_ERRORS` where its payload cannot be encoded."""


class Splitter:
    """Cuts a stream of bytes into the bodies of frames.

    Holds at most one incomplete frame of at most `max_bytes`.
    """

    __slots__ = ("_buffer", "_needed", "_skip", "max_bytes", "oversized")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.oversized = 0
        """Frames that were longer than `max_bytes`; whoever reads it takes them as strikes."""
        self._buffer = bytearray()
        self._needed = 0
        """Bytes that the frame at the start of the buffer takes, as far as that is known."""
        self._skip = 0

    def is_whole(self, data: bytes) -> bool:
        """Whether these bytes are exactly one frame and nothing is left from before: what most reads bring."""
        length = len(data) - 4
        return (
            not self._buffer
            and not self._skip
            and 0 <= length <= self.max_bytes
            and PREFIX.unpack_from(data)[0] == length
        )

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete with these bytes.

        A frame that is too long adds one to `oversized`, and one more for every `max_bytes` of it that arrive, so that
        a side that never stops sending it does not get away with one. Closed early, it keeps what it has not given for
        the next call.
        """
        if self._skip:
            data = self._skipped(data)
        if self._buffer:
            self._buffer += data
            # A frame that trickles in byte by byte must not be copied for each of them.
            if len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        position, end = 0, len(data)
        self._needed = 4
        try:
            while end - position >= 4:
                (length,) = PREFIX.unpack_from(data, position)
                if length > self.max_bytes:
                    self.oversized += 1
                    self._skip = length
                    data = self._skipped(data[position + 4 :])
                    position, end = 0, len(data)
                    continue
                start = position + 4
                if start + length > end:
                    self._needed = 4 + length
                    break
                position = start + length
                yield data[start:position]
        finally:
            if position < end:
                self._buffer += data[position:] if position else data

    def _skipped(self, data: bytes) -> bytes:
        taken = min(self._skip, len(data))
        before = self._skip // self.max_bytes
        self._skip -= taken
        self.oversized += before - self._skip // self.max_bytes
        return data[taken:]
