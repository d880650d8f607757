"""Peers that are joined, and sides that do not keep to the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import msgspec

from somnus_plugins.errors import SomnusError
from somnus_plugins.wire.codec import HOST_READS, WORKER_READS, encode_frame
from somnus_plugins.wire.frames import EMPTY_HEADER, Frame, Request, raw
from somnus_plugins.wire.memory import connected_pair
from somnus_plugins.wire.peer import Handler, Incoming, Peer, PeerLimits, Side

KIB: Final = 1024
PATIENCE_S: Final = 15
"""Seconds after which a test that still waits for a peer has failed."""
LIMITS: Final = PeerLimits(
    inline_max_bytes=64 * KIB,
    send_max_bytes=4096 * KIB,
    receive_max_bytes=2048 * KIB,
    window_bytes=16 * KIB,
    strikes_max=8,
    incoming_max=16,
)

Transport = Literal["memory", "socket"]


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for a condition that nothing announces; it fails the test where it does not come true."""
    if condition():
        return
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        while not condition():
            turn = asyncio.Event()
            loop.call_later(0.001, turn.set)
            await turn.wait()


async def turns(count: int) -> None:
    """Let the loop turn: whatever can go on without news from outside has then done so."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turn = asyncio.Event()
        loop.call_soon(turn.set)
        await turn.wait()


class Gate:
    """A handler that waits until it is opened, and notes what happened to it."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.cancelled = 0

    async def __call__(self, incoming: Incoming) -> Any:
        self.entered += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "through"


async def echo(incoming: Incoming) -> Any:
    """Answer with the arguments."""
    return incoming.payload


def decoded(payload: msgspec.Raw) -> Any:
    """What a payload holds."""
    return msgspec.msgpack.decode(payload)


async def listed(items: AsyncIterator[msgspec.Raw]) -> list[Any]:
    """What a stream holds."""
    return [decoded(each) async for each in items]


def open_descriptors() -> list[str]:
    """The sockets and the shared memory that this process holds open."""
    gc.collect()
    found: list[str] = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(each for each in found if each.startswith(("socket:", "/memfd:")))


@contextmanager
def faults_of_the_loop() -> Iterator[list[dict[str, Any]]]:
    """What reaches the exception handler of the running loop."""
    loop = asyncio.get_running_loop()
    found: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: found.append(context))
    try:
        yield found
    finally:
        loop.set_exception_handler(before)


@dataclass
class Pair:
    """Two peers that are joined, and what happened to the host's."""

    host: Peer
    worker: Peer
    sockets: tuple[socket.socket, ...] = ()
    strikes: list[str] = field(default_factory=list)
    abandoned: list[int] = field(default_factory=list)
    ends: list[SomnusError] = field(default_factory=list)

    def sides(self, caller: Side) -> tuple[Peer, Peer]:
        """Caller and callee."""
        return (self.host, self.worker) if caller is Side.HOST else (self.worker, self.host)


async def attach(peer: Peer, end: socket.socket) -> asyncio.Transport:
    """Give a peer a real socket."""
    end.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: peer.connection, sock=end)
    return transport


@asynccontextmanager
async def joined(
    way: Transport,
    host: Handler = echo,
    worker: Handler = echo,
    limits: PeerLimits = LIMITS,
    channel: bool = False,
    on_abandoned: Callable[[int], None] | None = None,
) -> AsyncIterator[Pair]:
    """Two peers, in memory or over a socket pair; with a channel, large bodies have shared memory."""
    strikes: list[str] = []
    abandoned: list[int] = []
    ends: list[SomnusError] = []
    hooks: dict[str, Any] = {
        "on_strike": strikes.append,
        "on_abandoned": on_abandoned or abandoned.append,
        "on_closed": ends.append,
    }
    if way == "memory":
        pair = Pair(*connected_pair(host, worker, limits, **hooks), (), strikes, abandoned, ends)
    else:
        sockets = [*socket.socketpair()]
        if channel:
            sockets += socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        host_channel, worker_channel = sockets[2:] or (None, None)
        pair = Pair(
            Peer(Side.HOST, host, limits=limits, channel=host_channel, **hooks),
            Peer(Side.WORKER, worker, limits=limits, channel=worker_channel),
            tuple(sockets),
            strikes,
            abandoned,
            ends,
        )
        await attach(pair.host, sockets[0])
        await attach(pair.worker, sockets[1])
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield pair
    finally:
        pair.host.close()
        pair.worker.close()
        await until(lambda: not pair.host.serving and not pair.worker.serving)
        await until(lambda: all(each.fileno() < 0 for each in pair.sockets[:2]))
        for each in pair.sockets[2:]:
            each.close()


# --- a side that sends what it likes ----------------------------------------------------------------------------------


def framed(*parts: Frame | bytes) -> bytes:
    """Frames as they travel; bytes are taken as the body of a frame."""
    bodies = [part if isinstance(part, bytes) else encode_frame(part) for part in parts]
    return b"".join(struct.pack(">I", len(body)) + body for body in bodies)


def request(call_id: int, method: str = "echo", payload: Any = None, streams: int = 0) -> Request:
    """A request as any side may send it."""
    return Request(call_id, method, "", EMPTY_HEADER, streams, raw(payload))


class Stranger:
    """The far end of a peer's socket, in the hands of somebody who need not keep to the protocol."""

    def __init__(self, end: socket.socket, peer_side: Side) -> None:
        self.end = end
        end.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._decode = (WORKER_READS if peer_side is Side.HOST else HOST_READS).decode
        self._buffer = b""

    async def send(self, *parts: Frame | bytes) -> None:
        """Send frames, or bodies of frames."""
        await self.send_bytes(framed(*parts))

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are; nothing once the peer has gone."""
        with contextlib.suppress(ConnectionError):
            await self._loop.sock_sendall(self.end, data)

    async def receive(self) -> Frame:
        """The next frame of the peer; EOFError once it has closed."""
        async with asyncio.timeout(5):
            body = await self._exactly(struct.unpack(">I", await self._exactly(4))[0])
        frame: Frame = self._decode(body)
        return frame

    async def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                data = await self._loop.sock_recv(self.end, 64 * KIB)
            except ConnectionError:
                data = b""
            if not data:
                raise EOFError
            self._buffer += data
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


@dataclass
class Siege:
    """A host's peer that faces a stranger, and beside it a peer whose worker behaves."""

    host: Peer
    stranger: Stranger
    neighbour: Peer
    transport: asyncio.Transport
    channel: socket.socket
    """The stranger's end of the channel for descriptors."""
    faults: list[dict[str, Any]]
    strikes: list[str] = field(default_factory=list)
    ends: list[SomnusError] = field(default_factory=list)
    questions: int = 0

    async def neighbour_answers(self) -> bool:
        """Whether another plugin of the same host is served as ever."""
        async with asyncio.timeout(5):
            return bool(decoded(await self.neighbour.request("echo", "still here")) == "still here")

    async def answers(self) -> bool:
        """Whether the host's peer still serves the stranger."""
        self.questions += 1
        call_id = 2**40 + 2 * self.questions
        await self.stranger.send(request(call_id, payload="you?"))
        while True:
            frame = await self.stranger.receive()
            if getattr(frame, "id", None) == call_id:
                return type(frame).__name__ == "Response"

    async def end(self) -> SomnusError:
        """Wait until the connection has been cut, and say why."""
        await until(lambda: self.ends)
        return self.ends[0]


@asynccontextmanager
async def besieged(handler: Handler = echo, **limits: Any) -> AsyncIterator[Siege]:
    """A host under attack; fails where an exception reached its loop or the neighbour was harmed."""
    near, far = socket.socketpair()
    channel, far_channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far_channel.setblocking(False)
    strikes: list[str] = []
    ends: list[SomnusError] = []
    chosen = replace(LIMITS, **limits)
    with faults_of_the_loop() as faults:
        host = Peer(Side.HOST, handler, limits=chosen, channel=channel, on_strike=strikes.append, on_closed=ends.append)
        transport = await attach(host, near)
        async with joined("socket") as other:
            siege = Siege(host, Stranger(far, Side.HOST), other.host, transport, far_channel, faults, strikes, ends)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    yield siege
                assert await siege.neighbour_answers()
                assert other.strikes == []
            finally:
                host.close()
                await until(lambda: near.fileno() < 0 and not host.serving)
                for each in (far, channel, far_channel):
                    each.close()
    assert faults == []


class StillTransport(asyncio.Transport):
    """A transport without a socket: what is written to it is kept, the latest first to be looked at."""

    def __init__(self, keep: int = 64) -> None:
        super().__init__()
        self.written: deque[bytes] = deque(maxlen=keep)
        self.bytes_written = 0
        self.reading = True
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self.bytes_written += len(data)

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
