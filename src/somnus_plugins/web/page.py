"""The first page: an empty frame that anybody may see. What it shows, its script asks the API for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Match, NoMatchFound

from somnus_plugins._version import __version__
from somnus_plugins.pages.assets import Assets
from somnus_plugins.pages.hosts import AllowedHosts
from somnus_plugins.pages.problems import Receive, Scope, Send, send_problem
from somnus_plugins.pages.rendering import Pages
from somnus_plugins.web.entrance import GET_OR_HEAD, below

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["FirstPage"]


class FirstPage(BaseRoute):
    """Answers at `/` where nothing else does.

    Args:
        app: The application.
        prefix: Where the plugins stand.
        api_prefix: Where the API stands.
        assets: Has `plugins.js` and `somnus.css`.
        pages: Has `plugins.html`.
        hosts: Whose names are answered.
        signs_in: Whether the home's token is what lets a person in.
    """

    def __init__(
        self,
        app: FastAPI,
        prefix: str,
        api_prefix: str,
        assets: Assets,
        pages: Pages,
        *,
        hosts: AllowedHosts,
        signs_in: bool,
    ) -> None:
        self.path_format = "/"
        self._app = app
        self._prefix = prefix
        self._api_prefix = api_prefix
        self._assets = assets
        self._pages = pages
        self._hosts = hosts
        self._signs_in = signs_in

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A partial match: every route of the application that fits comes first, wherever it stands in the list."""
        mine = scope["type"] == "http" and scope["method"] in GET_OR_HEAD and below(scope) == "/"
        return (Match.PARTIAL if mine else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """The page has no name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page."""
        host = next((value for name, value in scope["headers"] if name == b"host"), None)
        if not self._hosts.allow(host):
            await send_problem(scope, send, self._hosts.problem(host))
            return
        root = scope.get("root_path", "")
        docs = getattr(self._app.state, "somnus_docs_url", None) or self._app.docs_url
        await self._pages.send(
            send,
            "plugins.html",
            assets=f"{root}{self._prefix}/assets",
            files=self._assets,
            prefix=root + self._prefix,
            api=root + self._api_prefix,
            docs=root + docs if docs and self._app.openapi_url else "",
            signs_in=self._signs_in,
            version=__version__,
        )
