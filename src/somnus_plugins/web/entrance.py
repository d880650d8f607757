"""The one way into the host: below the plugins' prefix and the API's, before any route of the application is tried.

Which plugin is meant is one look into a dictionary that is replaced as a whole when something changes, so a thousand
plugins cost a request as much as one, and what was taken away is gone with the same step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import BaseRoute, Match, NoMatchFound

from somnus_plugins.errors import HostNotRunning, UnknownPlugin
from somnus_plugins.pages.assets import Assets
from somnus_plugins.pages.headers import ASSET_HEADERS
from somnus_plugins.pages.hosts import AllowedHosts
from somnus_plugins.pages.problems import HttpProblem, Receive, Scope, Send, send_problem, send_whole
from somnus_plugins.pages.rendering import Pages
from somnus_plugins.pages.sessions import foreign_page
from somnus_plugins.web.inbound import Inbound
from somnus_plugins.web.sockets import SocketVisit
from somnus_plugins.web.token import HomeToken
from somnus_plugins.web.tools import ToolVisit
from somnus_plugins.web.visits import Visit

if TYPE_CHECKING:
    from somnus_plugins.host.catalogue import Catalogue, Listing
    from somnus_plugins.web.served import ServedHost

__all__ = ["Arrival", "Entrance", "Login", "Shortcut", "below"]

ASSETS: Final = "assets"
"""Stands where a mount does; no plugin may be called so."""
TOOLS: Final = "tools/"
NAVIGATION: Final = (b"sec-fetch-mode", b"navigate")
"""The header of a request whose answer a person will look at."""
GET_OR_HEAD: Final = frozenset({"GET", "HEAD"})


def below(scope: Scope) -> str:
    """The path of a request, below where the application itself is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


class Arrival:
    """A request for a plugin that has been found; `serve` lets it in.

    Args:
        host: Where the plugin is.
        listing: The plugin.
        inbound: The request's headers.
        rest: Path below the mount, without the slash it begins with.
        idle_s: Seconds a stream or a WebSocket may stand still.
    """

    __slots__ = ("_host", "_idle_s", "inbound", "listing", "rest")

    def __init__(self, host: ServedHost, listing: Listing, inbound: Inbound, rest: str, idle_s: float) -> None:
        self._host = host
        self._idle_s = idle_s
        self.inbound = inbound
        self.listing = listing
        self.rest = rest

    async def serve(self, scope: Scope, receive: Receive, send: Send, user: str | None) -> None:
        """Answer it, on behalf of a person who has been let in."""
        host, listing, inbound, rest = self._host, self.listing, self.inbound, self.rest
        if scope["type"] == "websocket":
            await SocketVisit(scope, receive, send, self._idle_s).serve(host, listing, inbound, rest, user)
        elif is_tool(scope, rest):
            await ToolVisit(scope, receive, send).serve(host, listing, inbound, rest[len(TOOLS) :], user)
        elif not listing.contributions.routes:
            await send_problem(scope, send, _no_route(scope, listing, rest))
        else:
            await Visit(scope, receive, send, self._idle_s).serve(host, listing, inbound, rest, user)


Login = Callable[[Scope, Receive, Send, Arrival], Awaitable[None]]
"""The application's: finds out who it is, then lets the arrival in, or refuses."""


def is_tool(scope: Scope, rest: str) -> bool:
    """Whether the request calls a tool: that path is never a plugin's route."""
    return rest.startswith(TOOLS) and scope.get("method") == "POST" and "/" not in rest[len(TOOLS) :]


class Entrance(BaseRoute):
    """Serves plugins, tools, assets and the API.

    Args:
        host: What is served.
        prefix: Of the plugins, without a slash at its end.
        api_prefix: Of the API.
        api: An ASGI application.
        assets: Files of our own pages.
        pages: Has `closed.html`.
        token: Lets in who has it, where there is no login.
        login: The application's; None takes the token.
    """

    def __init__(
        self,
        host: ServedHost,
        prefix: str,
        api_prefix: str,
        *,
        api: Callable[[Scope, Receive, Send], Awaitable[None]],
        assets: Assets,
        pages: Pages,
        token: HomeToken,
        login: Login | None,
    ) -> None:
        self.path_format = prefix
        self._host = host
        self.plugins_below = prefix + "/"
        """What the paths of all plugins begin with."""
        self._api_below = api_prefix + "/"
        self.api = api
        self._assets = assets
        self._pages = pages
        self._token = token
        self._login = login
        self.hosts = AllowedHosts(host.settings.web.allowed_hosts)
        self._idle_s = host.settings.web.socket_idle_s
        self.catalogue = host.catalogue
        """What is served."""

    def take(self, catalogue: Catalogue) -> None:
        """Serve this from now on."""
        self.catalogue = catalogue

    # -- as a route of the application -------------------------------------------------------------------------------

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for us."""
        path = below(scope)
        ours = path.startswith((self.plugins_below, self._api_below))
        return (Match.FULL if ours else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """No route of ours has a name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for us."""
        inbound = Inbound(scope)
        host = inbound.noted.get(b"host")
        if not self.hosts.allow(host):
            await send_problem(scope, send, self.hosts.problem(host))
            return
        path = below(scope)
        if path.startswith(self.plugins_below):
            mount, _, rest = path[len(self.plugins_below) :].partition("/")
            listing = self.catalogue.mounts.get(mount) or self._look_again(mount)
            if listing is not None:
                arrival = Arrival(self._host, listing, inbound, rest, self._idle_s)
                await self._admit(scope, receive, send, arrival)
            elif mount == ASSETS:
                await self._asset(scope, send, rest)
            else:
                await send_problem(scope, send, self._unknown(mount))
        elif (refusal := self._foreign(scope, inbound)) is not None:
            await send_problem(scope, send, refusal)
        else:
            await self.api(scope, receive, send)

    # -- plugins -----------------------------------------------------------------------------------------------------

    async def _admit(self, scope: Scope, receive: Receive, send: Send, arrival: Arrival) -> None:
        if arrival.listing.public_routes and not is_tool(scope, arrival.rest):
            await arrival.serve(scope, receive, send, None)
            return
        if self._login is None:
            method = scope.get("method") or "WEBSOCKET"
            refusal = self._token.refusal(method, scope["scheme"], arrival.inbound.noted)
        else:
            refusal = self._foreign(scope, arrival.inbound)
        if refusal is not None:
            await self._refuse(scope, send, refusal)
        elif self._login is None:
            await arrival.serve(scope, receive, send, None)
        else:
            await self._login(scope, receive, send, arrival)

    async def _refuse(self, scope: Scope, send: Send, refusal: HttpProblem) -> None:
        """A person who followed a link reads a page; everybody else a problem."""
        if refusal.status != HTTPStatus.UNAUTHORIZED or NAVIGATION not in scope["headers"]:
            await send_problem(scope, send, refusal)
            return
        root = scope.get("root_path", "")
        await self._pages.send(
            send,
            "closed.html",
            status=refusal.status,
            headers=refusal.headers,
            assets=root + self.plugins_below + ASSETS,
            files=self._assets,
            home=root + "/",
            path=scope["path"],
        )

    def _foreign(self, scope: Scope, inbound: Inbound) -> HttpProblem | None:
        return foreign_page(scope.get("method") or "WEBSOCKET", scope["scheme"], inbound.noted, self.hosts)

    def _look_again(self, mount: str) -> Listing | None:
        """The host may have been started by somebody else than this application."""
        self.catalogue = self._host.catalogue if self._host.catalogue.revision else self.catalogue
        return self.catalogue.mounts.get(mount)

    def _unknown(self, mount: str) -> HttpProblem:
        if self._host.role == "stopped":
            error = HostNotRunning("the host is not running", remedy="Serve the application with its lifespan.")
            return HttpProblem.of(error)
        return HttpProblem.of(UnknownPlugin(f"no plugin is served as {mount[:100]!r}"))

    async def _asset(self, scope: Scope, send: Send, name: str) -> None:
        asset = self._assets.find(name)
        if asset is None or scope.get("method") not in GET_OR_HEAD:
            await send_problem(
                scope, send, HttpProblem.http(HTTPStatus.NOT_FOUND, "not_found", f"there is no {name!r}")
            )
        else:
            await send_whole(send, 200, asset.media_type, asset.body, ASSET_HEADERS)


class Shortcut:
    """Stands before an application's middleware and hands requests for the entrance to it at once.

    Only where the application has no middleware of its own and the token is what lets people in: then nothing in
    between would do anything but cost time.

    Args:
        entrance: Takes its requests.
        inner: Takes all others.
    """

    __slots__ = ("_entrance", "_inner")

    def __init__(self, entrance: Entrance, inner: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._entrance = entrance
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and below(scope).startswith(self._entrance.plugins_below):
            await self._entrance.handle(scope, receive, send)
        else:
            await self._inner(scope, receive, send)


def _no_route(scope: Scope, listing: Listing, rest: str) -> HttpProblem:
    """A plugin without routes is not woken to say so."""
    name = rest.removeprefix(TOOLS)
    if rest.startswith(TOOLS) and any(tool.name == name for tool in listing.contributions.tools):
        return HttpProblem.http(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method_not_allowed",
            f"{name} is a tool: it is called with POST and a JSON object",
            headers=((b"allow", b"POST"),),
        )
    return HttpProblem.http(
        HTTPStatus.NOT_FOUND, "not_found", f"{listing.id} has no routes; nothing stands at {scope['path']}"
    )
