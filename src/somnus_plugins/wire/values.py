"""Payloads of unknown shape to built-in types.

Small ones are decoded by msgspec. It accepts arrays as keys of maps and makes tuples of them, and the hash of a tuple
can be foreseen: a megabyte of keys that collide would keep the process busy for hours. So what is not small is decoded
by msgpack, which allows only text and bytes as keys; their hashes are salted anew in every process.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgpack  # type: ignore[import-untyped]  # ships no types; one function of it is used
import msgspec

from somnus_plugins.errors import InvalidResult
from somnus_plugins.wire.codec import DECODE_ERRORS

__all__ = ["decode_as", "decode_value"]

SMALL_BYTES: Final = 4096
"""Up to here colliding keys cost less than a millisecond."""

T = TypeVar("T")
_decode_small: Final = msgspec.msgpack.Decoder().decode


def _decode_large(payload: msgspec.Raw) -> Any:
    return msgpack.unpackb(memoryview(payload), timestamp=3)


def decode_value(payload: msgspec.Raw) -> Any:
    """A payload as built-in types; maps of a large one must have text or bytes as keys.

    Raises:
        InvalidResult: It is not valid.
    """
    try:
        if memoryview(payload).nbytes <= SMALL_BYTES:
            return _decode_small(payload)
        return _decode_large(payload)
    except DECODE_ERRORS as error:
        raise InvalidResult(f"the answer cannot be read: {error}") from error


def decode_as(payload: msgspec.Raw, kind: type[T]) -> T:
    """A payload as a type; a large one is read as `decode_value` reads it, because a type may leave a part open.

    Raises:
        InvalidResult: It does not fit.
    """
    try:
        if memoryview(payload).nbytes <= SMALL_BYTES:
            return msgspec.msgpack.decode(payload, type=kind)
        return msgspec.convert(_decode_large(payload), type=kind)
    except DECODE_ERRORS as error:
        raise InvalidResult(f"the answer is no {getattr(kind, '__name__', kind)}: {error}") from error
