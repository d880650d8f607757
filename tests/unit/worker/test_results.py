"""What cannot be sent is found and named; what can is sent as builtins."""

from __future__ import annotations

import datetime
import enum
import socket
import threading
import time
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, HttpUrl

from somnus_plugins.errors import InvalidResult
from somnus_plugins.worker.results import encode_result

UTC = datetime.UTC


class Loose(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    handle: Any = Field(None, alias="grip")


class Slot(msgspec.Struct):
    handle: Any = None


@dataclass
class Box:
    handle: Any = None


class Level(enum.IntEnum):
    LOW = 1


Point = namedtuple("Point", "x y")  # the old kind, as authors still write it


def sent(value: Any) -> Any:
    return msgspec.msgpack.decode(encode_result(value, "search"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"\xff\xd6\xff", b"\xff\xd6\xff"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset("a"), ["a"]),
        (deque([1, 2]), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": Box(1)}), {"a": {"handle": 1}}),
        (Point(1, 2), [1, 2]),
        (Level.LOW, 1),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(minutes=1), "PT60S"),
        (PurePosixPath("/a/b"), "/a/b"),
        (ip_address("::1"), "::1"),
        (ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (HttpUrl("https://example.org/x"), "https://example.org/x"),
        (AnyUrl("redis://h/1"), "redis://h/1"),
        (Loose(grip=1), {"grip": 1}),
        ([Box(Slot(Loose(grip=deque([1]))))], [{"handle": {"handle": {"grip": [1]}}}]),
        ({1: "int key"}, {1: "int key"}),
        (2**64 - 1, 2**64 - 1),
    ],
)
def test_a_value_is_sent_as_builtins(value: Any, expected: Any) -> None:
    found = sent(value)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "when",
    [
        datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime.datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC),
        datetime.datetime(1, 1, 1, tzinfo=UTC),
        datetime.datetime(2500, 1, 1, tzinfo=UTC),
    ],
    ids=["seconds", "with fractions", "long ago", "far ahead"],
)
def test_an_aware_time_is_sent_as_text_however_far_it_is(when: datetime.datetime) -> None:
    found = sent({"when": when, "raw": b"\xff"})

    assert datetime.datetime.fromisoformat(found["when"]) == when
    assert found["raw"] == b"\xff"


def test_a_naive_time_is_sent_as_text_too() -> None:
    assert sent(datetime.datetime(2026, 1, 1)) == "2026-01-01T00:00:00"  # noqa: DTZ001  # naive on purpose
    assert sent([datetime.time(1, 2)]) == ["01:02:00"]


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        (object(), "$", "object"),
        ({"items": [0, 1, 2, {"handle": LOCK}]}, "$.items[3].handle", "lock"),
        ({"a b": LOCK}, "$['a b']", "lock"),
        ({1: LOCK}, "$[1]", "lock"),
        ([(LOCK,)], "$[0][0]", "lock"),
        (Box(Slot(LOCK)), "$.handle.handle", "lock"),
        (Loose(grip=[LOCK]), "$.handle[0]", "lock"),
        (deque([LOCK]), "$[0]", "lock"),
        ({"n": [2**64]}, "$.n[0]", "int beyond 64 bits"),
        ({"n": -(2**63) - 1}, "$.n", "int beyond 64 bits"),
        (["ok", "\ud800"], "$[1]", "text with half of a surrogate pair"),
        ({"f": print}, "$.f", "builtin_function_or_method"),
        ({"e": ValueError("x")}, "$.e", "ValueError"),
        ({"k": type}, "$.k", "type"),
        ({"c": 1j}, "$.c", "complex"),
    ],
)
def test_the_culprit_is_named_with_its_path(value: Any, path: str, found: str) -> None:
    with pytest.raises(InvalidResult) as caught:
        encode_result(value, "search")

    assert caught.value.data == {"path": path, "found": found}
    assert caught.value.message == f"search returned what cannot be sent: {path}: {found}"


def test_a_key_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(InvalidResult, match=r"\$ key <object") as caught:
        encode_result({object(): 1}, "search")

    assert caught.value.data["found"] == "object"


def test_what_holds_itself_is_named() -> None:
    loop: list[Any] = [1]
    loop.append({"again": loop})

    with pytest.raises(InvalidResult, match="a list that holds itself") as caught:
        encode_result(loop, "search")
    assert caught.value.data["path"] == "$[1].again"


def test_an_open_socket_is_named_like_anything_else() -> None:
    with socket.socket() as handle, pytest.raises(InvalidResult, match=r"\$\.handle: socket") as caught:
        encode_result({"handle": handle}, "search")

    assert "dataclasses" in caught.value.remedy


def test_a_coroutine_that_was_not_awaited_is_named() -> None:
    async def forgotten() -> None: ...

    coroutine = forgotten()
    with pytest.raises(InvalidResult, match=r"\$: coroutine"):
        encode_result(coroutine, "search")
    coroutine.close()

    assert coroutine.cr_frame is None


def test_the_culprit_below_very_many_levels_is_looked_for_only_so_far() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    began = time.monotonic()

    with pytest.raises(InvalidResult) as caught:
        encode_result(deep, "search")

    assert time.monotonic() - began < 2
    assert caught.value.data == {"path": f"${'[0]' * 1_000}", "found": "a list below 1,000 levels"}
