"""An answer of a plugin on its way to a browser: it never acts with the rights of whoever looks at it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from somnus_plugins.errors import InvalidResult

__all__ = ["SANDBOX_POLICY", "handshake_headers", "outbound_headers"]

SANDBOX_POLICY: Final = b"sandbox allow-scripts allow-forms"
"""The page of a plugin gets an origin of its own that is nobody's: no cookie, no storage, no request as the person."""

ADDED: Final = (
    (b"content-security-policy", SANDBOX_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""To every answer. There is no `Cross-Origin-Resource-Policy`: to a page without an origin its own pictures and styles
come from another one, and would be refused."""

USUAL: Final = frozenset(
    {b"content-type", b"cache-control", b"etag", b"last-modified", b"vary", b"location", b"content-disposition"}
    | {b"content-encoding", b"content-language", b"content-range", b"accept-ranges", b"expires", b"allow"}
    | {b"retry-after", b"link", b"content-security-policy", b"permissions-policy", b"x-accel-buffering"}
)
"""Passed on without a look at the name. A policy of the plugin's own is one more: browsers obey all of them."""

DROPPED: Final = frozenset(
    {b"set-cookie", b"set-cookie2", b"service-worker-allowed", b"clear-site-data", b"strict-transport-security"}
    | {b"public-key-pins", b"public-key-pins-report-only", b"expect-ct", b"alt-svc", b"alt-used", b"refresh"}
    | {b"nel", b"report-to", b"reporting-endpoints", b"content-security-policy-report-only"}
    | {b"www-authenticate", b"proxy-authenticate", b"authentication-info", b"proxy-authentication-info"}
    | {b"origin-agent-cluster", b"document-isolation-policy", b"cross-origin-opener-policy"}
    | {b"cross-origin-embedder-policy", b"cross-origin-resource-policy", b"timing-allow-origin"}
    | {b"x-content-type-options", b"referrer-policy", b"x-sendfile", b"x-lighttpd-send-file", b"x-reproxy-url"}
    | {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"proxy-connection"}
    | {b"date", b"server", b"status", b"content-length"}
)
"""What speaks for the whole origin (cookies, credentials asked for, workers, pins, reports), what a server in front
would obey (`X-Sendfile`), what concerns one hop, and what the server says itself."""

DROPPED_PREFIXES: Final = (b"access-control-", b"x-accel-", b"x-somnus-", b"sec-", b"surrogate-", b"cdn-")
HEADERS_MAX: Final = 100
HEADERS_MAX_BYTES: Final = 32 * 1024
"""Of one answer: above what servers and proxies in front refuse anyway."""
STATUS: Final = range(200, 600)
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}").fullmatch

_UNFIT: Final = re.compile(rb"[^\t\x20-\x7e\x80-\xff]").search
"""What no value may hold (RFC 9110, section 5.5)."""


def outbound_headers(
    status: int, headers: Iterable[tuple[bytes, bytes]], length: int | None = None
) -> list[tuple[bytes, bytes]]:
    """The headers that are sent.

    Args:
        status: The plugin's.
        headers: The plugin's.
        length: Bytes of the body; None where it is streamed, or where an answer with this status has none.

    Raises:
        InvalidResult: A status that ends no request, a header that could begin another answer, too many or too large.
    """
    if status not in STATUS:
        raise InvalidResult(f"the plugin answered with status {status}; allowed are 200 to 599")
    found = _filtered(headers)
    found.extend(ADDED)
    if length is not None:
        found.append((b"content-length", b"%d" % length))
    return found


def handshake_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with which a WebSocket is accepted; raises as `outbound_headers` does."""
    return _filtered(headers)


def _filtered(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    count = size = 0
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        if name not in USUAL:
            name = name.lower()  # noqa: PLW2901 - compared and sent in lower case, as ASGI wants it
            if name in DROPPED or name.startswith(DROPPED_PREFIXES):
                continue
            if _TOKEN(name) is None:
                raise InvalidResult(f"the plugin answered with a header whose name is {name[:64]!r}")
        if _UNFIT(value) is not None:
            raise InvalidResult(
                f"the plugin answered with a line break or another control character in {name.decode('ascii')}"
            )
        found.append((name, value))
    if count > HEADERS_MAX or size > HEADERS_MAX_BYTES:
        raise InvalidResult(
            f"the plugin answered with {count} headers of {size} bytes; "
            f"at most {HEADERS_MAX} and {HEADERS_MAX_BYTES} bytes are sent on"
        )
    return found
