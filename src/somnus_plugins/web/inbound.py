"""A request on its way to a plugin: what is kept, what is only looked at, what never leaves the host."""

from __future__ import annotations

from typing import Final

from somnus_plugins.pages.problems import Scope
from somnus_plugins.wire.methods import HttpRequest

__all__ = ["Inbound"]

ORDINARY: Final = frozenset(
    {b"user-agent", b"accept-encoding", b"accept-language", b"cache-control", b"pragma", b"range", b"referer"}
    | {b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"priority"}
    | {b"sec-fetch-mode", b"sec-fetch-dest", b"sec-fetch-user", b"upgrade-insecure-requests", b"content-encoding"}
    | {b"last-event-id", b"dnt"}
)
"""Passed on without another look; everything else takes one step more."""

PASSED_AND_NOTED: Final = frozenset(
    {b"host", b"origin", b"accept", b"content-type", b"content-length", b"sec-fetch-site"}
)
NOTED: Final = frozenset({b"cookie", b"authorization", b"transfer-encoding", b"x-somnus-csrf"})
"""Looked at here, not passed on."""

DROPPED: Final = NOTED | {
    b"proxy-authorization",
    b"proxy-connection",
    b"proxy-authenticate",
    b"connection",
    b"keep-alive",
    b"te",
    b"trailer",
    b"upgrade",
    b"forwarded",
    b"x-real-ip",
    b"remote-user",
    b"x-remote-user",
}
"""Credentials; what concerns one hop; and what a client can say about its own address. The server has settled which
proxies it trusts, and passes the outcome as `client` and `scheme`."""

UNFRAMED: Final = ("1.1", "1.0")
"""Versions of HTTP in which a request without a length has no body."""

DROPPED_PREFIXES: Final = (
    b"x-forwarded-",
    b"x-somnus-",
    b"sec-websocket-",
    b"x-auth-request-",
    b"cf-access-",
    b"x-amzn-oidc-",
    b"x-goog-iap-",
    b"x-ms-client-principal",
    b"x-ms-token-",
)
"""The same, by family; the later ones are what sign-in proxies in front of an application add for it alone."""


class Inbound:
    """The headers of one request, sorted in one pass.

    Args:
        scope: ASGI scope; header names in lower case, as ASGI promises.
    """

    __slots__ = ("headers", "noted")

    def __init__(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = []
        noted: dict[bytes, bytes] = {}
        keep = headers.append
        for pair in scope["headers"]:
            name = pair[0]
            if name in ORDINARY:
                keep(pair)
            elif name in PASSED_AND_NOTED:
                # Said twice it is neither: a joined value is on no list and is no number.
                noted[name] = noted[name] + b"; " + pair[1] if name in noted else pair[1]
                keep(pair)
            elif name in NOTED:
                noted[name] = noted[name] + b"; " + pair[1] if name in noted else pair[1]
            elif name not in DROPPED and not name.startswith(DROPPED_PREFIXES):
                keep(pair)
        self.headers = headers
        """For the plugin."""
        self.noted = noted
        """For us."""

    def has_body(self, scope: Scope) -> bool:
        """Whether a body follows, or may follow: HTTP/2 and 3 need not announce one."""
        length = self.noted.get(b"content-length")
        if length is not None:
            return length != b"0"
        return b"transfer-encoding" in self.noted or scope.get("http_version", "1.1") not in UNFRAMED

    @property
    def length(self) -> int:
        """Bytes of the body as announced; 0 where they are not."""
        length = self.noted.get(b"content-length", b"")
        return int(length) if length.isdigit() else 0

    def request(self, scope: Scope, rest: str, body: bytes | None) -> HttpRequest:
        """What is sent to the plugin.

        Args:
            scope: The request's.
            rest: Path below the mount, without the slash it begins with.
            body: The whole body, or None where it follows.
        """
        path: str = scope["path"]
        return HttpRequest(
            scope.get("method", "GET"),
            scope["scheme"],
            "/" + rest,
            scope["query_string"],
            self.headers,
            path[: len(path) - len(rest)].removesuffix("/"),
            scope.get("http_version", "1.1"),
            scope.get("client"),
            scope.get("server"),
            scope.get("subprotocols") or [],
            body,
        )
