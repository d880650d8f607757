"""The messages of a WebSocket keep what they are on their way."""

from __future__ import annotations

import msgspec
import pytest

from somnus_plugins.wire.http import SocketAccept, SocketBytes, SocketClose, SocketMessage, SocketText

MESSAGES: list[SocketMessage] = [
    SocketAccept(),
    SocketAccept("chat", [(b"x-a", b"\xff")]),
    SocketText("hey \U0001f319"),
    SocketBytes(b"\x00\xff"),
    SocketClose(),
    SocketClose(4001, "bye"),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_comes_back_as_what_it_was(message: SocketMessage) -> None:
    found = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=SocketMessage)

    assert found == message
    assert type(found) is type(message)


@pytest.mark.parametrize("data", [b"\xc0", b"\x90", b"\x91\x09", b"\x92\x02\x03", b"\x92\x04\xa1x", b"\x80"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(data, type=SocketMessage)
    assert len(data) < 5


def test_a_close_is_an_ordinary_one_unless_it_says_more() -> None:
    assert SocketClose() == SocketClose(1000, "")
    assert SocketAccept().headers == []
