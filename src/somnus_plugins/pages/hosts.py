"""Which names this server answers to.

A page of another site can point its own name at this machine (DNS rebinding); the browser then takes our answers for
that site's. It still says the site's name in `Host`, so a list of our own names ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from somnus_plugins.pages.problems import HttpProblem, Receive, Scope, Send, send_problem

__all__ = ["AllowedHosts", "HostGuard"]

REMEMBERED: Final = 256
"""Accepted values that are kept ready; a list of names with `*` in it would otherwise grow without end."""


class AllowedHosts:
    """The allow-list of `Host`.

    Args:
        names: Names and addresses without port, in lower case or not; IPv6 in brackets; `*.example.org` for everything
            below a name; `*` answers all.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower() for name in names)
        self._below = tuple(name[1:] for name in self._names if name.startswith("*."))
        self._all = "*" in self._names
        self._accepted: set[bytes] = set()

    def allow(self, host: bytes | None) -> bool:
        """Whether a request with this `Host` is answered."""
        if host in self._accepted:
            return True
        if not self._fits(host):
            return False
        if host is not None and len(self._accepted) < REMEMBERED:
            self._accepted.add(host)
        return True

    def _fits(self, host: bytes | None) -> bool:
        if self._all:
            return True
        return bool(host) and self.names(host or b"")

    def names(self, host: bytes) -> bool:
        """Whether a name of the list, and not merely `*`, is meant."""
        name = _without_port(host.decode("latin-1").lower()).removesuffix(".")
        return name in self._names or (bool(self._below) and name.endswith(self._below))

    def problem(self, host: bytes | None) -> HttpProblem:
        """What is answered instead."""
        shown = (host or b"").decode("latin-1")[:255]
        return HttpProblem.http(
            HTTPStatus.MISDIRECTED_REQUEST,
            "unknown_host",
            f"the request is for {shown!r}; answered are: {', '.join(sorted(self._names))}",
            "Add the name to `allowed_hosts` in [web] of config.toml.",
        )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and (not name.count(":") or name.endswith("]")) else host


class HostGuard:
    """ASGI middleware: requests for other names end here.

    Args:
        app: What is guarded.
        hosts: The list.
    """

    def __init__(self, app: Any, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            found = [value for name, value in scope["headers"] if name == b"host"]
            host = found[0] if len(found) == 1 else None
            if not self._hosts.allow(host):
                await send_problem(scope, send, self._hosts.problem(b"; ".join(found)))
                return
        await self._app(scope, receive, send)
