"""One side of a connection: starts calls and serves calls. It knows no application.

A peer is made of parts that share one connection: the calls it started, the calls it serves, the streams inside both,
and, where there is a channel for descriptors, shared memory for large bodies. It runs over any asyncio transport;
`memory.connected_pair` joins two without a socket.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from somnus_plugins.errors import PeerClosed, SomnusError
from somnus_plugins.wire import shared_memory
from somnus_plugins.wire.calls import Calls, Exchange, ProgressSink
from somnus_plugins.wire.connection import Connection, PeerLimits, Side
from somnus_plugins.wire.frames import Credit, End, Filled, Item, Reserve, Reserved, Spilled
from somnus_plugins.wire.service import Handler, Incoming, Service
from somnus_plugins.wire.spill import HostSpill, WorkerSpill
from somnus_plugins.wire.streams import ITEM_COST, Inbox, Outbox

__all__ = ["Exchange", "Handler", "Incoming", "Peer", "PeerLimits", "ProgressSink", "Side"]


class Peer:
    """One side of a connection.

    Args:
        side: Which end this is.
        handler: Serves the other side's calls.
        limits: What the connection may cost.
        channel: Socket for descriptors (host: sends, worker: receives); None where nothing large is sent.
        on_closed: Called once, with the reason, when the connection has ended.
        on_strike: Called with the kind of each strike.
        on_abandoned: Called with the id of each call that was given up and that the callee has to acknowledge.
    """

    def __init__(
        self,
        side: Side,
        handler: Handler,
        *,
        limits: PeerLimits,
        channel: socket.socket | None = None,
        on_closed: Callable[[SomnusError], None] | None = None,
        on_strike: Callable[[str], None] | None = None,
        on_abandoned: Callable[[int], None] | None = None,
    ) -> None:
        self.connection = Connection(side, limits, on_strike, on_closed)
        """The `asyncio.Protocol` to give to a transport."""
        self._calls = Calls(self.connection, on_abandoned)
        self._service = Service(self.connection, handler)
        self.connection.receivers |= {Item: self._on_item, End: self._on_end, Credit: self._on_credit}
        if channel is not None and shared_memory.available():
            spill = HostSpill if side is Side.HOST else WorkerSpill
            self.connection.carrier = spill(self.connection, channel)
        else:
            for frame in (Reserve, Filled, Spilled, Reserved):
                self.connection.receivers[frame] = self._on_memory
        self.request = self._calls.request
        self.exchange = self._calls.exchange
        self.finished = self._calls.finished

    def is_abandoned(self, call_id: int) -> bool:
        """Whether a call was given up and the callee has not yet acknowledged it."""
        return call_id in self._calls.abandoned

    @property
    def pending(self) -> int:
        """Calls of this side that have not ended."""
        return len(self._calls.open)

    @property
    def serving(self) -> int:
        """Calls of the other side that have not ended."""
        return len(self._service.open)

    @property
    def closed(self) -> SomnusError | None:
        """Why the connection ended, or None while it stands."""
        return self.connection.closed

    def close(self, reason: SomnusError | None = None) -> None:
        """End the connection at once; every call of either side fails."""
        self.connection.end(reason or PeerClosed("the connection was closed"))

    # -- streams inside calls of either side -------------------------------------------------------------------------

    def _inbox(self, call_id: int) -> Inbox | None:
        call, incoming = self._calls.open.get(call_id), self._service.open.get(call_id)
        return call.inbox if call is not None else incoming.inbox if incoming is not None else None

    def _outbox(self, call_id: int) -> Outbox | None:
        call, incoming = self._calls.open.get(call_id), self._service.open.get(call_id)
        return call.outbox if call is not None else incoming.outbox if incoming is not None else None

    def _stray(self, call_id: int, kind: str) -> None:
        if call_id in self._calls.abandoned or self._service.is_past(call_id):
            self.connection.late()
        else:
            self.connection.strike(kind)

    def _on_item(self, item: Item) -> None:
        inbox = self._inbox(item.id)
        if inbox is not None:
            if not inbox.put(item.payload, self.connection.frame_size + ITEM_COST):
                self.connection.strike("item without credit")
        else:
            self._stray(item.id, "item of no stream")

    def _on_end(self, end: End) -> None:
        incoming = self._service.open.get(end.id)
        if incoming is not None and incoming.inbox is not None:
            self.connection.idle += 1
            incoming.inbox.end()
        elif self._service.is_past(end.id):
            self.connection.late()
        else:
            self.connection.strike("end of no stream")

    def _on_credit(self, credit: Credit) -> None:
        outbox = self._outbox(credit.id)
        if credit.count <= 0:
            self.connection.strike("credit that is not positive")
        elif outbox is not None:
            self.connection.idle += 1
            outbox.add(credit.count)
        else:
            self._stray(credit.id, "credit for no stream")

    def _on_memory(self, frame: object) -> None:
        self.connection.strike("shared memory on a connection without it")
