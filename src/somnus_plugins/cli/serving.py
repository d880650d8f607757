"""Serving a host over HTTP from this process, until somebody ends it."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from somnus_plugins._version import __version__
from somnus_plugins.cli import terminal
from somnus_plugins.errors import HostError
from somnus_plugins.host.plugin_host import PluginHost
from somnus_plugins.host.views import SANDBOX_LEVEL
from somnus_plugins.settings import load_settings
from somnus_plugins.web.server import home_token, serve_app

if TYPE_CHECKING:
    from somnus_plugins.cli.scene import Scene
    from somnus_plugins.settings import Settings

__all__ = ["Station", "run_station"]

BACKLOG: Final = 2048
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - recognised, not chosen
"""Addresses that mean every network, and the one to show for each."""

_REFUSED: Final = {
    errno.EADDRINUSE: "another program listens there",
    errno.EACCES: "this user may not listen there",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


@dataclass(frozen=True)
class Station:
    """A host that is about to be served."""

    scene: Scene
    host: PluginHost
    settings: Settings
    socket: socket.socket
    address: str
    """`http://127.0.0.1:8765`."""

    def announce(self) -> None:
        """Say where it is: to a program in one line, to a person with the link that signs in."""
        token = home_token(self.host)
        if self.scene.json:
            terminal.write_text(terminal.json_text({"address": self.address, "token_file": str(self.host.home.token)}))
            return
        from rich.text import Text

        out = self.scene.out
        out.print(
            Text.assemble(("somnus-plugins ", "bold"), __version__, (f"  {self.host.home.root}", "dim")), soft_wrap=True
        )
        out.print(Text.assemble("  open  ", (f"{self.address}/#token={token}", "cyan")), soft_wrap=True)
        out.print(Text.assemble("  API   ", f"{self.address}/docs"), soft_wrap=True)
        out.print("  Ctrl-C ends it.", style="dim")

    def warn(self) -> None:
        """Say once, on standard error, what does not protect this machine."""
        told = (
            f"confinement level {SANDBOX_LEVEL}: plugins can read and change what you can; serve only those you trust"
        )
        if sys.platform != "linux":
            told = f"confinement level {SANDBOX_LEVEL}: {sys.platform} cannot confine plugins; run only your own"
        self.scene.err.print(terminal.text(told, "yellow"), soft_wrap=True)
        if self.settings.web.host in EVERYWHERE:
            self.scene.err.print("listening on every network of this machine", style="yellow", soft_wrap=True)


Work = Callable[[Station], Coroutine[Any, Any, None]]


class WebServer(uvicorn.Server):
    """A server that says when it is ready, and ends for signals without passing them on.

    Args:
        station: What it serves.
        work: Runs beside it, and is cancelled before the host stops.
    """

    def __init__(self, station: Station, work: Work | None) -> None:
        # Anybody on this machine reaches a loopback port: their word about other addresses counts nothing.
        config = uvicorn.Config(
            serve_app(station.host),
            log_config=None,
            access_log=False,
            lifespan="on",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(station.settings.runtime.stop_timeout_s)),
        )
        super().__init__(config)
        self.work: asyncio.Task[None] | None = None
        self._station = station
        self._work = work

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, then say so."""
        await super().startup(sockets)
        self._station.announce()
        if self._work is not None:
            self.work = asyncio.get_running_loop().create_task(self._work(self._station))
            self.work.add_done_callback(self._work_ended)

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve no longer."""
        if self.work is not None:
            self.work.cancel()
            await asyncio.wait([self.work])
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends in order, a second Ctrl-C at once."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def run_station(
    scene: Scene,
    *,
    host: str | None,
    port: str | None,
    safe: bool = False,
    before: Work | None = None,
    work: Work | None = None,
) -> None:
    """Serve the home's host until a signal comes.

    Args:
        scene: Where the verb stands.
        host: Address to listen on; None takes the setting.
        port: Port to listen on, 0 a free one; None takes the setting.
        safe: With every plugin off.
        before: Done once the host runs, before anybody can call.
        work: Done while it serves.

    Raises:
        HostError: Nobody can listen at that address, or the host cannot start.
        InvalidSetting: The port is none.
    """
    given = {"web.host": host, "web.port": port}
    settings = load_settings(scene.root, overrides={key: value for key, value in given.items() if value is not None})
    listener = _listen(settings.web.host, settings.web.port)
    with listener, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(scene, settings, listener, safe=safe, before=before, work=work))


async def _serve(
    scene: Scene, settings: Settings, listener: socket.socket, *, safe: bool, before: Work | None, work: Work | None
) -> None:
    host = PluginHost(scene.root, settings=settings, safe=safe)
    async with host:
        station = Station(scene, host, settings, listener, _address(settings.web.host, listener))
        station.warn()
        if before is not None:
            await before(station)
        server = WebServer(station, work)
        await server.serve([listener])
        if server.work is not None and not server.work.cancelled():
            server.work.result()


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise HostError(
            f"cannot listen on {host}, port {port}: {_REFUSED.get(error.errno or 0, error.strerror)}",
            remedy="Choose another port with --port (0 takes a free one), or another address with --host.",
        ) from error
    return listener


def _address(host: str, listener: socket.socket) -> str:
    shown = EVERYWHERE.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{listener.getsockname()[1]}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
