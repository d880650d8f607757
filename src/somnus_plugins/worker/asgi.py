"""The author's own FastAPI application, made from the decorated methods, and the bridge from the wire to it.

The only module that imports FastAPI. It is imported at the first request, or before the fork.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import FastAPIError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic.errors import PydanticUserError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from somnus_plugins.errors import InvalidPlugin, PluginError, PluginRaised, ZygoteFailed
from somnus_plugins.sdk.context import ACTIVE, Call
from somnus_plugins.sdk.declarations import post, tool
from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.wire.contributions import Route
from somnus_plugins.wire.frames import EMPTY_HEADER
from somnus_plugins.wire.http import CLOSED_BY_ERROR
from somnus_plugins.wire.methods import Announcement, HttpRequest, HttpResponse, LoadOrder
from somnus_plugins.worker.annotations import call_parameters, resolved_hints
from somnus_plugins.worker.exchanges import Delivery, HttpExchange, Items, SocketExchange, asgi_scope
from somnus_plugins.worker.execution import author_error
from somnus_plugins.worker.fingerprint import fingerprint
from somnus_plugins.worker.inventory import DeclaredRoute, Inventory
from somnus_plugins.worker.loader import Loaded
from somnus_plugins.worker.schemas import place_structs
from somnus_plugins.worker.tools import ToolAdapter

__all__ = ["Bridge", "build_app", "openapi_of", "routes_of", "warm_up"]

PROBLEM: Final = "application/problem+json"


# --- the application -------------------------------------------------------------------------------------------------


def build_app(loaded: Loaded) -> FastAPI:
    """The plugin's application: its decorated methods in the order in which they were written, then its `router`.

    Args:
        loaded: The plugin; where it has no instance, because its settings do not fit, the application can be described
            and not called.

    Raises:
        InvalidPlugin: FastAPI does not take a route.
    """
    inventory, order = loaded.inventory, loaded.order
    app = _empty_app(order.plugin, order.version, inspect.cleandoc(inventory.kind.__doc__ or ""))
    plugin = loaded.plugin or object.__new__(inventory.kind)
    for route in inventory.routes:
        _add(app, route, plugin)
    router = inventory.router
    if router is not None:
        if not isinstance(router, APIRouter):
            raise InvalidPlugin(
                f"{inventory.kind.__name__}.router is a {type(router).__name__}; allowed is a fastapi.APIRouter"
            )
        app.include_router(router)
    return app


def _empty_app(title: str, version: str, description: str) -> FastAPI:
    return FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        exception_handlers={PluginError: _told, Exception: _told},
    )


def _add(app: FastAPI, route: DeclaredRoute, plugin: Plugin) -> None:
    made = route.declaration
    place = f"@{made.verb}({made.path!r}) {route.attribute}"
    try:
        getattr(app, made.verb)(made.path, **made.keywords)(_endpoint(route, plugin, place))
    except (FastAPIError, PydanticUserError, TypeError, ValueError, AssertionError) as error:
        raise InvalidPlugin(
            f"{place}: FastAPI does not take it: {str(error).splitlines()[0]}",
            remedy="See FastAPI's documentation of path operations.",
        ) from error


def _endpoint(route: DeclaredRoute, plugin: Plugin, place: str) -> Callable[..., Any]:
    """The bound method; a parameter for the `Call` becomes a dependency.

    FastAPI tells coroutines, generators and threads apart by the function itself, so a copy with another signature is
    bound, and no wrapper.
    """
    function = route.function
    hints = resolved_hints(function, place)
    injected = call_parameters(hints)
    if injected:
        signature = inspect.signature(function)
        parameters = [
            each.replace(annotation=Annotated[Call, Depends(_current_call)], default=inspect.Parameter.empty)
            if each.name in injected
            else each.replace(annotation=hints.get(each.name, each.annotation))
            for each in signature.parameters.values()
        ]
        parameters.sort(key=lambda each: (each.kind, each.default is not inspect.Parameter.empty))
        copy = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        copy.__dict__.update(function.__dict__)
        copy.__doc__, copy.__module__, copy.__qualname__ = function.__doc__, function.__module__, function.__qualname__
        returned = hints.get("return", signature.return_annotation)
        vars(copy)["__signature__"] = signature.replace(parameters=parameters, return_annotation=returned)
        function = copy
    return types.MethodType(function, plugin)


async def _current_call() -> Call:
    return Call.current()


async def _told(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, PluginError):
        return _problem(error)
    return _problem(PluginRaised(f"{type(error).__name__} in {request.method} {request.url.path}"))


def _problem(error: PluginError) -> JSONResponse:
    status = 500 if isinstance(error, PluginRaised) else error.http_status
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "remedy": error.remedy,
    }
    return JSONResponse({key: value for key, value in content.items() if value}, status, media_type=PROBLEM)


def routes_of(app: FastAPI) -> tuple[Route, ...]:
    """Every route of an application, in the order in which they are tried."""
    return tuple(
        Route(
            path=each.path or "",
            methods=tuple(sorted(each.methods or ())),
            name=each.name or "",
            websocket=isinstance(each.original_route, WebSocketRoute),
        )
        for each in iter_route_contexts(app.routes)
    )


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application.

    Raises:
        InvalidPlugin: A route has no schema.
    """
    try:
        return place_structs(app.openapi(), "#/components/schemas/{name}", ("components", "schemas"))
    except (FastAPIError, PydanticUserError, TypeError, ValueError, AssertionError) as error:
        raise InvalidPlugin(
            f"{app.title}: a route has no schema: {str(error).splitlines()[0]}",
            remedy="Annotate with types that JSON can express, or exclude it: include_in_schema=False.",
        ) from error


# --- the bridge ------------------------------------------------------------------------------------------------------


class Bridge:
    """Runs requests through an application.

    Args:
        app: The application; any ASGI application will do.
        threads: How many routes without `async` run at the same time; None leaves the library's own number.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], *, threads: int | None = None) -> None:
        self._app = app
        self._afterwards: set[asyncio.Task[None]] = set()
        if threads is not None:
            anyio.to_thread.current_default_thread_limiter().total_tokens = threads

    async def http(self, request: HttpRequest, items: Callable[[], Items], deliver: Delivery) -> HttpResponse:
        """Answer one request.

        Args:
            request: As it came from the host.
            items: Gives the chunks of the body, where `request.body` is None.
            deliver: Sends the items of a streamed answer: an `HttpHead`, then bytes.

        Returns:
            The whole answer, or one with status 0 at the end of a streamed one. What the application still does then,
            such as background tasks, goes on; `finish` waits for it.

        Raises:
            PluginRaised: The application failed after its head had left.
        """
        exchange = HttpExchange(request, items, deliver)
        task = asyncio.create_task(self._run(asgi_scope(request, "http"), exchange))
        try:
            answer = await exchange.answer
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if not task.done():
            self._afterwards.add(task)
            task.add_done_callback(self._afterwards.discard)
        return answer

    async def _run(self, scope: dict[str, Any], exchange: HttpExchange) -> None:
        place = f"{scope['method']} {scope['path']}"
        try:
            await self._app(scope, exchange.receive, exchange.send)
            if not exchange.answer.done():
                raise RuntimeError("the application ended without a complete answer")
        except asyncio.CancelledError:
            exchange.answer.cancel()
            raise
        except BaseException as error:  # noqa: BLE001  # the author's routes: they may raise anything, SystemExit included
            known = author_error(error, place)
            if exchange.streaming:
                exchange.fail(known)
            else:
                answer = _problem(known)
                exchange.finish(HttpResponse(answer.status_code, answer.raw_headers, bytes(answer.body)))

    async def websocket(self, request: HttpRequest, items: Items, deliver: Delivery) -> None:
        """Serve one WebSocket until either side closes it.

        Args:
            request: Its handshake.
            items: The client's messages (`wire.http`).
            deliver: Sends the application's.
        """
        exchange = SocketExchange(items, deliver)
        try:
            await self._app(asgi_scope(request, "websocket"), exchange.receive, exchange.send)
            await exchange.close()
        except asyncio.CancelledError:
            raise
        except (WebSocketDisconnect, ConnectionResetError):
            return
        except BaseException as error:  # noqa: BLE001  # the author's routes: they may raise anything, SystemExit included
            author_error(error, f"WebSocket {request.path}")
            await exchange.close(CLOSED_BY_ERROR)

    async def finish(self) -> None:
        """Wait for what applications do after their answers."""
        while self._afterwards:
            await asyncio.wait(self._afterwards)


# --- before the fork -------------------------------------------------------------------------------------------------


class _Body(BaseModel):
    text: str
    count: int = 1


class _Slip(msgspec.Struct):
    text: str


class _Rehearsal(Plugin):
    @post("/{item}")
    async def answer(self, item: int, body: _Body, call: Call, q: str = "") -> _Body:
        """Take part in a rehearsal."""
        return body

    @tool
    async def whisper(self, slip: _Slip) -> list[_Slip]:
        """Take part with a Struct."""
        return [slip]


def warm_up() -> None:
    """Build an application that is thrown away, and send one request through it; the same for a tool.

    A process forked afterwards finds built what the first route of any plugin needs, which is two thirds of the time
    until its first answer.

    Raises:
        ZygoteFailed: The rehearsal failed, or left more than one thread, so that forking would not be safe.
    """
    loop = asyncio.new_event_loop()
    try:
        status = loop.run_until_complete(_rehearse())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    tasks = Path("/proc/self/task")
    threads = len(list(tasks.iterdir())) if tasks.is_dir() else 1
    if status != HTTPStatus.OK or threads != 1:
        raise ZygoteFailed(
            f"the rehearsal was answered with {status} and left {threads} threads; allowed are 200 and 1"
        )


async def _rehearse() -> int:
    order = LoadOrder(
        plugin="somnus/rehearsal",
        version="0",
        entry_module=__name__,
        entry_attribute=_Rehearsal.__name__,
        directory="",
        import_paths=(),
        data="",
        cache="",
    )
    inventory = Inventory.of(_Rehearsal)
    fingerprint(inventory)
    adapter = ToolAdapter(inventory.tools["whisper"], None)
    adapter.write([adapter.read(msgspec.Raw(msgspec.msgpack.encode({"slip": {"text": "x"}})))["slip"]])
    body = b'{"text": "x"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    request = HttpRequest("POST", "http", "/1", b"q=x", headers, "", "1.1", None, None, [], body)
    app = build_app(Loaded(order, inventory, None, Announcement(fingerprint="")))
    ACTIVE.set(Call(_Rehearsed()))
    bridge = Bridge(app, threads=order.threads)  # loads anyio's backend, which alone takes longer than all the rest
    return (await bridge.http(request, _no_items, _nowhere)).status


class _Rehearsed:
    """Stands in for a request from the host."""

    header = EMPTY_HEADER
    received = 0.0

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Nobody listens."""


def _no_items() -> Items:
    raise TypeError("the rehearsal has no body in pieces")


async def _nowhere(item: Any) -> None:
    return None
