"""Doors: other processes on the same home, served by its one host over a socket that only the same user can reach.

The host answers calls, streams and operations of its doors, and brings every new catalogue to all of them before the
change that made it counts as done: a barrier. A door that does not follow in time is cut off and attaches anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from somnus_plugins._version import __version__
from somnus_plugins.errors import (
    HostBusy,
    HostLost,
    PeerClosed,
    ProtocolViolation,
    RefusedError,
    SomnusError,
    UnknownPlugin,
    UsageError,
    WireError,
)
from somnus_plugins.host.catalogue import Catalogue, Listing
from somnus_plugins.host.core import CatalogueListener, Terms
from somnus_plugins.host.engine import Engine
from somnus_plugins.host.operations import perform
from somnus_plugins.settings import Settings
from somnus_plugins.wire.codec import DECODE_ERRORS
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.peer import Exchange, Incoming, Peer, PeerLimits, ProgressSink, Side

__all__ = ["DoorCore", "DoorKeeper"]

T = TypeVar("T")

CREDENTIALS: Final = struct.Struct("3i")
HOST_GRACE_S: Final = 1.0
"""Seconds after a call's deadline in which its host should have said so; then the door says it."""
BACKLOG: Final = 128
ACCEPT_RETRY_S: Final = 0.05
"""Seconds until the next door is let in, where the last one could not be."""
CALLS_MAX: Final = 100_000
"""Calls of one door under way at the same time: the plugins' own queues are what limits them."""
FRAME_CEILING_BYTES: Final = 1024 * 1024 * 1024
"""Largest frame any host may be set to send: what a door takes until its host has said what it sends."""
LOSSES: Final = frozenset({"oversized frame", "malformed frame"})
"""Strikes of a host that mean that an answer was lost: whoever waits for it must not wait on."""


class Greeting(msgspec.Struct):
    """A door's first words."""

    pid: int
    version: str


class DoorCall(msgspec.Struct, array_like=True):
    """A call through a door; its target is the plugin."""

    method: str
    target: str
    terms: Terms
    payload: msgspec.Raw


class CatalogueRecord(msgspec.Struct):
    """A catalogue on its way to a door."""

    revision: int
    listings: list[Listing]


class Welcome(CatalogueRecord):
    """The host's answer to a greeting: the catalogue, and by which of the host's settings both sides go."""

    window_bytes: int
    frame_max_bytes: int
    call_timeout_s: float
    """The host's ceiling for the deadline of a call."""
    operation_timeout_s: float
    """Seconds after which a host that has not answered an operation is stuck."""


class Order(msgspec.Struct):
    """An operation through a door; its target is the operation's name."""

    arguments: dict[str, Any]


def _limits(settings: Settings) -> PeerLimits:
    """Doors are processes of the same user and have no shared memory: large frames travel on the socket."""
    most = settings.wire.frame_max_bytes
    return PeerLimits(
        inline_max_bytes=most,
        send_max_bytes=most,
        receive_max_bytes=most,
        window_bytes=settings.wire.window_bytes,
        strikes_max=settings.wire.strikes_max,
        incoming_max=CALLS_MAX,
    )


def _operation_timeout_s(settings: Settings) -> float:
    """Every step the longest operation may take, one after the other."""
    host, runtime = settings.host, settings.runtime
    starting_s = 2 * runtime.start_timeout_s + runtime.prepare_timeout_s
    return starting_s + host.drain_timeout_s + runtime.stop_timeout_s + host.barrier_timeout_s + host.door_timeout_s


def _read(payload: msgspec.Raw, kind: type[T], refusal: type[SomnusError]) -> T:
    """A record of the other side; raises the refusal where it is none of this kind."""
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except DECODE_ERRORS as error:
        raise refusal(f"what was sent is no {kind.__name__}: {error}") from error


@contextlib.contextmanager
def _address(file: Path) -> Any:
    """An address for the socket file: a path is limited to 107 bytes, a path through an open directory is not."""
    if len(os.fsencode(file)) < 100:
        yield str(file)
        return
    directory = os.open(file.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{file.name}"
    finally:
        os.close(directory)


class DoorKeeper:
    """The host's side: lets doors in and serves them.

    Args:
        engine: What they reach.
        file: Where the socket stands.
        settings: Limits.
    """

    def __init__(self, engine: Engine, file: Path, settings: Settings) -> None:
        self._engine = engine
        self._file = file
        self._settings = settings
        self._doors: dict[Peer, Greeting] = {}
        self._guests: set[Peer] = set()
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        engine.doors = lambda: tuple(greeting.pid for greeting in self._doors.values())
        engine.on_catalogue.append(self._bring)

    def open(self) -> None:
        """Begin to let doors in. Only the holder of the home's lock may call it: a socket that is there is stale."""
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()
        listening = self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(self._file) as address:
            listening.bind(address)
        self._file.chmod(0o600)
        listening.listen(BACKLOG)
        listening.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listening))

    async def close(self) -> None:
        """Send every door away; they look for the next host."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        if self._listening is not None:
            self._listening.close()
            with contextlib.suppress(FileNotFoundError):
                self._file.unlink()
        for peer in list(self._guests):
            peer.close(PeerClosed("the host stopped"))

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:
                # No descriptor is free just now, or the door has left again.
                await asyncio.sleep(ACCEPT_RETRY_S)
                continue
            if _user_of(connection) not in (os.getuid(), 0):
                connection.close()
                continue
            guest = _Guest(self)
            peer = Peer(Side.HOST, guest.serve, limits=_limits(self._settings), on_closed=guest.leave)
            guest.peer = peer
            self._guests.add(peer)
            await loop.connect_accepted_socket(lambda peer=peer: peer.connection, connection)  # type: ignore[misc]  # bound now

    def greet(self, peer: Peer, greeting: Greeting) -> dict[str, Any]:
        """A guest becomes a door; answers what it begins with."""
        if greeting.version != __version__:
            raise RefusedError(
                f"the host runs version {__version__}, this process {greeting.version}",
                remedy="Restart the processes on this home with the same version.",
            )
        self._doors[peer] = greeting
        return {
            **self._engine.catalogue.to_record(),
            "window_bytes": self._settings.wire.window_bytes,
            "frame_max_bytes": self._settings.wire.frame_max_bytes,
            "call_timeout_s": self._settings.limits.call_timeout_s,
            "operation_timeout_s": _operation_timeout_s(self._settings),
        }

    def is_door(self, peer: Peer | None) -> bool:
        """Whether this guest was greeted and let in."""
        return peer in self._doors

    def forget(self, peer: Peer) -> None:
        """A guest has left."""
        self._guests.discard(peer)
        self._doors.pop(peer, None)

    async def _bring(self, catalogue: Catalogue) -> None:
        record = catalogue.to_record()
        await asyncio.gather(*(self._bring_to(peer, record) for peer in list(self._doors)))

    async def _bring_to(self, peer: Peer, record: dict[str, Any]) -> None:
        try:
            await peer.request("catalogue", record, header=Header(self._settings.host.barrier_timeout_s))
        except SomnusError:
            peer.close(HostLost("this door did not follow a change in time"))

    @property
    def engine(self) -> Engine:
        """What the doors reach."""
        return self._engine


class _Guest:
    """Serves one connection."""

    def __init__(self, keeper: DoorKeeper) -> None:
        self._keeper = keeper
        self.peer: Peer | None = None
        self._methods = {
            "hello": self._hello,
            "request": self._request,
            "exchange": self._exchange,
            "operate": self._operate,
        }

    async def serve(self, incoming: Incoming) -> Any:
        method = self._methods.get(incoming.method)
        if method is None:
            raise UsageError(f"a door has no method {incoming.method!r}")
        if incoming.method != "hello" and not self._keeper.is_door(self.peer):
            raise RefusedError("nobody is served here before a greeting that was accepted")
        return await method(incoming)

    def leave(self, reason: SomnusError) -> None:
        if self.peer is not None:
            self._keeper.forget(self.peer)

    async def _hello(self, incoming: Incoming) -> dict[str, Any]:
        assert self.peer is not None  # noqa: S101  # set before the connection is accepted
        return self._keeper.greet(self.peer, _read(incoming.payload, Greeting, UsageError))

    async def _request(self, incoming: Incoming) -> Any:
        call = _read(incoming.payload, DoorCall, UsageError)
        return await self._keeper.engine.request(
            incoming.target, call.method, call.target, call.payload, call.terms, incoming.progress
        )

    async def _exchange(self, incoming: Incoming) -> Any:
        call = _read(incoming.payload, DoorCall, UsageError)
        conversation = await self._keeper.engine.exchange(
            incoming.target,
            call.method,
            call.target,
            call.payload,
            call.terms,
            sends=incoming.streams_in,
            progress=incoming.progress,
        )

        async def upward() -> None:
            async for item in incoming.items():
                await conversation.send(item)
            conversation.end()

        up = asyncio.create_task(upward()) if incoming.streams_in else None
        try:
            async for item in conversation:
                await incoming.send(item)
            return await conversation.result()
        finally:
            if up is not None:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)
            await conversation.close()

    async def _operate(self, incoming: Incoming) -> Any:
        order = _read(incoming.payload, Order, UsageError)
        return await perform(self._keeper.engine, incoming.target, order.arguments)


def _user_of(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return int(CREDENTIALS.unpack(credentials)[1])


class DoorCore:
    """The door's side: the same calls and operations, in another process.

    Make one with `await DoorCore.open(…)`.
    """

    def __init__(self, on_catalogue: CatalogueListener) -> None:
        self.catalogue = Catalogue()
        self._on_catalogue = on_catalogue
        self._peer: Peer | None = None
        self._call_timeout_s = self._operation_timeout_s = 0.0

    @classmethod
    async def open(cls, file: Path, settings: Settings, on_catalogue: CatalogueListener, on_lost: Any) -> DoorCore:
        """Attach to the host that listens at `file`.

        Raises:
            OSError: Nobody listens there, or whoever did has ended, or has no place for one more just now.
            HostBusy: It does not answer the greeting in time, or not as a host does.
            RefusedError: It does not let this process in.
        """
        connection = await _connected(file)
        door = cls(on_catalogue)
        limits = replace(_limits(settings), inline_max_bytes=FRAME_CEILING_BYTES)
        peer = door._peer = Peer(Side.WORKER, door._serve, limits=limits, on_closed=on_lost, on_strike=door._on_strike)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: peer.connection, sock=connection)
            await door._greet(peer, settings.host.door_timeout_s)
        except RefusedError:
            peer.close()
            raise
        except PeerClosed as error:
            peer.close()
            raise ConnectionResetError("the host ended while this door attached") from error
        except SomnusError as error:
            peer.close()
            raise HostBusy(f"the host of {file.parent.parent} does not answer: {error}") from error
        except BaseException:
            # Else the host would count a door that nobody holds, and wait for it at every change.
            peer.close()
            raise
        return door

    async def _greet(self, peer: Peer, timeout_s: float) -> None:
        greeting = Greeting(os.getpid(), __version__)
        answer = await peer.request("hello", greeting, header=Header(timeout_s))
        welcome = _read(answer, Welcome, ProtocolViolation)
        connection = peer.connection
        connection.limits = replace(
            connection.limits, inline_max_bytes=welcome.frame_max_bytes, window_bytes=welcome.window_bytes
        )
        self._call_timeout_s = welcome.call_timeout_s
        self._operation_timeout_s = welcome.operation_timeout_s
        self._follow(welcome)
        connection.ensure_open()

    def _on_strike(self, kind: str) -> None:
        if kind in LOSSES and self._peer is not None:
            self._peer.close(ProtocolViolation(f"an answer of the host was lost: {kind}"))

    async def _serve(self, incoming: Incoming) -> None:
        if incoming.method != "catalogue":
            raise UsageError(f"a host has no method {incoming.method!r}")
        self._follow(_read(incoming.payload, CatalogueRecord, UsageError))

    def _follow(self, record: CatalogueRecord) -> None:
        if record.revision > self.catalogue.revision:
            self.catalogue = Catalogue(record.revision, record.listings)
            self._on_catalogue(self.catalogue)

    def _open_peer(self) -> Peer:
        if self._peer is None:
            raise HostLost("the door is closed")
        return self._peer

    def _header(self, plugin: str, target: str, terms: Terms) -> Header:
        """The deadline, kept here too and a little longer: a host that is stuck answers nothing."""
        limit_s = self._limit_s(plugin, target)
        asked_s = terms.timeout_s
        return Header(timeout_s=(limit_s if asked_s is None else min(limit_s, asked_s)) + HOST_GRACE_S)

    def _limit_s(self, plugin: str, target: str) -> float:
        """Seconds the host gives the call at most, as far as its catalogue says so."""
        try:
            listing = self.catalogue.find(plugin)
        except UnknownPlugin:
            return self._call_timeout_s
        own_s = next((each.timeout_s for each in listing.contributions.tools if each.name == target), None)
        return min(own_s or listing.call_timeout_s or self._call_timeout_s, self._call_timeout_s)

    async def request(
        self, plugin: str, method: str, target: str, payload: Any, terms: Terms, progress: ProgressSink | None = None
    ) -> msgspec.Raw:
        """One call with one answer."""
        try:
            call = DoorCall(method, target, terms, payload)
            return await self._open_peer().request(
                "request", call, plugin, self._header(plugin, target, terms), progress
            )
        except WireError as error:
            raise _lost(error) from error

    async def exchange(
        self,
        plugin: str,
        method: str,
        target: str,
        payload: Any,
        terms: Terms,
        *,
        sends: bool = False,
        progress: ProgressSink | None = None,
    ) -> DoorConversation:
        """A call with streams."""
        try:
            call = DoorCall(method, target, terms, payload)
            peer = self._open_peer()
            header = self._header(plugin, target, terms) if method != "websocket" else Header()
            exchange = await peer.exchange("exchange", call, plugin, header, sends=sends, progress=progress)
            return DoorConversation(peer, exchange)
        except WireError as error:
            raise _lost(error) from error

    async def operate(self, name: str, arguments: dict[str, Any]) -> Any:
        """One operation of the host."""
        try:
            header = Header(timeout_s=self._operation_timeout_s + HOST_GRACE_S)
            answer = await self._open_peer().request("operate", Order(arguments), name, header)
        except WireError as error:
            raise _lost(error) from error
        return msgspec.msgpack.decode(answer)

    async def close(self) -> None:
        """Leave."""
        if self._peer is not None:
            self._peer.close()


class DoorConversation:
    """A call with streams through a door."""

    def __init__(self, peer: Peer, exchange: Exchange) -> None:
        self._peer = peer
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[msgspec.Raw]:
        try:
            async for item in self._exchange:
                # The answer has begun: what is left of its time, the host keeps.
                self._exchange.lift_deadline()
                yield item
        except WireError as error:
            raise _lost(error) from error

    async def send(self, item: Any) -> None:
        """Send one item; waits while the plugin does not read."""
        try:
            await self._exchange.send(item)
        except WireError as error:
            if self._peer.closed is None:
                raise
            raise _lost(error) from error

    def end(self) -> None:
        """No more items from here."""
        self._exchange.end()

    async def result(self) -> msgspec.Raw:
        """The call's result, encoded."""
        try:
            return await self._exchange.result()
        except WireError as error:
            raise _lost(error) from error

    async def close(self) -> None:
        """Cancel the call where it still runs."""
        self._exchange.cancel()


async def _connected(file: Path) -> socket.socket:
    """A connection to the host that listens there; raises as `DoorCore.open` does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        with _address(file) as address:
            await asyncio.get_running_loop().sock_connect(connection, address)
        # Where the queue of the listener is full, the loop takes the socket for connected, and it is not.
        connection.getpeername()
        if _user_of(connection) not in (os.getuid(), 0):
            raise RefusedError(f"{file} belongs to another user", remedy="Use a home of your own.")
    except BaseException:
        connection.close()
        raise
    return connection


def _lost(error: WireError) -> HostLost:
    return HostLost(
        f"the process that was the host ended while it answered: {error}",
        remedy="Another process takes over; call again where that does no harm.",
    )
