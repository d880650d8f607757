"""Inputs by the ten thousand, a million in `make verify`: no exception, no hang, nothing that grows."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import random
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest

from somnus_plugins.errors import ProtocolViolation, SomnusError, ToolError
from somnus_plugins.wire import shared_memory
from somnus_plugins.wire.codec import Splitter
from somnus_plugins.wire.frames import Header
from somnus_plugins.wire.peer import Exchange, Incoming, Peer, Side
from tests.adversarial.wire.hostile_bytes import HostileBytes
from tests.support.wire import LIMITS, StillTransport, faults_of_the_loop, open_descriptors, turns, until

pytestmark = pytest.mark.anyio

INPUTS: Final = 1_000_000 if os.environ.get("SOMNUS_VERIFY") == "1" else 20_000
SEEDS: Final = 4
BATCH: Final = 20
STUCK_S: Final = 120
OWN_CALLS: Final = 6
DEAF_BYTES: Final = 4_096
PATIENT: Final = replace(LIMITS, strikes_max=60)
"""More strikes than are wise: a peer that is cut at once never gets into the states that are worth looking at."""


@contextmanager
def ended_when_stuck() -> Iterator[None]:
    """End the whole run, with the stack, where a batch never returns: no assertion could be reached any more."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


async def serve(incoming: Incoming) -> Any:
    """Do what the method says; each is a way in which a call can be open."""
    match incoming.method:
        case "items":
            for number in range(3):
                await incoming.send(number)
        case "read":
            return len([each async for each in incoming.items()])
        case "wait":
            await asyncio.Event().wait()
        case "fail":
            raise ToolError("no")
        case "big":
            return b"x" * (LIMITS.inline_max_bytes + 1)
    return incoming.payload


class Victim:
    """A peer under fire, with calls of its own open."""

    def __init__(self, side: Side) -> None:
        self.transport = StillTransport()
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.far.setblocking(False)
        self.peer = Peer(side, serve, limits=PATIENT, channel=self.near)
        self.peer.connection.connection_made(self.transport)
        self.calls: set[asyncio.Task[Any]] = set()
        self.fed = 0

    def ids(self) -> list[int]:
        """Ids that mean something to the peer."""
        return [*self.peer._calls.open, *self.peer._calls.abandoned, *self.peer._service.open]

    @property
    def deaf(self) -> bool:
        """Whether it waits for the rest of a frame so long that no further input would reach it."""
        splitter = self.peer.connection._splitter
        return splitter._skip > DEAF_BYTES or splitter._needed > DEAF_BYTES

    @property
    def done(self) -> bool:
        """Whether another input could do anything."""
        return self.peer.closed is not None or self.deaf

    async def feed(self, data: bytes) -> None:
        """Give it an input as a transport would: never while it does not read."""
        self.peer.connection.resume_writing()
        if not self.transport.reading:
            await until(lambda: self.transport.reading or self.peer.closed)
        if not self.peer.closed:
            self.fed += 1
            self.peer.connection.data_received(data)

    def call(self, kind: int) -> None:
        """Start a call of its own, of one of several kinds."""
        header = Header(timeout_s=0.0 if kind % 3 == 0 else None)
        work = self._request(header) if kind % 2 else self._exchange(header)
        self.calls.add(asyncio.ensure_future(work))
        self.calls = {each for each in self.calls if not each.done()}

    async def _request(self, header: Header) -> None:
        with contextlib.suppress(SomnusError):
            await self.peer.request("tool", {"a": 1}, header=header, progress=lambda *_: None)

    async def _exchange(self, header: Header) -> None:
        with contextlib.suppress(SomnusError):
            exchange = await self.peer.exchange("tool", header=header, sends=True)
            await asyncio.gather(self._pour(exchange), self._drain(exchange))

    async def _pour(self, exchange: Exchange) -> None:
        for _ in range(40):
            await exchange.send(b"x" * 1_000)
        exchange.end()

    async def _drain(self, exchange: Exchange) -> None:
        async for _ in exchange:
            pass

    def check(self) -> None:
        """What must hold whatever arrived."""
        connection = self.peer.connection
        assert self.peer.serving <= LIMITS.incoming_max
        assert self.peer.pending <= len(self.calls)
        assert len(self.peer._calls.abandoned) <= self.fed
        assert connection.strikes.total() <= PATIENT.strikes_max + 1
        assert self.transport.aborted == (self.peer.closed is not None)
        assert self.peer.closed is None or isinstance(self.peer.closed, ProtocolViolation)
        assert len(connection._splitter._buffer) <= LIMITS.inline_max_bytes + 4

    def empty_channel(self) -> None:
        """Close the descriptors that the peer has sent."""
        with contextlib.suppress(OSError):
            while True:
                os.close(shared_memory.collect(self.far))

    async def end(self) -> None:
        """Every call of either side ends with the connection."""
        self.peer.close()
        await turns(3)
        await until(lambda: not self.peer.serving and all(each.done() for each in self.calls))
        assert self.peer.pending == 0
        assert not self.peer._calls.abandoned
        assert [each.exception() for each in self.calls if each.exception()] == []
        self.empty_channel()
        self.near.close()
        self.far.close()


async def victims(side: Side) -> AsyncIterator[Victim]:
    """One after another, each until it has cut its connection or hears nothing more."""
    while True:
        victim = Victim(side)
        yield victim
        await victim.end()


async def bombard(side: Side, seed: int, count: int) -> tuple[int, int]:
    """Feed inputs until there were enough; how many peers that took, and the most that one of them survived."""
    chance = random.Random(seed)
    peers = longest = done = 0
    with faults_of_the_loop() as faults:
        async for victim in victims(side):
            source = HostileBytes(chance.randrange(2**32), victim.ids)
            peers += 1
            with ended_when_stuck():
                while not victim.done and done < count:
                    done += await batch(victim, source, chance)
                    assert faults == [], f"seed {seed}, after {done} inputs"
            longest = max(longest, victim.fed)
            if done >= count:
                await victim.end()
                break
    assert faults == []
    return peers, longest


async def batch(victim: Victim, source: HostileBytes, chance: random.Random) -> int:
    """Some inputs, some calls of the peer's own, some turns of the loop; how many inputs."""
    before = victim.fed
    if len(victim.calls) < OWN_CALLS:
        victim.call(chance.randrange(6))
        await turns(1)
    for _ in range(BATCH):
        data = source.next()
        try:
            await victim.feed(data)
        except Exception as error:
            error.add_note(f"input: {data.hex()}")
            raise
        if chance.random() < 0.05:
            victim.peer.connection.pause_writing()
        if victim.done:
            break
    await turns(2)
    victim.empty_channel()
    victim.check()
    return victim.fed - before


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_no_input_breaks_a_host_or_makes_it_grow(seed: int) -> None:
    before = open_descriptors()
    peers, longest = await bombard(Side.HOST, seed, INPUTS // SEEDS)

    assert peers > 10, "the inputs are not hostile enough"
    assert longest > 20, "the inputs never get far"
    assert open_descriptors() == before


async def test_no_input_breaks_a_worker_either() -> None:
    before = open_descriptors()
    peers, longest = await bombard(Side.WORKER, SEEDS, INPUTS // SEEDS)

    assert peers > 10
    assert longest > 20
    assert open_descriptors() == before


def plainly(stream: bytes, limit: int) -> list[bytes]:
    """The bodies in a whole stream, read in the simplest way there is."""
    bodies: list[bytes] = []
    while len(stream) >= 4:
        (length,) = struct.unpack_from(">I", stream)
        body, stream = stream[4 : 4 + length], stream[4 + length :]
        if length <= limit and len(body) == length:
            bodies.append(body)
    return bodies


def test_the_splitter_agrees_with_a_plain_reading_however_the_stream_is_cut() -> None:
    chance = random.Random(7)
    for _ in range(INPUTS // 10):
        limit = chance.randrange(1, 40)
        lengths = [chance.randrange(60) for _ in range(chance.randrange(8))]
        stream = b"".join(struct.pack(">I", length) + chance.randbytes(length) for length in lengths)
        stream = stream[: chance.randrange(len(stream) + 1)] if chance.random() < 0.3 else stream
        splitter, position, bodies = Splitter(limit), 0, []
        while position < len(stream):
            step = chance.choice((1, 2, 3, 5, 50, 1_000))
            bodies += splitter.feed(stream[position : position + step])
            position += step

        assert bodies == plainly(stream, limit)
        assert len(splitter._buffer) <= limit + 4
