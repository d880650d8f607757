"""A forked child: waits for its assignment, limits itself, then serves its plugin until the host hangs up."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import select
import socket
import sys
import threading
from typing import Final, NoReturn

import msgspec

from somnus_plugins.confinement import process
from somnus_plugins.errors import SomnusError
from somnus_plugins.wire.codec import PREFIX
from somnus_plugins.wire.methods import Assignment
from somnus_plugins.wire.peer import Peer, PeerLimits, Side
from somnus_plugins.worker.dispatch import Dispatcher
from somnus_plugins.worker.log_lines import LineHandler
from somnus_plugins.worker.rehearsal import rehearse

__all__ = ["run", "speak_by_lines"]

ASSIGNMENT_MAX_BYTES: Final = 64 * 1024
STACK_BYTES: Final = 512 * 1024
"""Stack of a thread. The default of 8 MiB counts against the memory limit: nine threads would use up 256 MiB."""


def run(stream_descriptor: int, channel_descriptor: int) -> NoReturn:
    """Be a worker; never returns."""
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    stream = socket.socket(fileno=stream_descriptor)
    if not _has_come(stream):
        loop.run_until_complete(rehearse())
    assignment = _assignment(stream)
    if assignment is not None:
        process.rename(assignment.plugin.rpartition("/")[2])
        process.limit(memory_mb=assignment.memory_mb, open_files=assignment.open_files)
        threading.stack_size(STACK_BYTES)
        loop.run_until_complete(_serve(stream, socket.socket(fileno=channel_descriptor), assignment))
    os._exit(0)


def _has_come(stream: socket.socket) -> bool:
    """Whether the assignment is there already: then somebody waits, and there is no time for a rehearsal."""
    return bool(select.select([stream], [], [], 0)[0])


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _assignment(stream: socket.socket) -> Assignment | None:
    prefix = _exactly(stream, PREFIX.size)
    if prefix is None:
        return None
    (length,) = PREFIX.unpack(prefix)
    body = _exactly(stream, length) if length <= ASSIGNMENT_MAX_BYTES else None
    return None if body is None else msgspec.msgpack.decode(body, type=Assignment)


def _exactly(stream: socket.socket, length: int) -> bytes | None:
    data = b""
    while len(data) < length:
        part = stream.recv(length - len(data))
        if not part:
            return None
        data += part
    return data


def speak_by_lines() -> None:
    """Have `print` and `logging` write whole lines to descriptors 1 and 2, whatever these are after the fork."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(descriptor, "w", closefd=False)
        text = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True, newline="\n"
        )
        setattr(sys, name, text)
    root = logging.getLogger()
    root.handlers[:] = [LineHandler(2)]
    root.setLevel(logging.INFO)


async def _serve(stream: socket.socket, channel: socket.socket, assignment: Assignment) -> None:
    loop = asyncio.get_running_loop()
    channel.setblocking(False)
    stream.setblocking(False)
    ended: asyncio.Future[SomnusError] = loop.create_future()
    peer = Peer(
        Side.WORKER,
        Dispatcher(),
        limits=PeerLimits(
            inline_max_bytes=assignment.inline_max_bytes,
            send_max_bytes=assignment.frame_max_bytes,
            receive_max_bytes=assignment.frame_max_bytes,
            window_bytes=assignment.window_bytes,
            incoming_max=assignment.incoming_max,
        ),
        channel=channel,
        on_closed=lambda reason: None if ended.done() else ended.set_result(reason),
    )
    await loop.create_unix_connection(lambda: peer.connection, sock=stream)
    await ended
