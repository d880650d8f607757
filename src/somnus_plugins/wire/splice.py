"""Large bytes among the arguments of a call: carried from where they are, not copied into the body first.

Copying is what a large argument costs: every copy is made of memory that the kernel has to find and clear. The frame
is encoded with a few random bytes in the place of the large ones; the body is then what stands before them, the large
bytes themselves, and what stands behind. Put together it is the same msgpack.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Final

import msgspec

from somnus_plugins.wire.codec import encode_frame
from somnus_plugins.wire.frames import Request, raw

__all__ = ["Spliced", "large_bytes"]

STAND_IN_BYTES: Final = 16
"""Random, so that they stand nowhere else."""
BIN_32: Final = struct.Struct(">BI")


def large_bytes(payload: Any, most: int) -> str | None:
    """The name of an argument that is more than `most` bytes; None where there is none."""
    if type(payload) is dict:
        for name, value in payload.items():
            if type(value) is bytes and len(value) > most and type(name) is str:
                return name
    return None


class Spliced:
    """The body of a request in three pieces.

    Args:
        request: Its payload is a dict of arguments.
        name: The argument that is large.
    """

    __slots__ = ("_length", "pieces")

    def __init__(self, request: Request, name: str) -> None:
        arguments: dict[str, Any] = request.payload  # type: ignore[assignment]  # not encoded yet
        data: bytes = arguments[name]
        stand_in = os.urandom(STAND_IN_BYTES)
        body = encode_frame(msgspec.structs.replace(request, payload=raw({**arguments, name: stand_in})))
        place = body.index(stand_in)
        # Two bytes of header in front of the stand-in (bin 8), five in front of the data (bin 32).
        head = body[: place - 2] + BIN_32.pack(0xC6, len(data))
        self.pieces: tuple[bytes, ...] = (head, data, body[place + STAND_IN_BYTES :])
        self._length = sum(map(len, self.pieces))

    def __len__(self) -> int:
        return self._length
