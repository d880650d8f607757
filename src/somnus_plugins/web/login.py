"""The application's own login in front of plugins: a FastAPI dependency, run as FastAPI runs it for any route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, Request, WebSocket
from starlette.responses import Response

from somnus_plugins.pages.problems import Receive, Scope, Send
from somnus_plugins.web.entrance import Arrival, Login

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["dependency_login", "person"]

ARRIVAL: Final = "somnus.arrival"
"""Key in the scope."""
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NAMES: Final = ("id", "username", "sub", "email", "name")
"""Where the name of a person is looked for, in this order, as attribute or key."""


def person(found: Any) -> str | None:
    """What a plugin is told of the person that a login gives: a name, never the object."""
    if found is None or isinstance(found, str):
        return found
    for name in NAMES:
        value = found.get(name) if isinstance(found, dict) else getattr(found, name, None)
        if value is not None:
            return str(value)
    return None


class _Handover(Response):
    """The answer that an arrival makes itself."""

    def __init__(self, arrival: Arrival, user: str | None) -> None:
        super().__init__()
        self._arrival = arrival
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._arrival.serve(scope, receive, send, self._user)


def dependency_login(app: FastAPI, prefix: str, user: Any) -> Login:
    """A login that resolves `user` for each request; what it raises is the application's to answer.

    Args:
        app: Its `dependency_overrides` and exception handlers hold.
        prefix: Of the plugins.
        user: `Depends(…)`, or the function itself.
    """
    dependency = Depends(user) if callable(user) else user
    router = APIRouter(dependency_overrides_provider=app, redirect_slashes=False)

    async def serve(request: Request, found: Any = dependency) -> Response:
        return _Handover(request.scope[ARRIVAL][0], person(found))

    async def serve_socket(socket: WebSocket, found: Any = dependency) -> None:
        arrival, receive, send = socket.scope[ARRIVAL]
        await arrival.serve(socket.scope, receive, send, person(found))

    for path in (f"{prefix}/{{mount}}", f"{prefix}/{{mount}}/{{path:path}}"):
        router.add_api_route(path, serve, methods=list(METHODS), response_model=None)
        router.add_api_websocket_route(path, serve_socket)

    async def login(scope: Scope, receive: Receive, send: Send, arrival: Arrival) -> None:
        await router({**scope, ARRIVAL: (arrival, receive, send)}, receive, send)

    return login
