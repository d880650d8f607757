"""`plugin.http`: requests to the routes of a plugin under test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from somnus_plugins.testing import PluginUnderTest
from tests.support.wire import until

pytestmark = pytest.mark.anyio

LARGE = 3_000_000


async def test_a_route_answers_below_the_mount_with_path_and_query(garden: PluginUnderTest) -> None:
    answer = await garden.http.get("/plants/wild rose", params={"q": "a/b ü"})

    assert answer.status_code == 200
    assert answer.json() == {"name": "wild rose", "q": "a/b ü"}
    assert (await garden.http.get("plants/rose")).json()["name"] == "rose"
    assert (await garden.http.get("/nothing")).status_code == 404


async def test_headers_are_those_that_a_host_lets_through(garden: PluginUnderTest) -> None:
    answer = await garden.http.get("/headers", headers={"Authorization": "secret", "Cookie": "a=b", "X-Mine": "1"})

    assert "x-mine" in answer.json()
    assert not {"authorization", "cookie"} & set(answer.json())
    assert answer.headers["x-kept"] == "yes"
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-security-policy"].startswith("sandbox")


async def test_a_redirect_to_a_route_of_the_plugin_is_followed(garden: PluginUnderTest) -> None:
    answer = await garden.http.get("/old", follow_redirects=True)

    assert [each.status_code for each in answer.history] == [307]
    assert answer.json()["name"] == "rose"


@pytest.mark.parametrize("size", [0, 10, LARGE])
async def test_a_body_of_any_size_arrives_whole(garden: PluginUnderTest, size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 100_000):
            yield b"x" * min(100_000, size - start)

    assert (await garden.http.post("/compost", content=b"x" * size)).json() == size
    assert (await garden.http.post("/compost", content=pieces())).json() == size


async def test_an_answer_that_comes_before_the_body_was_read_is_taken(garden: PluginUnderTest) -> None:
    answer = await garden.http.post("/refuse", content=b"x" * LARGE)

    assert answer.json() == "no, thank you"
    assert (await garden.http.get("/plants/rose")).status_code == 200


async def test_a_streamed_answer_is_read_as_it_comes_and_ends_with_its_reader(garden: PluginUnderTest) -> None:
    async with garden.http.stream("GET", "/drops") as answer:
        lines = answer.aiter_lines()
        first = [await anext(lines) for _ in range(3)]
        assert garden.instance.streams == 1

    assert first == ["0", "1", "2"]
    await until(lambda: garden.instance.streams == 0)
