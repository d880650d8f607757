"""Large frames in shared memory.

The host makes every piece of memory, for both directions, and passes its descriptor to the worker over a second socket
that only ever carries descriptors from host to worker. No descriptor of a worker's is ever received: the host reads its
socket with `recv`, and the kernel drops what rides along.

Host to worker: the memory is sealed against every change before it is sent. Worker to host: it is sealed against
shrinking and growing, so that reading it cannot fault, and is copied out before a byte of it is decoded, so that
changing it meanwhile changes nothing.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
from typing import Final

__all__ = ["available", "blank", "close", "collect", "copy_out", "fill", "post", "publish", "take"]

_ADD_SEALS: Final = 1033
_SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW, _SEAL_WRITE = 1, 2, 4, 8


def available() -> bool:
    """Whether this kernel has sealed shared memory."""
    return hasattr(os, "memfd_create")


def publish(*pieces: bytes) -> int:
    """A descriptor of read-only memory that holds these bytes, one piece behind the other."""
    descriptor = os.memfd_create("somnus", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        fcntl.fcntl(descriptor, _ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW | _SEAL_WRITE | _SEAL_SEAL)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def blank(length: int) -> int:
    """A descriptor of `length` writable bytes whose size can no longer change."""
    descriptor = os.memfd_create("somnus", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, length)
        fcntl.fcntl(descriptor, _ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW | _SEAL_SEAL)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def post(channel: socket.socket, descriptor: int) -> None:
    """Send a descriptor to the worker; raises `BlockingIOError` where the worker does not collect them."""
    socket.send_fds(channel, [b"d"], [descriptor])


def collect(channel: socket.socket) -> int:
    """Receive the next descriptor, which was sent before the frame that announces it.

    Raises:
        OSError: There is none.
    """
    data, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not data or not descriptors:
        raise OSError("no descriptor was sent")
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]


def take(descriptor: int, length: int) -> memoryview:
    """The bytes behind a descriptor that the host published; closes the descriptor."""
    try:
        return memoryview(mmap.mmap(descriptor, length, prot=mmap.PROT_READ))
    finally:
        os.close(descriptor)


def fill(descriptor: int, data: bytes | bytearray) -> None:
    """Write a frame into blank memory; closes the descriptor."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def close(descriptor: int) -> None:
    """Close a descriptor whose memory somebody else now holds."""
    os.close(descriptor)


def copy_out(descriptor: int, length: int) -> bytes:
    """A private copy of what a worker wrote; closes the descriptor."""
    try:
        pieces: list[bytes] = []
        rest = length
        # One reading may bring less than it was asked for; nothing means that there is no more.
        while rest and (piece := os.pread(descriptor, rest, length - rest)):
            pieces.append(piece)
            rest -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)
