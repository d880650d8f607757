"""Requests to a plugin's own routes: what arrives there, what comes back, and what happens when somebody leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import httpx
import pytest

from tests.integration.web.serving import Site
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
PLUGIN = "/plugins/workshop"


async def left(site: Site) -> int:
    """How often the plugin noticed that somebody left."""
    counters = await site.host.call("workshop", "counters")
    return int(counters["left"])


# --- what arrives ----------------------------------------------------------------------------------------------------


async def test_path_query_and_root_arrive_as_in_an_application_mounted_there(client: httpx.AsyncClient) -> None:
    seen = (await client.get(f"{PLUGIN}/echo/a%20b/c?x=1&x=2")).json()

    assert seen["rest"] == "a b/c"
    assert seen["query"] == "x=1&x=2"
    assert seen["root"] == PLUGIN
    assert seen["url"].endswith("/c?x=1&x=2")
    assert f"{PLUGIN}/echo/" in seen["url"]


async def test_credentials_and_claims_about_the_sender_do_not_arrive(client: httpx.AsyncClient, shared: Site) -> None:
    given = {
        "Cookie": "session=secret",
        "Proxy-Authorization": "Basic secret",
        "X-Forwarded-For": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Somnus-User": "root",
        "X-Auth-Request-Email": "root@example.com",
        "X-Api-Key": "the plugin's own",
    }
    answer = (await client.get(f"{PLUGIN}/echo/x", headers=given)).json()
    names = {name for name, _ in answer["headers"]}

    assert "secret" not in str(answer["headers"])
    assert shared.bearer["Authorization"] not in str(answer)
    assert names & {"authorization", "cookie", "x-forwarded-for", "forwarded", "x-somnus-user"} == set()
    assert names >= {"host", "user-agent", "accept", "x-api-key"}
    assert answer["client"] == "127.0.0.1"


async def test_a_body_is_validated_by_the_plugins_own_models(client: httpx.AsyncClient) -> None:
    good = await client.post(f"{PLUGIN}/items?q=here", json={"name": "n", "count": 3})
    bad = await client.post(f"{PLUGIN}/items", json={"name": "n", "count": 0})

    assert good.json() == {"name": "n", "count": 3, "q": "here"}
    assert bad.status_code == 422
    assert bad.json()["detail"][0]["loc"] == ["body", "count"]


async def test_a_file_is_uploaded(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{PLUGIN}/upload", files={"file": ("a.bin", b"x" * 700_000)})

    assert answer.status_code == 200
    assert answer.json() == ["a.bin", 700_000]


async def test_a_body_in_pieces_arrives_whole(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"y" * 40_000

    answer = await client.put(f"{PLUGIN}/size", content=pieces())

    assert answer.status_code == 200
    assert answer.json() == 800_000


async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_read(client: httpx.AsyncClient) -> None:
    answer = await client.put(f"{PLUGIN}/size", content=b"x" * (MIB + 1))

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert str(MIB) in answer.json()["detail"]


async def test_a_body_that_grows_too_large_is_cut_off(shared: Site) -> None:
    reader, writer = await asyncio.open_connection(*shared.address.split(":"))
    head = {"Host": "localhost", "Transfer-Encoding": "chunked", **shared.bearer}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"PUT {PLUGIN}/size HTTP/1.1\r\n{lines}\r\n".encode())
    for size in (MIB // 2, MIB // 2, 1):
        writer.write(f"{size:x}\r\n".encode() + b"z" * size + b"\r\n")
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer
    assert (await shared.host.info("workshop")).running == 0


async def test_a_plugin_may_answer_without_reading_the_body(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{PLUGIN}/unread", content=b"x" * 900_000)

    assert answer.status_code == 200
    assert answer.json() == "not interested"


# --- what comes back -------------------------------------------------------------------------------------------------


async def test_a_page_comes_back_in_a_sandbox_and_without_what_speaks_for_the_origin(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PLUGIN}/page")
    dropped = ("set-cookie", "access-control-allow-origin", "service-worker-allowed", "clear-site-data")

    assert answer.text == "<h1>hello</h1>"
    assert [name for name in (*dropped, "www-authenticate", "x-accel-redirect") if name in answer.headers] == []
    assert answer.headers.get_list("content-security-policy") == [
        "default-src 'self'",
        "sandbox allow-scripts allow-forms",
    ]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-mine"] == "kept"


@pytest.mark.parametrize(("path", "words"), [("split", "line break"), ("odd-status", "status 700")])
async def test_an_answer_that_would_be_another_answer_is_a_bad_gateway(
    client: httpx.AsyncClient, path: str, words: str
) -> None:
    answer = await client.get(f"{PLUGIN}/{path}")

    assert answer.status_code == 502
    assert answer.json()["code"] == "invalid_result"
    assert words in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


async def test_answers_without_a_body_have_none(client: httpx.AsyncClient) -> None:
    empty = await client.get(f"{PLUGIN}/empty")
    head = await client.head(f"{PLUGIN}/echo/x")

    assert (empty.status_code, empty.content) == (204, b"")
    assert "content-length" not in empty.headers
    assert (head.status_code, head.content) == (405, b"")


async def test_a_stream_arrives_as_it_is_made(client: httpx.AsyncClient) -> None:
    times = []
    async with client.stream("GET", f"{PLUGIN}/ticks?count=4") as answer:
        async for line in answer.aiter_lines():
            if line:
                times.append((line, monotonic()))

    assert [line for line, _ in times] == [f"data: {number}" for number in range(4)]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert times[-1][1] - times[0][1] > 0.1


async def test_a_plugin_that_ends_before_it_answers_is_a_problem_with_its_reason(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PLUGIN}/exit")
    after = await client.get(f"{PLUGIN}/echo/x")

    assert answer.status_code == 502
    assert answer.json()["code"] == "plugin_crashed"
    assert after.status_code == 200


async def test_a_stream_whose_plugin_ends_is_broken_off_and_not_completed(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", f"{PLUGIN}/exit-half-way") as answer:
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()

    assert answer.status_code == 200
    assert (await client.get(f"{PLUGIN}/echo/x")).status_code == 200


async def test_an_exception_in_a_route_is_the_plugins_own_500(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PLUGIN}/raises")

    assert answer.status_code == 500
    assert "inside" not in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox")


async def test_an_unknown_path_of_a_plugin_is_the_plugins_own_404(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PLUGIN}/nowhere")

    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not Found"}


# --- leaving ---------------------------------------------------------------------------------------------------------


async def test_leaving_a_stream_ends_it_in_the_plugin(client: httpx.AsyncClient, shared: Site) -> None:
    before = await left(shared)
    async with client.stream("GET", f"{PLUGIN}/forever") as answer:
        first = await anext(answer.aiter_raw())

    async def noticed() -> bool:
        return await left(shared) > before

    assert first
    assert await eventually(noticed)


async def test_leaving_before_there_is_an_answer_cancels_it_in_the_plugin(shared: Site) -> None:
    before = await left(shared)
    async with shared.client() as leaver:
        request = asyncio.create_task(leaver.get(f"{PLUGIN}/slow"))

        async def runs() -> bool:
            return (await shared.host.info("workshop")).running >= 1

        await eventually(runs)
        request.cancel()
        await asyncio.wait([request])

    async def noticed() -> bool:
        return await left(shared) > before

    assert await eventually(noticed)
    assert (await shared.host.info("workshop")).running == 0


async def test_a_slow_reader_holds_the_plugin_back(shared: Site) -> None:
    reader, writer = await asyncio.open_connection(*shared.address.split(":"), limit=65536)
    bearer = shared.bearer["Authorization"]
    writer.write(f"GET {PLUGIN}/flood HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\r\n".encode())
    await reader.readexactly(100_000)

    async def sent() -> int:
        return int((await shared.host.call("workshop", "counters"))["sent"])

    counts = [await sent()]

    async def stands_still() -> bool:
        counts.append(await sent())
        return len(counts) > 20 and counts[-1] == counts[-20]

    assert await eventually(stands_still)
    assert counts[-1] * 65536 < 64 * MIB
    writer.close()
