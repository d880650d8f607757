"""The admin API: each way of the table leads to one operation of the host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from somnus_plugins.errors import InvalidInput, NotSignedIn, SomnusError
from somnus_plugins.host.operations import OPERATIONS
from somnus_plugins.pages.headers import API_HEADERS
from somnus_plugins.pages.problems import MEDIA_TYPE, HttpProblem, Receive, Scope, Send, send_problem
from somnus_plugins.pages.sessions import expired_cookie, session_cookie
from somnus_plugins.web.gates import Area, Clearance, Way, ways
from somnus_plugins.web.inbound import Inbound
from somnus_plugins.web.token import HomeToken
from somnus_plugins.web.tools import read_body, read_object

if TYPE_CHECKING:
    from fastapi import FastAPI

    from somnus_plugins.web.served import ServedHost

__all__ = ["AdminApi"]

BODY_MAX_BYTES: Final = 4 * 1024 * 1024
"""Largest body: a plan is some kilobytes, an event's data rarely more."""
NO_CONTENT: Final = 204
Endpoint = Callable[[Request], Awaitable[Response]]


class AdminApi:
    """An ASGI application below one prefix.

    Args:
        host: What is operated.
        app: The application it belongs to: its `dependency_overrides` hold here too.
        prefix: For example `/api/v1`.
        admin: `Depends(…)` of the application; None takes the token.
        token: Of the home.
    """

    def __init__(self, host: ServedHost, app: FastAPI, prefix: str, admin: Any, token: HomeToken) -> None:
        self._host = host
        self._token = token
        self._by_token = admin is None
        guards = [] if admin is None else [Depends(admin) if callable(admin) else admin]
        self._router = APIRouter(dependency_overrides_provider=app, redirect_slashes=False, default=self._nothing_here)
        for way in ways(Area.API):
            path = prefix + way.path.replace("{plugin}", "{plugin:path}")
            endpoint = self._operation(way) if way.operation else self._session(way)
            asked = [] if way.gate is Clearance.PUBLIC else guards
            self._router.add_api_route(path, endpoint, methods=[way.method], dependencies=asked, response_model=None)

    @property
    def routes(self) -> list[Any]:
        """What it serves."""
        return self._router.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
        except SomnusError as error:
            await send_problem(scope, send, HttpProblem.of(error))
        except HTTPException as error:
            headers = tuple((k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items())
            problem = HttpProblem.http(HTTPStatus(error.status_code), "not_allowed", str(error.detail), headers=headers)
            await send_problem(scope, send, problem)

    async def _nothing_here(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = HttpProblem.http(HTTPStatus.NOT_FOUND, "not_found", f"nothing stands at {scope['path']}")
        await send_problem(scope, send, problem)

    # -- endpoints ---------------------------------------------------------------------------------------------------

    def _operation(self, way: Way) -> Endpoint:
        kind = OPERATIONS[way.operation].arguments

        async def serve(request: Request) -> Response:
            if self._by_token:
                refusal = self._token.refusal(request.method, request.url.scheme, Inbound(request.scope).noted)
                if refusal is not None:
                    return _told(refusal)
            said = await _said(request)
            if isinstance(said, HttpProblem):
                return _told(said)
            given = way.arguments(request.path_params, said)
            if way.method == "GET":
                given = _from_texts(given, kind)
            answer = await self._host.operate(way.operation, **given)
            return _json(answer)

        serve.__name__ = way.operation
        return serve

    def _session(self, way: Way) -> Endpoint:
        return self._sign_in if way.method == "POST" else self._sign_out

    async def _sign_in(self, request: Request) -> Response:
        if not self._by_token:
            raise NotSignedIn("this application has a login of its own", remedy="Sign in to the application.")
        given = await _said(request)
        if isinstance(given, HttpProblem):
            return _told(given)
        token = given.get("token")
        if not isinstance(token, str) or not self._token.admits(token.strip().encode("utf-8", "replace")):
            raise NotSignedIn("this is not the token of the home", remedy="`somnus-plugins serve` prints it.")
        secure = request.url.scheme == "https"
        cookie = session_cookie(self._token.new_session(), secure=secure, name=self._token.cookie)
        return _with(Response(status_code=NO_CONTENT), cookie)

    async def _sign_out(self, request: Request) -> Response:
        return _with(Response(status_code=NO_CONTENT), expired_cookie(name=self._token.cookie))


def _json(answer: Any) -> Response:
    return _with(Response(msgspec.json.encode(answer), media_type="application/json"))


def _told(problem: HttpProblem) -> Response:
    made = Response(problem.body(), problem.status, media_type=MEDIA_TYPE.decode())
    return _with(made, *problem.headers)


def _with(response: Response, *more: tuple[bytes, bytes]) -> Response:
    response.raw_headers.extend((*API_HEADERS, *more))
    return response


async def _said(request: Request) -> dict[str, Any] | HttpProblem:
    """What the query of a `GET`, or the body of what changes something, says; a problem where it is too much."""
    if request.method == "GET":
        return dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
    if request.method == "DELETE":
        return {}
    length = request.headers.get("content-length", "")
    body = await read_body(request.receive, int(length) if length.isdigit() else 0, BODY_MAX_BYTES)
    return body if isinstance(body, HttpProblem) else read_object(body or b"")


def _from_texts(given: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What the query says as text, as the types the operation takes."""
    try:
        read = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the query does not fit: {error}") from error
    return {name: getattr(read, name) for name in read.__struct_fields__}
