"""Errors as RFC 9457 problems: `application/problem+json` with the code and the remedy of the error tree."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from somnus_plugins.errors import NotReady, NotSignedIn, Overloaded, SomnusError, TemporaryError
from somnus_plugins.pages.headers import API_HEADERS

__all__ = ["MEDIA_TYPE", "PROBLEM_SCHEMA", "HttpProblem", "Receive", "Scope", "Send", "send_problem", "send_whole"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MEDIA_TYPE: Final = b"application/problem+json"
TYPE_PREFIX: Final = "urn:somnus:error:"
DETAIL_MAX_CHARS: Final = 8_000
"""Longest detail or remedy that is sent: it may quote what a plugin said."""

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong, as RFC 9457 has it, with the stable code and the remedy.",
    "required": ["type", "title", "status", "detail", "code", "remedy"],
    "properties": {
        "type": {"type": "string", "description": f"`{TYPE_PREFIX}` and the code."},
        "title": {"type": "string", "description": "The same for every problem of this code."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was found here, and what is allowed."},
        "code": {"type": "string"},
        "remedy": {"type": "string", "description": "What a person can do now; may be empty."},
        "data": {"type": "object", "description": "Facts for machines."},
    },
}
"""JSON Schema of a problem's body."""


class HttpProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that is an error.

    It also carries what has no class in the error tree because only HTTP knows it: a method that is not allowed, a body
    that is too large.
    """

    status: int
    code: str
    title: str
    detail: str
    remedy: str = ""
    data: dict[str, Any] = {}
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent with it, besides its own."""

    @classmethod
    def of(cls, error: SomnusError) -> HttpProblem:
        """The problem that an error of the tree is."""
        title = (type(error).__doc__ or type(error).__name__).splitlines()[0].rstrip(".")
        return cls(
            status=error.http_status,
            code=error.code,
            title=title,
            detail=error.message[:DETAIL_MAX_CHARS],
            remedy=error.remedy[:DETAIL_MAX_CHARS],
            data=error.data,
            headers=_headers_of(error),
        )

    @classmethod
    def http(
        cls,
        status: HTTPStatus,
        code: str,
        detail: str,
        remedy: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> HttpProblem:
        """A problem of the protocol itself."""
        return cls(status=status.value, code=code, title=status.phrase, detail=detail, remedy=remedy, headers=headers)

    def body(self) -> bytes:
        """The JSON document."""
        record: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "remedy": self.remedy,
        }
        if self.data:
            record["data"] = self.data
        try:
            return msgspec.json.encode(record)
        except (TypeError, ValueError, RecursionError):  # the data of a plugin's error is whatever it sent
            record.pop("data", None)
            return msgspec.json.encode(record)


def _headers_of(error: SomnusError) -> tuple[tuple[bytes, bytes], ...]:
    if isinstance(error, NotSignedIn):
        return ((b"www-authenticate", b"Bearer"),)
    if isinstance(error, TemporaryError):
        return ((b"retry-after", str(math.ceil(min(error.delay_s, 86_400))).encode()),)
    if isinstance(error, NotReady | Overloaded):
        return ((b"retry-after", b"1"),)
    return ()


async def send_whole(
    send: Send, status: int, media_type: bytes, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Answer a request in one piece."""
    head = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def send_problem(scope: Scope, send: Send, problem: HttpProblem) -> None:
    """Answer a request or refuse a WebSocket with a problem.

    A server without the extension for answers to WebSocket handshakes closes with 1008 instead, which clients see as
    status 403.
    """
    headers = (*API_HEADERS, *problem.headers)
    if scope["type"] == "http":
        await send_whole(send, problem.status, MEDIA_TYPE, problem.body(), headers)
    elif "websocket.http.response" in (scope.get("extensions") or {}):
        body = problem.body()
        head = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode()), *headers]
        await send({"type": "websocket.http.response.start", "status": problem.status, "headers": head})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": problem.title})
