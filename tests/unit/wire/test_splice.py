"""Bodies in pieces, against the same frames encoded whole."""

from __future__ import annotations

from typing import Any

import pytest

from somnus_plugins.wire.codec import WORKER_READS, encode_frame
from somnus_plugins.wire.frames import Header, Request, raw
from somnus_plugins.wire.splice import Spliced, large_bytes

LARGE = b"\x5a" * 70_000


def request(arguments: dict[str, Any]) -> Request:
    return Request(7, "tool", "size", Header(timeout_s=1.5, trace="a" * 32), 0, raw(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {"data": LARGE},
        {"before": 1, "data": LARGE, "after": [None, "x"]},
        {"data": LARGE, "other": LARGE + b"!"},
        {"data": LARGE, "small": b"\x5a" * 16},
    ],
    ids=["alone", "between others", "beside another large one", "beside a small one"],
)
def test_the_pieces_put_together_are_the_frame(arguments: dict[str, Any]) -> None:
    spliced = Spliced(request(arguments), "data")
    whole = encode_frame(request(arguments))

    assert b"".join(spliced.pieces) == whole
    assert len(spliced) == len(whole)
    assert spliced.pieces[1] is arguments["data"]
    assert WORKER_READS.decode(b"".join(spliced.pieces)) == WORKER_READS.decode(whole)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"a": 1, "data": LARGE}, "data"),
        ({"data": LARGE[:100]}, None),
        ({"data": bytearray(LARGE)}, None),
        ({"inside": {"data": LARGE}}, None),
        ({5: LARGE}, None),
        ([LARGE], None),
        (None, None),
    ],
)
def test_only_large_bytes_that_are_an_argument_themselves_are_taken_out(payload: Any, name: str | None) -> None:
    assert large_bytes(payload, 65_536) == name
