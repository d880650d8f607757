"""A host on a FastAPI application: it starts and stops with it, and serves below two prefixes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from somnus_plugins.errors import UsageError
from somnus_plugins.pages.assets import Assets
from somnus_plugins.pages.hosts import HostGuard
from somnus_plugins.pages.rendering import STATIC, Pages
from somnus_plugins.web.api import AdminApi
from somnus_plugins.web.entrance import Entrance, Shortcut
from somnus_plugins.web.login import dependency_login
from somnus_plugins.web.openapi import DocumentMerger
from somnus_plugins.web.page import FirstPage
from somnus_plugins.web.token import HomeToken

if TYPE_CHECKING:
    from fastapi import FastAPI

    from somnus_plugins.web.served import ServedHost

__all__ = ["ASSETS", "PAGES", "attach"]

HERE = Path(__file__).parent
ASSETS = Assets(STATIC, HERE / "static")
PAGES = Pages(HERE / "templates")

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def attach(host: ServedHost, app: FastAPI, *, prefix: str = "/plugins", user: Any = None, admin: Any = None) -> None:
    """Serve a host's plugins, tools, API and first page on an application, and start and stop with it.

    The plugins' and the API's prefix come before every route of the application. The page at `/` comes after all of
    them: it is only seen where the application has nothing there, whenever it adds its routes.

    Args:
        host: What is served.
        app: Any FastAPI application.
        prefix: Where the plugins stand.
        user: `Depends(…)` that gives the signed-in person for routes and tools; None accepts the home's token only.
            `id`, `username`, `sub`, `email` or `name` of what it gives, or the text itself, is told to the plugin.
        admin: `Depends(…)` that lets operators pass for the admin API; None accepts the home's token only.

    Raises:
        UsageError: A prefix that is no path.
    """
    api_prefix = host.settings.web.api_prefix
    for each in (prefix, api_prefix):
        if not each.startswith("/") or each.endswith("/") or "{" in each:
            raise UsageError(f"{each!r} is no prefix; allowed is a path such as '/plugins', without a slash at its end")
    token = HomeToken(host.home.token)
    entrance = Entrance(
        host,
        prefix,
        api_prefix,
        api=AdminApi(host, app, api_prefix, admin, token),
        assets=ASSETS,
        pages=PAGES,
        token=token,
        login=dependency_login(app, prefix, user) if user is not None else None,
    )
    host.on_catalogue(entrance.take)
    app.router.routes.insert(0, entrance)
    app.router.routes.append(
        FirstPage(app, prefix, api_prefix, ASSETS, PAGES, hosts=entrance.hosts, signs_in=admin is None)
    )

    def begin() -> None:
        if user is None or admin is None:
            token.ensure()
        if user is None:
            _shorten(app, entrance)

    app.router.lifespan_context = _with_host(host, entrance, app.router.lifespan_context, begin)
    merger = DocumentMerger(
        app.openapi,
        lambda: entrance.catalogue,
        prefix=prefix,
        api_prefix=api_prefix,
        user_by_token=user is None,
        admin_by_token=admin is None,
    )
    app.openapi = merger  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _with_host(host: ServedHost, entrance: Entrance, inner: Lifespan, begin: Callable[[], None]) -> Lifespan:
    """The application's lifespan inside the host's, unless the host was started by somebody else."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        ours = host.role == "stopped"
        if ours:
            await host.start()
        entrance.take(host.catalogue)
        begin()
        try:
            async with inner(app) as state:
                yield state
        finally:
            if ours:
                await host.stop()
                entrance.take(host.catalogue)

    return lifespan


def _shorten(app: FastAPI, entrance: Entrance) -> None:
    stack = app.middleware_stack
    kinds: set[Any] = {each.cls for each in app.user_middleware}
    if stack is not None and kinds <= {HostGuard} and not isinstance(stack, Shortcut):
        app.middleware_stack = Shortcut(entrance, stack)
