"""WebSockets between clients and a plugin."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.web.serving import Site, add_workshop, site
from tests.support.plugins import House, open_house
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


def dial(site: Site, path: str, headers: dict[str, str] | None = None, **options: Any) -> connect:
    sent = site.bearer if headers is None else headers
    return connect(f"ws://{site.address}/plugins/workshop{path}", additional_headers=sent, proxy=None, **options)


async def closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    """The code and reason with which it is closed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(socket.recv(), 10)
    return socket.close_code, socket.close_reason


async def test_text_and_bytes_go_both_ways(shared: Site) -> None:
    async with dial(shared, "/ws") as socket:
        await socket.recv()
        await socket.send("hello")
        heard = await socket.recv()
        await socket.send("bytes")
        data = await socket.recv()

    assert heard == "heard hello"
    assert data == b"\x00\x01"


async def test_credentials_do_not_reach_a_socket_and_cookies_do_not_come_back(shared: Site) -> None:
    async with dial(shared, "/ws", {**shared.bearer, "Cookie": "a=secret"}) as socket:
        seen = json.loads(await socket.recv())
        answer = socket.response

    assert answer is not None
    assert set(seen) & {"cookie", "authorization", "sec-websocket-key"} == set()
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-mine"] == "kept"


async def test_a_plugins_close_reaches_the_client_with_code_and_reason(shared: Site) -> None:
    async with dial(shared, "/ws") as socket:
        await socket.send("close")
        assert await closed(socket) == (4001, "as you wish")


async def test_a_client_that_leaves_is_noticed_by_the_plugin(shared: Site) -> None:
    before = (await shared.host.call("workshop", "counters"))["left"]
    async with dial(shared, "/ws") as socket:
        await socket.recv()

    async def noticed() -> bool:
        return bool((await shared.host.call("workshop", "counters"))["left"] > before)

    assert await eventually(noticed)
    assert (await shared.host.info("workshop")).running == 0


async def test_the_subprotocol_is_the_plugins_choice(shared: Site) -> None:
    async with dial(shared, "/choosy", subprotocols=["one", "two"]) as socket:
        assert socket.subprotocol == "two"
        assert (await closed(socket))[0] == 1000


async def test_a_plugin_that_crashes_closes_with_1011(shared: Site) -> None:
    async with dial(shared, "/ws") as socket:
        await socket.send("exit")
        code, reason = await closed(socket)

    assert code == 1011
    assert reason


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/stubborn", None, 502),
        ("/refuses", None, 403),
        ("/ws", {}, 401),
        ("/ws", {"Authorization": "Bearer wrong"}, 401),
    ],
    ids=["a subprotocol of its own", "the plugin refuses", "nobody is signed in", "the token is wrong"],
)
async def test_a_refused_handshake_says_why(
    shared: Site, path: str, headers: dict[str, str] | None, status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with dial(shared, path, headers):
            pass

    assert caught.value.response.status_code == status
    assert json.loads(caught.value.response.body)["status"] == status


async def test_a_session_is_good_for_our_own_origin_only(shared: Site) -> None:
    async with shared.client(headers={}) as client:
        token = shared.bearer["Authorization"].removeprefix("Bearer ")
        answer = await client.post("/api/v1/session", json={"token": token})
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    async with dial(shared, "/ws", cookie, origin=shared.url) as socket:
        assert json.loads(await socket.recv())["origin"] == shared.url
    for origin in ("http://evil.example", "null", None):
        with pytest.raises(InvalidStatus) as caught:
            async with dial(shared, "/ws", cookie, origin=origin):
                pass
        assert caught.value.response.status_code == 403


async def test_a_socket_that_stands_still_is_closed(tmp_path: Path) -> None:
    async with open_house(tmp_path, web__socket_idle_s=1) as house:
        await add_workshop(house)
        app = FastAPI()
        house.host.attach(app)
        async with site(app, house.host) as served, dial(served, "/ws") as socket:
            await socket.recv()
            assert await closed(socket) == (1001, "nothing was said for too long")
        assert (await house.host.info("workshop")).running == 0


async def test_a_plugin_that_is_disabled_ends_its_sockets(house: House) -> None:
    await add_workshop(house)
    app = FastAPI()
    house.host.attach(app)
    async with site(app, house.host) as served, dial(served, "/ws") as socket:
        await socket.recv()
        await house.host.disable("workshop")
        code, _ = await closed(socket)

    assert code in (1011, 1012)
    assert house.host.catalogue.mounts == {}
