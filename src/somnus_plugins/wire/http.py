"""What travels on the streams of a `websocket` call, in both directions.

From the client's side come text, bytes and at most one close; from the plugin's side first an acceptance (or a close,
which refuses), then text and bytes, and at most one close. A stream that ends without a close was cut off.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "CLOSED_ABNORMALLY",
    "CLOSED_BY_ERROR",
    "CLOSED_NORMALLY",
    "SocketAccept",
    "SocketBytes",
    "SocketClose",
    "SocketMessage",
    "SocketText",
]

CLOSED_NORMALLY: Final = 1000
CLOSED_ABNORMALLY: Final = 1006
CLOSED_BY_ERROR: Final = 1011


class SocketAccept(msgspec.Struct, array_like=True, tag=1):
    """The plugin takes the connection."""

    subprotocol: str | None = None
    headers: list[tuple[bytes, bytes]] = []


class SocketText(msgspec.Struct, array_like=True, tag=2):
    """One text message."""

    text: str


class SocketBytes(msgspec.Struct, array_like=True, tag=3):
    """One binary message."""

    data: bytes


class SocketClose(msgspec.Struct, array_like=True, tag=4):
    """The connection ends; before an acceptance it is refused."""

    code: int = CLOSED_NORMALLY
    """Status code of RFC 6455, section 7.4."""
    reason: str = ""


SocketMessage = SocketAccept | SocketText | SocketBytes | SocketClose
