"""The application's own login in front of plugins: a FastAPI dependency, run as FastAPI runs it for any route."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request, WebSocket
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from starlette.responses import Response

from somnus_plugins.pages.problems import Receive, Scope, Send
from somnus_plugins.web.entrance import Arrival, Login

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["dependency_login", "person"]

CALLER: Final = "somnus.caller"
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


class _Caller:
    """The client's messages, which the login may read before the plugin does, and the way back.

    Args:
        scope, receive, send: ASGI.
        arrival: Says how large a body may be.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, arrival: Arrival) -> None:
        self.scope = scope
        self.send = send
        self.arrival = arrival
        self._receive = receive
        self._read: deque[MutableMapping[str, Any]] = deque()
        self._left = arrival.listing.upload_max_bytes

    async def ahead(self) -> MutableMapping[str, Any]:
        """ASGI's `receive` for the login: what it gives is kept for the plugin.

        Raises:
            HTTPException: The body is larger than the plugin takes.
        """
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than this plugin takes")
        self._read.append(message)
        return message

    async def receive(self) -> MutableMapping[str, Any]:
        """ASGI's `receive` for the plugin: from the beginning."""
        return self._read.popleft() if self._read else await self._receive()

    async def let_in(self, user: str | None) -> None:
        """Serve the request."""
        await self.arrival.serve(self.scope, self.receive, self.send, user)

    # -- a WebSocket as the request that it began as -------------------------------------------------------------------

    def request(self) -> Scope:
        """The handshake as the `GET` that it is, for logins that take a `Request`."""
        scheme = "https" if self.scope["scheme"] == "wss" else "http"
        return {**self.scope, "type": "http", "method": "GET", "scheme": scheme}

    async def refuse(self, message: MutableMapping[str, Any]) -> None:
        """ASGI's `send` for the answer of a login that lets nobody in."""
        if "websocket.http.response" in (self.scope.get("extensions") or {}):
            await self.send({**message, "type": f"websocket.{message['type']}"})
        elif message["type"] == "http.response.start":
            await self.send({"type": "websocket.close", "code": 1008, "reason": "not signed in"})


async def _no_body() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


class _Handover(Response):
    """The answer that an arrival makes itself."""

    def __init__(self, caller: _Caller, user: str | None) -> None:
        super().__init__()
        self._caller = caller
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._caller.let_in(self._user)


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
        return _Handover(request.scope[CALLER], person(found))

    async def serve_socket(socket: WebSocket, found: Any = dependency) -> None:
        await socket.scope[CALLER].let_in(person(found))

    for path in (f"{prefix}/{{mount}}", f"{prefix}/{{mount}}/{{path:path}}"):
        router.add_api_route(path, serve, methods=list(METHODS), response_model=None)
        router.add_api_websocket_route(path, serve_socket)
    by_socket = _takes_socket(get_dependant(path=prefix, call=dependency.dependency))

    async def login(scope: Scope, receive: Receive, send: Send, arrival: Arrival) -> None:
        caller = _Caller(scope, receive, send, arrival)
        if scope["type"] == "http":
            await router({**scope, CALLER: caller}, caller.ahead, send)
        elif by_socket:
            await router({**scope, CALLER: caller}, receive, send)
        else:
            await router({**caller.request(), CALLER: caller}, _no_body, caller.refuse)

    return login


def _takes_socket(dependant: Dependant) -> bool:
    """Whether a dependency, or one that it depends on, asks for the `WebSocket` itself."""
    return bool(dependant.websocket_param_name) or any(map(_takes_socket, dependant.dependencies))
