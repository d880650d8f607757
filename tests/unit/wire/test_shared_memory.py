"""Memory that both sides see: what each of them can no longer do to it."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
from pathlib import Path

import pytest

from somnus_plugins.wire import shared_memory
from tests.support.wire import open_descriptors

pytestmark = pytest.mark.skipif(not shared_memory.available(), reason="this kernel has no sealed shared memory")

GET_SEALS = 1034
SEAL_SEAL, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE = 1, 2, 4, 8


@pytest.fixture
def channel() -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far  # type: ignore[misc]  # a fixture is a generator


def test_published_memory_is_sealed_against_every_change() -> None:
    descriptor = shared_memory.publish(b"frame")
    try:
        assert fcntl.fcntl(descriptor, GET_SEALS) == SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE
        for change in (
            lambda: os.pwrite(descriptor, b"F", 0),
            lambda: os.ftruncate(descriptor, 1),
            lambda: os.ftruncate(descriptor, 100),
            lambda: mmap.mmap(descriptor, 5),
            lambda: fcntl.fcntl(descriptor, 1033, SEAL_WRITE),
        ):
            with pytest.raises(PermissionError):
                change()
        assert os.pread(descriptor, 10, 0) == b"frame"
    finally:
        os.close(descriptor)


def test_blank_memory_can_be_written_but_never_change_its_size() -> None:
    descriptor = shared_memory.blank(8)
    try:
        assert fcntl.fcntl(descriptor, GET_SEALS) == SEAL_SEAL | SEAL_SHRINK | SEAL_GROW
        assert os.pwrite(descriptor, b"written", 0) == 7
        for size in (0, 7, 9):
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, size)
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"xx", 7 + 1)
    finally:
        os.close(descriptor)


def test_what_a_worker_does_later_does_not_change_what_was_copied_out() -> None:
    descriptor = shared_memory.blank(6)
    theirs = os.dup(descriptor)
    os.pwrite(theirs, b"before", 0)
    copied = shared_memory.copy_out(descriptor, 6)
    os.pwrite(theirs, b"after!", 0)

    assert copied == b"before"
    assert os.pread(theirs, 6, 0) == b"after!"
    os.close(theirs)


def test_memory_that_was_never_written_reads_as_zeros_of_the_length_asked_for() -> None:
    assert shared_memory.copy_out(shared_memory.blank(3 * 1024 * 1024), 3 * 1024 * 1024) == bytes(3 * 1024 * 1024)
    with pytest.raises(OSError, match="Bad file"):
        shared_memory.copy_out(-1, 1)


def test_memory_that_is_read_in_parts_is_copied_whole() -> None:
    # The kernel gives this file away a page at a time.
    listing = Path("/proc/kallsyms")
    size = 50_000
    assert len(os.pread(descriptor := os.open(listing, os.O_RDONLY), size, 0)) < size

    with listing.open("rb") as file:
        assert shared_memory.copy_out(descriptor, size) == file.read(size)


def test_descriptors_arrive_in_order_and_are_not_inherited(channel: tuple[socket.socket, socket.socket]) -> None:
    near, far = channel
    for text in (b"first", b"second"):
        descriptor = shared_memory.publish(text)
        shared_memory.post(near, descriptor)
        shared_memory.close(descriptor)
    first, second = shared_memory.collect(far), shared_memory.collect(far)

    assert not os.get_inheritable(first)
    assert bytes(shared_memory.take(first, 5)) == b"first"
    assert bytes(shared_memory.take(second, 6)) == b"second"
    with pytest.raises(OSError, match="unavailable"):
        shared_memory.collect(far)


def test_a_packet_without_a_descriptor_is_an_error(channel: tuple[socket.socket, socket.socket]) -> None:
    near, far = channel
    near.send(b"d")
    with pytest.raises(OSError, match="no descriptor"):
        shared_memory.collect(far)
    near.close()
    with pytest.raises(OSError, match="no descriptor"):
        shared_memory.collect(far)


def test_a_channel_that_nobody_empties_refuses_and_does_not_block(
    channel: tuple[socket.socket, socket.socket],
) -> None:
    descriptor = shared_memory.publish(b"x")
    posted = 0

    def post_for_ever() -> None:
        nonlocal posted
        while True:
            shared_memory.post(channel[0], descriptor)
            posted += 1

    with pytest.raises(OSError):  # noqa: PT011  # EAGAIN or ETOOMANYREFS, by the kernel's limits
        post_for_ever()
    os.close(descriptor)
    assert 0 < posted < 100_000


def test_every_descriptor_is_closed_by_whoever_uses_it_up() -> None:
    before = open_descriptors()
    shared_memory.copy_out(shared_memory.blank(10), 10)
    shared_memory.fill(shared_memory.blank(10), b"0123456789")
    with pytest.raises(PermissionError):
        shared_memory.fill(shared_memory.blank(1), b"too long")
    with pytest.raises(ValueError, match="length"):
        shared_memory.take(shared_memory.publish(b"abc"), 4)
    view = shared_memory.take(shared_memory.publish(b"abc"), 3)
    assert bytes(view) == b"abc"
    with pytest.raises(TypeError):
        view[0] = 1
    del view

    assert open_descriptors() == before
