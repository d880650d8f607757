"""What the host and a zygote say to each other, one packet each; descriptors ride along."""

from __future__ import annotations

import msgspec

__all__ = ["PACKET_MAX_BYTES", "Exited", "Fork", "ForkFailed", "Forked", "FromZygote", "Hello", "decode", "encode"]

PACKET_MAX_BYTES = 64 * 1024


class Fork(msgspec.Struct, tag="fork"):
    """Fork a blank child. Rides along: its stream, its channel for descriptors, its standard output and error."""

    ticket: int


class Hello(msgspec.Struct, tag="hello"):
    """The zygote is warm."""

    pid: int
    modules: int
    warm_s: float
    """Seconds from its first instruction until it was warm."""


class Forked(msgspec.Struct, tag="forked"):
    """A child exists. Rides along: its pidfd, opened by its parent, so that it can never mean another process."""

    ticket: int
    pid: int


class ForkFailed(msgspec.Struct, tag="fork_failed"):
    """There is no child, and why."""

    ticket: int
    reason: str


class Exited(msgspec.Struct, tag="exited"):
    """A child has ended and was reaped."""

    pid: int
    status: int
    """Exit code, or minus the number of the signal."""
    cpu_s: float
    """Processor time it used, in seconds."""
    peak_kb: int
    """Largest resident size, in KiB."""


FromZygote = Hello | Forked | ForkFailed | Exited

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(FromZygote).decode
decode_fork = msgspec.msgpack.Decoder(Fork).decode
