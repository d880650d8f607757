"""The connection under a peer: bytes to frames and back, strikes, back pressure, and the end.

Guarantees: nothing that arrives raises into the event loop; what is malformed, oversized, unknown or not asked for is a
counted strike, and one strike too many cuts the connection.
"""

from __future__ import annotations

import asyncio
import enum
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from somnus_plugins.errors import InvalidInput, InvalidResult, PeerClosed, ProtocolViolation, SomnusError
from somnus_plugins.wire.codec import DECODE_ERRORS, HOST_READS, PREFIX, WORKER_READS, Splitter, encode_frame
from somnus_plugins.wire.frames import Frame
from somnus_plugins.wire.splice import Spliced
from somnus_plugins.wire.streams import ITEM_COST

__all__ = ["Body", "Connection", "PeerLimits", "Side", "TooLarge"]

TooLarge = type[InvalidInput] | type[InvalidResult]
"""What a body that is too large is an error of: of arguments, or of a result."""


TOGETHER_MAX_BYTES: Final = 32 * 1024
"""Small frames that leave together, at most: below what makes a transport say that the other side is behind."""

TURN_FRAMES: Final = 500
"""Frames of one plugin that the host takes before everybody else has had a turn."""
IDLE_MAX: Final = 500
"""Frames that carry no work forward, before the host pauses: then a flood of them costs it a bounded share of its
time."""
PAUSE_S: Final = 0.01


class Side(enum.Enum):
    """Which end of the connection a peer is; decides whose ids are odd and which frames it may receive."""

    HOST = "host"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """What one connection may cost; the reasons stand in `settings.WireSettings`."""

    inline_max_bytes: int = 256 * 1024
    send_max_bytes: int = 128 * 1024 * 1024
    receive_max_bytes: int = 16 * 1024 * 1024
    window_bytes: int = 256 * 1024
    strikes_max: int = 8
    incoming_max: int = 256


Body = bytes | Spliced
"""The body of a frame, in one piece or, on its way into shared memory, in several."""


class Carrier(Protocol):
    """Carries the bodies of frames that are too large for the socket."""

    async def carry(self, body: Body, too_large: TooLarge) -> None:
        """Bring one body to the other side whole, or raise: an error of the tree, or that it was cancelled."""


class Connection(asyncio.Protocol):
    """Frames over one stream transport.

    Args:
        side: Which end this is.
        limits: What the connection may cost.
        on_strike: Called with the kind of each strike.
        on_closed: Called once, with the reason, after every call has failed.
    """

    def __init__(
        self,
        side: Side,
        limits: PeerLimits,
        on_strike: Callable[[str], None] | None = None,
        on_closed: Callable[[SomnusError], None] | None = None,
    ) -> None:
        self.side = side
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.strikes: Counter[str] = Counter()
        self.closed: SomnusError | None = None
        self.halted = False
        """What arrives is not taken: the connection has ended, or is held."""
        self.frame_size = 0
        """Bytes of the frame that is being received."""
        self.idle = 0
        """Frames since the last pause that carried no work forward: signals, and what came after the end of a call."""
        self.receivers: dict[type, Callable[[Any], None]] = {}
        """Frame type to the function that takes it; filled by the parts of the peer."""
        self.enders: list[Callable[[SomnusError], None]] = []
        """Called with the reason when the connection ends, before `on_closed`."""
        self.carrier: Carrier | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self._decode = (HOST_READS if side is Side.HOST else WORKER_READS).decode
        self._splitter = Splitter(limits.inline_max_bytes)
        self._transport: asyncio.Transport | None = None
        self._holds = 0
        # A worker trusts its host and takes whatever comes, as it comes.
        self._turn_frames, self._idle_max = (TURN_FRAMES, IDLE_MAX) if side is Side.HOST else (sys.maxsize, sys.maxsize)
        self._late = 0
        # As many items as can be on their way where every call that is allowed has a full window of empty ones.
        self._late_max = limits.incoming_max * (limits.window_bytes // ITEM_COST) if side is Side.HOST else sys.maxsize
        self._together: list[bytes] = []
        self._together_bytes = 0
        self._on_strike = on_strike
        self._on_closed = on_closed

    # -- sending -----------------------------------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send a small frame now, whatever is waiting; nothing once the connection has ended."""
        if self.closed is None and self._transport is not None:
            body = encode_frame(frame)
            self._write(PREFIX.pack(len(body)) + body)

    def send_now(self, body: Body, crowd: int = 1) -> bool:
        """Send a body at once; false where it is too large or the other side is behind: then `send_body`.

        Args:
            body: Of one frame.
            crowd: Calls under way. Where there are several, what they send in one turn of the loop leaves together.
        """
        if len(body) > self.limits.inline_max_bytes or not self.writable.is_set() or self._transport is None:
            return False
        data: bytes = PREFIX.pack(len(body)) + body  # type: ignore[operator]  # one in pieces is larger than inline
        if (crowd == 1 and not self._together) or len(data) > TOGETHER_MAX_BYTES:
            self._write(data)
            return True
        if not self._together:
            self.loop.call_soon(self._write_together)
        self._together.append(data)
        self._together_bytes += len(data)
        if self._together_bytes > TOGETHER_MAX_BYTES:
            self._write_together()
        return True

    def _write(self, data: bytes) -> None:
        """Write after what waits to leave together, so that frames stay in their order."""
        self._write_together()
        if self._transport is not None:
            self._transport.write(data)

    def _write_together(self) -> None:
        if self._together and self._transport is not None and self.closed is None:
            together, self._together, self._together_bytes = self._together, [], 0
            self._transport.write(b"".join(together))

    async def send_body(self, body: Body, too_large: TooLarge = InvalidInput) -> None:
        """Send a body of any size as soon as the other side reads; cancelled, nothing of it is sent.

        Raises:
            InvalidInput: It is too large for what carries it (`too_large`, where another error is named).
            SomnusError: The connection has ended, or there is no memory for what carries it.
        """
        if (limit := self.limits.inline_max_bytes) < len(body):
            if self.carrier is None:
                raise too_large(f"{len(body):,} bytes are more than the {limit:,} that this connection takes at once")
            await self.carrier.carry(body, too_large)
            return
        if not isinstance(body, bytes):
            raise too_large("a body in pieces is only for shared memory")
        if not self.writable.is_set():
            await self.writable.wait()
        self.ensure_open()
        if self._transport is None:
            raise PeerClosed("the connection is not open yet")
        self._write(PREFIX.pack(len(body)) + body)

    # -- receiving ---------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes from the transport."""
        splitter = self._splitter
        if splitter.is_whole(data):
            self.take(data[4:])
            if self.idle > self._idle_max:
                self._pause()
            return
        left = self._turn_frames
        for body in splitter.feed(data):
            self.take(body)
            left -= 1
            if self.halted or not left or self.idle > self._idle_max:
                break
        while splitter.oversized and not self.halted:
            splitter.oversized -= 1
            self.strike("oversized frame")
        if not left or self.idle > self._idle_max:
            self._pause()

    def _pause(self) -> None:
        """Let everybody else have a turn; after many idle frames, for a while."""
        if self.closed is not None:
            return
        self.hold()
        if self.idle > self._idle_max:
            self.idle = 0
            self.loop.call_later(PAUSE_S, self.release)
        else:
            self.loop.call_soon(self.release)

    def take(self, body: bytes | memoryview) -> None:
        """Decode one body and hand the frame to its receiver."""
        try:
            frame = self._decode(body)
        except DECODE_ERRORS:
            self.strike("malformed frame")
            return
        self.frame_size = len(body)
        self.receivers[type(frame)](frame)

    def hold(self) -> None:
        """Leave what follows unread, the rest of what has arrived included, until each `hold` has its `release`."""
        self._holds += 1
        self.halted = True
        if self._transport is not None:
            self._transport.pause_reading()

    def release(self) -> None:
        """Take what was left, unless somebody else still holds it."""
        self._holds -= 1
        if self.closed is None and not self._holds:
            self.halted = False
            self.data_received(b"")
            self._resume_reading()

    def _resume_reading(self) -> None:
        if self.writable.is_set() and not self.halted and self._transport is not None:
            self._transport.resume_reading()

    def ensure_open(self) -> None:
        """Raise the reason of the end, where the connection has ended."""
        if self.closed is not None:
            # Without the frames of those who met it before: it would keep alive whatever they held.
            raise self.closed.with_traceback(None)

    def late(self) -> None:
        """Count a frame of a call that has ended: no fault, unless there are more than can have been on their way."""
        self.idle += 1
        self._late += 1
        if self._late > self._late_max:
            self.strike("frames of ended calls without end")

    def expect_late(self) -> None:
        """A call has ended here while the other side may still be sending: its late frames count from nothing."""
        self._late = 0

    def strike(self, kind: str) -> None:
        """Count something the other side must not do; one too many ends the connection."""
        if self.closed is not None:
            return
        self.strikes[kind] += 1
        if self._on_strike is not None:
            self._on_strike(kind)
        if self.strikes.total() > self.limits.strikes_max:
            counted = ", ".join(f"{count} × {kind}" for kind, count in self.strikes.most_common())
            self.end(ProtocolViolation(f"the other side broke the protocol: {counted}"))

    # -- the transport -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is open; closed at once where the connection has already ended."""
        self._transport = cast(asyncio.Transport, transport)
        if self.closed is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        """The other side does not read fast enough. The host then stops reading, so that answering costs no memory."""
        self.writable.clear()
        if self.side is Side.HOST and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The other side reads again."""
        self.writable.set()
        if self.side is Side.HOST:
            self._resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport has closed."""
        self.end(PeerClosed("the other side closed the connection"))

    def end(self, reason: SomnusError) -> None:
        """End the connection at once; what is under way fails with the reason."""
        if self.closed is not None:
            return
        self.closed = reason
        self.halted = True
        for ender in self.enders:
            ender(reason)
        self.writable.set()
        if self._transport is not None:
            self._transport.abort()
        if self._on_closed is not None:
            self._on_closed(reason)
