"""Errors as problems."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from somnus_plugins.errors import NotReady, NotSignedIn, SomnusError, TemporaryError, ToolError, error_classes
from somnus_plugins.pages.problems import DETAIL_MAX_CHARS, PROBLEM_SCHEMA, HttpProblem, send_problem

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "kind", [kind for kind in error_classes() if kind.__name__[0] != "_"], ids=lambda kind: kind.code
)
async def test_every_error_of_the_tree_is_a_problem_of_its_code(kind: type[SomnusError]) -> None:
    problem = HttpProblem.of(kind("what was found", remedy="do this"))
    record = json.loads(problem.body())

    assert (record["status"], record["code"]) == (kind.http_status, kind.code)
    assert record["type"] == f"urn:somnus:error:{kind.code}"
    assert (record["detail"], record["remedy"]) == ("what was found", "do this")
    assert record["title"]
    assert set(PROBLEM_SCHEMA["required"]) <= set(record)
    assert set(record) <= set(PROBLEM_SCHEMA["properties"])


async def test_data_is_sent_and_left_out_where_json_cannot_say_it() -> None:
    good = json.loads(HttpProblem.of(ToolError("x", data={"a": [1]})).body())
    odd = json.loads(HttpProblem.of(ToolError("x", data={"a": object()})).body())

    assert good["data"] == {"a": [1]}
    assert "data" not in odd
    assert odd["detail"] == "x"


async def test_a_long_text_is_cut() -> None:
    problem = HttpProblem.of(ToolError("x" * 100_000, remedy="y" * 100_000))

    assert len(problem.detail) == len(problem.remedy) == DETAIL_MAX_CHARS
    assert problem.title.startswith("Raised by an author")


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (NotSignedIn("x"), (b"www-authenticate", b"Bearer")),
        (NotReady("x"), (b"retry-after", b"1")),
        (TemporaryError("x", 2.2), (b"retry-after", b"3")),
        (TemporaryError("x", 1e12), (b"retry-after", b"86400")),
    ],
)
async def test_a_client_is_told_what_to_send_and_when(error: SomnusError, header: tuple[bytes, bytes]) -> None:
    assert HttpProblem.of(error).headers == (header,)
    assert HttpProblem.of(ToolError("x")).headers == ()


async def sent(scope: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    problem = HttpProblem.http(HTTPStatus.NOT_FOUND, "not_found", "nothing here", headers=((b"x-more", b"1"),))
    await send_problem(scope, send, problem)
    return messages


async def test_a_request_is_answered_with_a_body_nobody_may_run() -> None:
    start, body = await sent({"type": "http"})
    headers = dict(start["headers"])

    assert (start["status"], headers[b"content-type"]) == (404, b"application/problem+json")
    assert int(headers[b"content-length"]) == len(body["body"])
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-more"] == b"1"


async def test_a_handshake_is_refused_with_a_body_where_the_server_can() -> None:
    able = await sent({"type": "websocket", "extensions": {"websocket.http.response": {}}})
    unable = await sent({"type": "websocket", "extensions": None})

    assert [message["type"] for message in able] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert able[0]["status"] == 404
    assert unable == [{"type": "websocket.close", "code": 1008, "reason": "Not Found"}]
