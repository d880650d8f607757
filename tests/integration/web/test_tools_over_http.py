"""Tools over HTTP: results, streams, progress, problems."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.integration.web.serving import Site
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

TOOLS = "/plugins/workshop/tools"
EVENTS = {"Accept": "text/event-stream"}
LINES = {"Accept": "application/x-ndjson"}


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a stream, without what only keeps it alive."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


async def test_a_result_is_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/add", json={"a": 40, "b": 2})

    assert answer.json() == 42
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


async def test_no_body_is_no_arguments(client: httpx.AsyncClient) -> None:
    assert set((await client.post(f"{TOOLS}/counters")).json()) == {"left", "sent"}
    assert (await client.post(f"{TOOLS}/whoami", content=b"  ")).json() is None


@pytest.mark.parametrize(
    ("tool", "body", "status", "code"),
    [
        ("add", b'{"a": "x"}', 422, "invalid_input"),
        ("add", b"{", 422, "invalid_input"),
        ("add", b"[1]", 422, "invalid_input"),
        ("nothing", b"{}", 404, "unknown_tool"),
        ("refuse", b"{}", 422, "tool_error"),
        ("later", b"{}", 503, "temporary_error"),
    ],
)
async def test_a_failure_is_a_problem_with_its_code(
    client: httpx.AsyncClient, tool: str, body: bytes, status: int, code: str
) -> None:
    answer = await client.post(f"{TOOLS}/{tool}", content=body, headers={"Content-Type": "application/json"})
    problem = answer.json()

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status)
    assert problem["type"] == f"urn:somnus:error:{code}"
    assert problem["detail"]


async def test_what_may_be_tried_later_says_when(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/later")

    assert answer.headers["retry-after"] == "7"
    assert answer.json()["data"] == {"delay_s": 7.0}


async def test_the_caller_may_wait_for_less_time(client: httpx.AsyncClient) -> None:
    late = await client.post(f"{TOOLS}/linger?timeout_s=0.2")
    odd = await client.post(f"{TOOLS}/linger?timeout_s=soon")

    assert (late.status_code, late.json()["code"]) == (504, "call_timeout")
    assert (odd.status_code, odd.json()["code"]) == (400, "usage")


async def test_items_and_progress_come_as_events(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/ingest", json={"names": ["a", "b"]}, headers=EVENTS)
    found = events(answer.text)

    assert answer.headers["content-type"] == "text/event-stream"
    assert [value for name, value in found if name == "item"] == ["a", "b"]
    assert {"done": 2.0, "total": 2.0, "message": "at b"} in [value for name, value in found if name == "progress"]
    assert found[-1] == ("result", None)


async def test_items_and_progress_come_as_lines(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/ingest", json={"names": ["a", "b"]}, headers=LINES)
    lines = [json.loads(line) for line in answer.text.splitlines()]

    assert [line["item"] for line in lines if "item" in line] == ["a", "b"]
    assert lines[-1] == {"result": None}
    assert all(len(line) == 1 for line in lines)


async def test_a_stream_is_a_list_for_who_takes_no_stream(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/ingest", json={"names": ["a", "b"]})

    assert answer.json() == ["a", "b"]
    assert answer.headers["content-type"] == "application/json"


async def test_a_tool_without_a_stream_gives_one_result_as_an_event(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/add", json={"a": 1}, headers=EVENTS)

    assert events(answer.text) == [("result", 2)]


async def test_what_fails_at_once_has_a_status_even_for_a_stream(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/add", json={"a": "x"}, headers=EVENTS)

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_input"


async def test_what_fails_half_way_is_the_last_event(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{TOOLS}/ingest", json={"names": ["a", "bad", "c"]}, headers=EVENTS)
    found = events(answer.text)

    assert answer.status_code == 200
    assert ("item", "a") in found
    assert found[-1][0] == "error"
    assert found[-1][1]["code"] == "tool_error"


@pytest.mark.parametrize("headers", [{}, EVENTS], ids=["one result", "a stream"])
async def test_leaving_cancels_the_call(shared: Site, headers: dict[str, str]) -> None:
    before = (await shared.host.call("workshop", "counters"))["left"]
    async with shared.client() as leaver:
        call = asyncio.create_task(leaver.post(f"{TOOLS}/linger", headers=headers))

        async def runs() -> bool:
            return (await shared.host.info("workshop")).running >= 1

        await eventually(runs)
        call.cancel()
        await asyncio.wait([call])

    async def noticed() -> bool:
        return bool((await shared.host.call("workshop", "counters"))["left"] > before)

    assert await eventually(noticed)
    assert (await shared.host.info("workshop")).running == 0


async def test_a_form_of_another_site_cannot_call_a_tool(shared: Site) -> None:
    async with shared.client(headers={}) as client:
        token = shared.bearer["Authorization"].removeprefix("Bearer ")
        await client.post("/api/v1/session", json={"token": token})
        form = await client.post(f"{TOOLS}/add", content=b'{"a": 1}', headers={"Content-Type": "text/plain"})
        foreign = {"Content-Type": "text/plain", "X-Somnus-CSRF": "1"}
        typed = await client.post(f"{TOOLS}/add", content=b'{"a": 1}', headers=foreign)
        ours = await client.post(f"{TOOLS}/add", json={"a": 1}, headers={"X-Somnus-CSRF": "1"})

    assert (form.status_code, form.json()["code"]) == (403, "cross_site")
    assert (typed.status_code, typed.json()["code"]) == (415, "not_json")
    assert ours.json() == 2
