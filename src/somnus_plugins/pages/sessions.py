"""Sessions in a cookie, and whether a request that carries one was meant by the person.

A session is its own proof: the time it ends and a signature with a key that only the server has. Nothing is stored, so
every process that has the key accepts it, and a new key ends all of them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from somnus_plugins.pages.hosts import AllowedHosts
from somnus_plugins.pages.problems import HttpProblem

__all__ = [
    "COOKIE",
    "SESSION_S",
    "cookie_value",
    "cross_site",
    "expired_cookie",
    "foreign_page",
    "may_be_ambient",
    "seal",
    "session_cookie",
    "unseal",
]

COOKIE: Final = "somnus_session"
SESSION_S: Final = 30 * 86_400
"""Seconds a session is accepted. Browsers forget it when they are closed."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES: Final = frozenset({b"same-origin", b"none"})
"""Values of `Sec-Fetch-Site`: our own page, or a person who typed the address."""

BROWSERS_SAY: Final = frozenset({b"origin", b"sec-fetch-site", b"cookie"})
"""Headers without which no browser sends a form of another site as the person."""


def seal(key: bytes, now_s: float) -> str:
    """A new session.

    Args:
        key: The server's secret.
        now_s: Seconds since the Unix epoch.
    """
    end = str(int(now_s) + SESSION_S)
    return f"{end}.{_signature(key, end)}"


def unseal(key: bytes, session: str, now_s: float) -> bool:
    """Whether this is a session that `seal` made with this key and that has not ended."""
    end, _, signature = session.partition(".")
    genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(key, end).encode())
    return genuine and end.isdigit() and int(end) > now_s


def _signature(key: bytes, end: str) -> str:
    return hmac.new(key, f"{COOKIE} {end}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def session_cookie(session: str, *, secure: bool, path: str = "/", name: str = COOKIE) -> tuple[bytes, bytes]:
    """The header that gives a browser a session: not for scripts, not for requests that other sites cause."""
    parts = [f"{name}={session}", f"Path={path}", "HttpOnly", "SameSite=Strict"]
    return b"set-cookie", "; ".join([*parts, "Secure"] if secure else parts).encode("ascii")


def expired_cookie(path: str = "/", name: str = COOKIE) -> tuple[bytes, bytes]:
    """The header that takes the session away."""
    return b"set-cookie", f"{name}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Strict".encode("ascii")


def cookie_value(header: bytes, name: str = COOKIE) -> str:
    """The value of one cookie in a `Cookie` header; empty where it is not there."""
    start = name.encode("ascii") + b"="
    for part in header.split(b";"):
        found = part.strip()
        if found.startswith(start):
            return found[len(start) :].decode("latin-1")
    return ""


def cross_site(method: str, scheme: str, noted: Mapping[bytes, bytes]) -> HttpProblem | None:
    """Refuse what a browser sent with somebody's cookie although none of our own pages asked for it.

    1. Where the browser says who asked (`Sec-Fetch-Site`), it must be our own page, also for reading: the page of a
       plugin has an opaque origin, is therefore another site, and must not call another plugin as the person.
    2. Else where it says the origin, that must be ours; a WebSocket always says it.
    3. Else what changes something needs the header `X-Somnus-CSRF`, which no form can send.

    Args:
        method: Upper case; `WEBSOCKET` for a handshake.
        scheme: Of the request.
        noted: Headers by lower-case name.
    """
    site, origin = noted.get(b"sec-fetch-site"), noted.get(b"origin")
    if site is not None:
        fine = site in OWN_SITES
    elif origin is not None:
        fine = origin == _own_origin(scheme, noted.get(b"host", b""))
    else:
        fine = method in SAFE_METHODS or b"x-somnus-csrf" in noted
    if fine:
        return None
    return HttpProblem.http(
        HTTPStatus.FORBIDDEN,
        "cross_site",
        "the request carries a session, and no page of this server sent it",
        "Send `Authorization: Bearer <token>` instead of the cookie, or add the header `X-Somnus-CSRF: 1`.",
    )


def foreign_page(method: str, scheme: str, noted: Mapping[bytes, bytes], hosts: AllowedHosts) -> HttpProblem | None:
    """Refuse what the page of somebody else sent to an application with a login of its own.

    Browsers add cookies, HTTP Basic and Digest, and client certificates by themselves; only a bearer is never added.
    Milder than `cross_site`, because an application may well stand on several of the allowed hosts: what is refused is
    an origin that is none of them, and the origin `null`, which is that of every plugin's page. What says nothing of
    where it comes from is no browser.

    Args:
        method: Upper case; `WEBSOCKET` for a handshake.
        scheme: Of the request.
        noted: Headers by lower-case name.
        hosts: Whose pages may send requests.
    """
    site, origin = noted.get(b"sec-fetch-site"), noted.get(b"origin")
    if method in SAFE_METHODS or site in OWN_SITES or _bears(noted):
        return None
    if origin is None:
        if site is None:
            return None
        origin = site
    elif origin == _own_origin(scheme, noted.get(b"host", b"")) or hosts.names(origin.partition(b"://")[2]):
        return None
    return HttpProblem.http(
        HTTPStatus.FORBIDDEN,
        "cross_site",
        f"a page of another site sent the request: {origin.decode('latin-1')[:200]!r}",
        "Add the page's host to `allowed_hosts` in [web] of config.toml, or send `Authorization: Bearer …`.",
    )


def may_be_ambient(noted: Mapping[bytes, bytes]) -> bool:
    """Whether a browser may have sent the request for anybody's page, with credentials it added by itself.

    Args:
        noted: Headers by lower-case name.
    """
    return not _bears(noted) and not BROWSERS_SAY.isdisjoint(noted)


def _bears(noted: Mapping[bytes, bytes]) -> bool:
    return noted.get(b"authorization", b"")[:7].lower() == b"bearer "


def _own_origin(scheme: str, host: bytes) -> bytes:
    secure = scheme in ("https", "wss")
    return (b"https://" if secure else b"http://") + host
