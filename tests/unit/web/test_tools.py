"""Bodies of tool calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from somnus_plugins.errors import InvalidInput
from somnus_plugins.pages.problems import HttpProblem
from somnus_plugins.web.tools import FORMATS, read_body, read_object, written

pytestmark = pytest.mark.anyio


def receiving(*messages: dict[str, Any]) -> Callable[[], Any]:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_put_together() -> None:
    assert await read_body(receiving(piece(b"ab"), piece(b"cd", more=False)), 4, 10) == b"abcd"
    assert await read_body(receiving({"type": "http.request"}), 0, 10) == b""


async def test_a_body_that_is_too_large_is_a_problem_before_and_while_it_is_read() -> None:
    announced = await read_body(receiving(), 11, 10)
    growing = await read_body(receiving(piece(b"x" * 6), piece(b"x" * 6)), 0, 10)

    assert isinstance(announced, HttpProblem)
    assert isinstance(growing, HttpProblem)
    assert announced.status == growing.status == 413


async def test_a_client_that_leaves_leaves_no_body() -> None:
    assert await read_body(receiving(piece(b"x"), {"type": "http.disconnect"}), 0, 10) is None
    assert await read_body(receiving({"type": "http.disconnect"}), 0, 10) is None


@pytest.mark.parametrize(("body", "found"), [(b"", {}), (b" \n", {}), (b"{}", {}), (b'{"a": [1]}', {"a": [1]})])
async def test_an_object_is_read(body: bytes, found: dict[str, Any]) -> None:
    assert read_object(body) == found
    assert isinstance(read_object(body), dict)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{", b"\xff", b"[" * 100_000, b"{'a': 1}"])
async def test_everything_else_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_object(body)

    assert caught.value.remedy
    assert len(caught.value.message) < 500


async def test_what_keeps_a_stream_alive_is_no_event_and_a_line_like_the_others() -> None:
    assert written(FORMATS[b"text/event-stream"], None) == b":\n\n"
    assert written(FORMATS[b"application/x-ndjson"], None) == b'{"progress":null}\n'


@pytest.mark.parametrize("text", ["one line", "two\nlines", "data: x\n\nevent: error", "\u2028"])
async def test_text_of_a_plugin_cannot_begin_an_event_of_its_own(text: str) -> None:
    events, lines = FORMATS[b"text/event-stream"], FORMATS[b"application/x-ndjson"]
    event, line = events("item", text).decode(), lines("item", text).decode()

    assert event.count("\n\n") == 1
    assert json.loads(event.removeprefix("event: item\ndata: ")) == text
    assert (line.count("\n"), json.loads(line)) == (1, {"item": text})
