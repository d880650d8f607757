"""Frames to bytes and back, wherever the bytes are cut."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from typing import Any, get_args

import msgspec
import pytest

from somnus_plugins.errors import ToolError
from somnus_plugins.wire.codec import DECODE_ERRORS, ENCODE_ERRORS, HOST_READS, WORKER_READS, Splitter, encode_frame
from somnus_plugins.wire.frames import (
    EMPTY_HEADER,
    Cancel,
    Credit,
    End,
    Failure,
    Filled,
    Frame,
    Header,
    Item,
    Progress,
    Request,
    Reserve,
    Reserved,
    Response,
    Spilled,
    raw,
    record,
)
from tests.support.wire import KIB, framed

FRAMES: dict[type, Frame] = {
    type(frame): frame
    for frame in [
        Request(1, "tool", "search", Header(1.5, "ab", "a/b", 2, ("x/y",), "u", None), 3, raw({"q": "sleep"})),
        Response(2, raw([1, None])),
        Failure(3, record(ToolError("no", data={"a": [1]}))),
        Cancel(2**64 - 1),
        Item(5, raw(b"\x00")),
        End(6),
        Credit(7, 2**40),
        Progress(8, 0.5, None, "half"),
        Spilled(9),
        Reserve(10, 11),
        Reserved(12, True),
        Filled(13),
    ]
}
FROM_HOST_ONLY = {Spilled, Reserved}
FROM_WORKER_ONLY = {Reserve, Filled}


def fed(splitter: Splitter, *pieces: bytes) -> list[bytes]:
    return [body for piece in pieces for body in splitter.feed(piece)]


# --- frames -----------------------------------------------------------------------------------------------------------


def test_every_frame_is_known_here() -> None:
    assert set(FRAMES) == set(get_args(Frame))
    assert len(FRAMES) == 12


@pytest.mark.parametrize("frame", FRAMES.values(), ids=lambda frame: type(frame).__name__)
def test_a_frame_is_read_as_it_was_written_by_the_sides_that_may_get_it(frame: Frame) -> None:
    body = encode_frame(frame)
    for decoder, never in ((HOST_READS, FROM_HOST_ONLY), (WORKER_READS, FROM_WORKER_ONLY)):
        if type(frame) in never:
            with pytest.raises(msgspec.ValidationError):
                decoder.decode(body)
        else:
            read = decoder.decode(body)
            assert type(read) is type(frame)
            assert encode_frame(read) == body


def test_a_payload_is_not_decoded_with_its_frame() -> None:
    body = encode_frame(Response(1, raw({"a": 1})))[:-1] + b"\xc1"

    with pytest.raises(DECODE_ERRORS):
        HOST_READS.decode(body)
    read = HOST_READS.decode(encode_frame(Response(1, raw({"a": 1}))))
    assert isinstance(read, Response)
    assert type(read.payload) is msgspec.Raw


def test_a_header_may_leave_its_later_fields_out() -> None:
    read = HOST_READS.decode(msgspec.msgpack.encode([1, 2, "m", "", [], 0, None]))

    assert isinstance(read, Request)
    assert read.header == EMPTY_HEADER


@pytest.mark.parametrize(
    "value",
    [object(), 2**64, "\ud800", 1j, {object(): 1}],
    ids=["an object", "a large number", "a lone surrogate", "a complex number", "an odd key"],
)
def test_what_cannot_be_encoded_raises_one_of_the_errors_that_are_named(value: Any) -> None:
    with pytest.raises(ENCODE_ERRORS):
        encode_frame(Response(1, raw(value)))
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ENCODE_ERRORS):
        encode_frame(Response(1, nested))
    while nested:
        nested = nested.pop()


@pytest.mark.parametrize(
    "error",
    [
        b"\xa2no",
        b"\x90",
        b"\x81\xa7message\x91\x90",
        b"\x81\xa4code\x05",
        b"\x81\xa6remedy\x80",
        b"\x81\xa7message\xa2\xff\xfe",
    ],
)
def test_an_error_record_has_texts_where_texts_belong(error: bytes) -> None:
    with pytest.raises(DECODE_ERRORS):
        HOST_READS.decode(b"\x93\x03\x01" + error)
    assert type(HOST_READS.decode(b"\x93\x03\x01\x80")) is Failure


def test_the_data_of_an_error_is_not_decoded_with_its_frame() -> None:
    million = b"\xdd" + struct.pack(">I", 1_000_000) + b"\x90" * 1_000_000
    body = b"\x93\x03\x01\x81\xa4data" + million
    tracemalloc.start()
    try:
        read = HOST_READS.decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(read, Failure)
    assert type(read.error["data"]) is msgspec.Raw
    assert peak < 100 * KIB


# --- the splitter -----------------------------------------------------------------------------------------------------

BODIES = [b"", b"a", b"bc" * 100, b"\x00\x00\x00\x01", b"d" * 300]
STREAM = framed(*BODIES)


def test_a_stream_may_be_cut_anywhere() -> None:
    for cut in range(len(STREAM) + 1):
        splitter = Splitter(300)

        assert fed(splitter, STREAM[:cut], STREAM[cut:]) == BODIES
        assert splitter.oversized == 0


def test_a_stream_may_arrive_byte_by_byte_or_in_any_pieces() -> None:
    assert fed(Splitter(300), *(bytes([each]) for each in STREAM)) == BODIES
    chance = random.Random(1)
    for _ in range(200):
        cuts = sorted(chance.sample(range(len(STREAM)), 5))
        pieces = [STREAM[start:end] for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
        assert fed(Splitter(300), *pieces, b"") == BODIES


def test_nothing_comes_out_of_an_unfinished_frame() -> None:
    splitter = Splitter(300)

    assert fed(splitter, b"", b"\x00", b"\x00\x00", b"\x03ab") == []
    assert fed(splitter, b"c\x00") == [b"abc"]
    assert fed(splitter, b"\x00\x00\x00") == [b""]


@pytest.mark.parametrize("cut", range(0, 64, 3))
def test_a_frame_that_is_too_long_is_skipped_and_the_next_one_is_read(cut: int) -> None:
    stream = framed(b"ok", b"x" * 41, b"after")
    splitter = Splitter(40)

    assert fed(splitter, stream[:cut], stream[cut:]) == [b"ok", b"after"]
    assert splitter.oversized == 2


def test_the_longest_frame_allowed_is_not_too_long() -> None:
    splitter = Splitter(40)

    assert fed(splitter, framed(b"x" * 40)) == [b"x" * 40]
    assert splitter.oversized == 0


@pytest.mark.parametrize("length", [2**31, 2**32 - 1, 301])
def test_a_length_over_the_limit_allocates_nothing(length: int) -> None:
    splitter = Splitter(64 * KIB)
    chunk = b"x" * (64 * KIB)
    tracemalloc.start()
    try:
        bodies = fed(splitter, struct.pack(">I", max(length, 64 * KIB + 1)))
        for _ in range(32):
            bodies += fed(splitter, chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 512 * KIB
    assert splitter.oversized >= 1
    assert bodies == [] or length == 301


def test_a_flood_under_one_endless_length_is_counted_as_it_arrives() -> None:
    splitter = Splitter(KIB)

    assert fed(splitter, struct.pack(">I", 2**32 - 1), b"x" * (10 * KIB)) == []
    assert 10 <= splitter.oversized <= 12


def test_many_lengths_that_are_too_long_are_each_counted() -> None:
    splitter = Splitter(10)

    assert fed(splitter, framed(*[b"x" * 11] * 50), framed(b"end")) == [b"end"]
    assert splitter.oversized >= 50


def test_what_was_not_taken_is_given_next_time() -> None:
    for taken in range(len(BODIES) + 1):
        splitter = Splitter(300)
        bodies = splitter.feed(STREAM + b"\x00\x00")
        first = [next(bodies) for _ in range(taken)]
        bodies.close()

        assert first + fed(splitter, b"", b"\x00\x01z") == [*BODIES, b"z"] or taken == 0
        if taken:
            assert fed(splitter, framed(b"more")) == [b"more"]


def test_a_frame_that_trickles_in_is_copied_once() -> None:
    size = 1024 * KIB
    splitter = Splitter(size)
    head = framed(b"x" * size)[:-20_000]
    assert fed(splitter, head) == []

    began = time.process_time()
    bodies = fed(splitter, *[b"x"] * 20_000)
    spent_s = time.process_time() - began

    assert [len(body) for body in bodies] == [size]
    assert spent_s < 20_000 * 50e-6, "each byte costs as much as the whole frame"
