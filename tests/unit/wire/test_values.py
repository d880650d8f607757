"""Answers of unknown shape: what is read, what is refused, and that neither takes long."""

from __future__ import annotations

import itertools
import time
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import InvalidResult
from somnus_plugins.wire.contributions import Contributions, Route, Schedule, Tool
from somnus_plugins.wire.values import SMALL_BYTES, decode_as, decode_value

TRUSTED_S = 2.0
"""Far more than a megabyte takes, far less than a megabyte of keys with one hash."""


def packed(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))


def map_of(keys: list[bytes]) -> msgspec.Raw:
    """A map with these encoded keys, each with nil."""
    return msgspec.Raw(b"\xdf" + len(keys).to_bytes(4, "big") + b"".join(key + b"\xc0" for key in keys))


def array_key(numbers: tuple[int, ...]) -> bytes:
    """A key that is an array of numbers."""
    return bytes([0x90 + len(numbers)]) + b"".join(b"\xcf" + number.to_bytes(8, "big") for number in numbers)


@pytest.mark.parametrize("size", [1, SMALL_BYTES, 8 * SMALL_BYTES])
def test_small_and_large_answers_are_read_alike(size: int) -> None:
    value = {"text": "x" * size, "bytes": b"\0" * size, "list": [1, -1.5, None, True], "map": {"a": {"b": []}}}

    assert decode_value(packed(value)) == value
    assert decode_as(packed(value), dict[str, Any]) == value


def test_a_large_answer_whose_keys_collide_is_refused_at_once() -> None:
    # The hash of an integer is its rest by this number, and that of a tuple depends on its items' alone.
    keys = [*itertools.product([number * (2**61 - 1) for number in range(8)], repeat=5)]
    answer = map_of([array_key(key) for key in keys])
    began = time.monotonic()

    assert len({hash(key) for key in keys[::1_000]}) == 1
    with pytest.raises(InvalidResult, match="cannot be read"):
        decode_value(answer)
    assert time.monotonic() - began < TRUSTED_S


def test_what_a_type_leaves_open_is_refused_at_once_too() -> None:
    keys = [*itertools.product([number * (2**61 - 1) for number in range(8)], repeat=5)]
    openapi = bytes(map_of([array_key(key) for key in keys]))
    answer = msgspec.Raw(b"\x82\xabfingerprint\xa1f\xa7openapi\x81\xa1x" + openapi)
    began = time.monotonic()

    with pytest.raises(InvalidResult, match="no Contributions"):
        decode_as(answer, Contributions)
    assert time.monotonic() - began < TRUSTED_S


def test_large_contributions_arrive_as_they_were() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"default": number / 3} for number in range(500)}}
    said = Contributions(
        fingerprint="f" * 64,
        tools=(Tool(name="a", kind="node", input_schema=schema, timeout_s=5),),
        routes=(Route(path="/a", methods=("GET", "POST")),),
        openapi=schema,
        schedules=(Schedule(method="b", every_s=1),),
    )

    assert memoryview(packed(said)).nbytes > SMALL_BYTES
    assert decode_as(packed(said), Contributions) == said
    with pytest.raises(InvalidResult, match=r"no Contributions: .*fingerprint"):
        decode_as(packed(schema), Contributions)


def test_keys_of_a_large_answer_are_text_or_bytes() -> None:
    many = [b"\xa4" + f"{number:04d}".encode() for number in range(2_000)]

    assert decode_value(map_of(many)) == {f"{number:04d}": None for number in range(2_000)}
    with pytest.raises(InvalidResult, match="cannot be read"):
        decode_value(map_of([*many, b"\x07"]))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x92\x01", b"\xd9\xff", b"\x91" * 5_000, b"\x91" * 100])
def test_what_is_no_answer_is_one_kind_of_error(body: bytes) -> None:
    with pytest.raises(InvalidResult, match="the answer"):
        decode_value(msgspec.Raw(body))
    with pytest.raises(InvalidResult, match="the answer is no list"):
        decode_as(msgspec.Raw(body), list)
