"""`plugin.websocket`: WebSockets to a plugin under test."""

from __future__ import annotations

import pytest

from somnus_plugins.errors import PeerClosed
from somnus_plugins.testing import PluginUnderTest
from tests.support.wire import until

pytestmark = pytest.mark.anyio


async def test_messages_go_both_ways_as_text_and_bytes(garden: PluginUnderTest) -> None:
    async with garden.websocket("/talk", subprotocols=("leaf",)) as socket:
        await socket.send("rose")
        await socket.send(b"abc")

        assert socket.subprotocol == "leaf"
        assert await socket.receive() == "ROSE"
        assert await socket.receive() == b"cba"


async def test_the_plugin_learns_that_the_client_has_closed(garden: PluginUnderTest) -> None:
    async with garden.websocket("/talk") as socket:
        await socket.send("rose")

    assert socket.close_code == 1000
    await until(lambda: garden.instance.seen == [1000])
    with pytest.raises(PeerClosed, match="1000"):
        await socket.send("too late")


async def test_iteration_ends_when_the_plugin_closes(garden: PluginUnderTest) -> None:
    async with garden.websocket("/talk") as socket:
        for message in ("one", "two", "bye"):
            await socket.send(message)
        messages = [each async for each in socket]

    assert messages == ["ONE", "TWO"]
    assert socket.close_code == 4000
    with pytest.raises(PeerClosed, match="4000"):
        await socket.receive()


async def test_a_socket_that_the_plugin_closed_unseen_is_left_without_waiting(garden: PluginUnderTest) -> None:
    async with garden.websocket("/talk") as socket:
        await socket.send("bye")

    assert (await garden.http.get("/plants/rose")).status_code == 200
    assert socket.close_code is not None


async def test_a_refused_socket_is_an_error(garden: PluginUnderTest) -> None:
    with pytest.raises(PeerClosed, match="refused"):
        async with garden.websocket("/closed"):
            pass
    with pytest.raises(PeerClosed, match="refused"):
        async with garden.websocket("/plants/rose"):
            pass
