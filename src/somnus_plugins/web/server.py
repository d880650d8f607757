"""The application that `serve` runs: a host, its pages, and nothing that asks another machine for anything."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from somnus_plugins._version import __version__
from somnus_plugins.pages.hosts import AllowedHosts, HostGuard
from somnus_plugins.pages.problems import Receive, Scope, Send
from somnus_plugins.pages.rendering import ReadyPage
from somnus_plugins.web.attachment import ASSETS, PAGES, attach
from somnus_plugins.web.reference import sections
from somnus_plugins.web.token import HomeToken

if TYPE_CHECKING:
    from somnus_plugins.web.served import ServedHost

__all__ = ["DOCS_URL", "home_token", "serve_app", "sign_in_url"]

DOCS_URL = "/docs"
PREFIX = "/plugins"


def serve_app(host: ServedHost) -> FastAPI:
    """The application: the first page, plugins, API, `/docs` and `/openapi.json`.

    Args:
        host: Started and stopped by the application's lifespan. Its settings say which names are answered.
    """
    app = FastAPI(
        title="Somnus Plugins",
        version=__version__,
        description="The plugins of this home.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.somnus_docs_url = DOCS_URL
    attach(host, app, prefix=PREFIX)
    app.add_middleware(HostGuard, hosts=AllowedHosts(host.settings.web.allowed_hosts))

    reference = _Reference(app)

    @app.get(DOCS_URL, include_in_schema=False)
    async def docs(request: Request) -> Response:
        return reference

    return app


class _Reference(Response):
    """The page of the OpenAPI document as it is now: read and rendered once for each document, off the event loop."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__()
        self._app = app
        self._lock = threading.Lock()
        self._made: tuple[dict[str, Any], str, ReadyPage] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        document = self._app.openapi()
        made = self._made
        if made is None or made[0] is not document or made[1] != root:
            made = await asyncio.to_thread(self._make, document, root)
        await made[2].send(send)

    def _make(self, document: dict[str, Any], root: str) -> tuple[dict[str, Any], str, ReadyPage]:
        with self._lock:
            if self._made is None or self._made[0] is not document or self._made[1] != root:
                self._made = document, root, self._page(document, root)
            return self._made

    def _page(self, document: dict[str, Any], root: str) -> ReadyPage:
        return ReadyPage(
            PAGES,
            "reference.html",
            assets=f"{root}{PREFIX}/assets",
            files=ASSETS,
            home=f"{root}/",
            openapi=f"{root}{self._app.openapi_url}",
            title=self._app.title,
            version=__version__,
            sections=sections(document),
        )


def home_token(host: ServedHost) -> str:
    """The token that `serve` prints; made where there is none."""
    return HomeToken(host.home.token).value().decode("ascii")


def sign_in_url(host: ServedHost, address: str, port: int) -> str:
    """The address of the first page with the token behind `#`, which browsers keep to themselves."""
    name = f"[{address}]" if ":" in address else address
    return f"http://{name}:{port}/#token={home_token(host)}"
