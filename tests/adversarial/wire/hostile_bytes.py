"""Bytes for a fuzzer: frames of every type with hostile fields, then cut, flipped, spliced, repeated and reordered."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tests.support.wire import KIB

INTEGERS: Final = (0, 1, -1, 2, 127, 128, -129, 2**16, 2**31, 2**32 - 1, 2**53, -(2**63), 2**63, 2**64 - 1)
TEXTS: Final = ("", "tool", "echo", "items", "read", "wait", "fail", "big", "\x00", "\u202e\x1b[2J", "x" * 300)
ATOMS: Final = (None, True, 0.5, float("nan"), float("inf"), b"", b"\xff" * 40, "", [], {}, {"a": [1, {"b": None}]})
LENGTHS: Final = (0, 1, 64 * KIB + 1, 2**31, 2**32 - 1)
CODES: Final = ("tool_error", "temporary_error", "consent_required", "host_error", "peer_closed", "", "?")


class HostileBytes:
    """An endless source of inputs; the same seed gives the same inputs for the same answers of `ids`.

    Args:
        seed: Where the chance begins.
        ids: Ids that mean something to the peer just now.
    """

    def __init__(self, seed: int, ids: Callable[[], list[int]]) -> None:
        self._chance = random.Random(seed)
        self._ids = ids
        self._fresh = 0
        self._recent: list[bytes] = [b"\x92\x04\x01"]
        self._makers: list[Callable[[], Any]] = [
            lambda: [1, self._new_id(), self._text(), self._text(), self._header(), self._small(), self._value()],
            lambda: [2, self._id(), self._value()],
            lambda: [3, self._id(), self._error()],
            lambda: [4, self._id()],
            lambda: [5, self._id(), self._value()],
            lambda: [6, self._id()],
            lambda: [7, self._id(), self._integer()],
            lambda: [8, self._id(), self._number(), self._number(), self._text()],
            lambda: [9, self._integer()],
            lambda: [10, self._small(), self._chance.choice((1, 100, 70 * KIB, self._integer()))],
            lambda: [11, self._small(), self._chance.random() < 0.5],
            lambda: [12, self._small(), self._chance.random() < 0.7],
        ]
        self._changes = [self._flip, self._cut, self._splice, self._insert, self._repeat]

    def next(self) -> bytes:
        """One input: what arrives in one piece."""
        roll = self._chance.random()
        if roll < 0.005:
            return self._chance.randbytes(self._chance.randrange(1, 200))
        if roll < 0.01:
            return struct.pack(">I", self._chance.choice(LENGTHS)) + self._chance.randbytes(self._chance.randrange(40))
        bodies = [self._body() for _ in range(self._chance.choice((1, 1, 1, 2, 5)))]
        self._chance.shuffle(bodies)
        data = b"".join(struct.pack(">I", len(body)) + body for body in bodies)
        return self._chance.choice(self._changes)(data) if roll > 0.99 else data

    def _body(self) -> bytes:
        body = msgspec.msgpack.encode(self._chance.choice(self._makers)())
        if self._chance.random() < 0.06:
            body = self._chance.choice(self._changes)(body)
        self._recent.append(body)
        if len(self._recent) > 50:
            del self._recent[: self._chance.randrange(1, 50)]
        return body

    # -- fields --------------------------------------------------------------------------------------------------------

    def _integer(self) -> int:
        return self._chance.choice(INTEGERS)

    def _small(self) -> int:
        return self._chance.randrange(4)

    def _text(self) -> Any:
        return self._chance.choice(TEXTS)

    def _id(self) -> int:
        known = self._ids()
        return self._chance.choice(known) if known and self._chance.random() < 0.97 else self._integer()

    def _new_id(self) -> int:
        if self._chance.random() < 0.05:
            return self._id()
        self._fresh += 1
        return 2 * self._fresh + (self._chance.random() < 0.02)

    def fresh(self) -> None:
        """Begin with small ids again: the peer is a new one."""
        self._fresh = 0

    def _value(self) -> Any:
        return self._chance.choice(ATOMS)

    def _number(self) -> Any:
        return self._chance.choice((0.5, 1, None, 2**63, float("nan"), "x")) if self._chance.random() < 0.2 else 0.25

    def _header(self) -> Any:
        fields = [self._value(), self._text(), self._text(), self._integer(), [self._text()], None, self._value()]
        return [] if self._chance.random() < 0.8 else fields[: self._chance.randrange(8)]

    def _error(self) -> Any:
        fields = {"code": self._chance.choice(CODES), "message": self._text(), "remedy": self._text()}
        roll = self._chance.random()
        return self._value() if roll < 0.1 else fields | ({"data": self._value()} if roll < 0.5 else {})

    # -- what is done to bytes -----------------------------------------------------------------------------------------

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._chance.randrange(1, 4)):
            changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _cut(self, data: bytes) -> bytes:
        return data[: self._chance.randrange(len(data))]

    def _splice(self, data: bytes) -> bytes:
        other = self._chance.choice(self._recent) or b"\xc1"
        return data[: self._chance.randrange(len(data) + 1)] + other[self._chance.randrange(len(other)) :]

    def _insert(self, data: bytes) -> bytes:
        place = self._chance.randrange(len(data) + 1)
        return data[:place] + self._chance.randbytes(self._chance.randrange(1, 9)) + data[place:]

    def _repeat(self, data: bytes) -> bytes:
        return data * self._chance.randrange(2, 20)
