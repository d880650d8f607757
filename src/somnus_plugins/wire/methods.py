"""The methods of the two sides, and the records they carry.

`WORKER_METHODS` is what the host may ask a worker; `HOST_METHODS` what a worker may ask the host, each with the
permission that it needs. A method that is not in the table does not exist.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = [
    "HOST_METHODS",
    "WORKER_METHODS",
    "Announcement",
    "Assignment",
    "HttpHead",
    "HttpRequest",
    "HttpResponse",
    "LoadOrder",
    "Occurrence",
]

WORKER_METHODS: Final = {
    "load": "import the plugin, make its instance, check its settings; answers an Announcement",
    "prepare": "run on_prepare",
    "start": "run on_start",
    "stop": "run on_stop",
    "describe": "answer the plugin's Contributions",
    "tool": "call a tool: target is its name, payload its arguments",
    "http": "answer one HTTP request",
    "websocket": "serve one WebSocket",
    "event": "deliver an Occurrence: target is the subscribed method",
    "schedule": "run a scheduled method: target is its name",
    "ping": "answer at once; proves that the event loop turns",
}

HOST_METHODS: Final[dict[str, str | None]] = {}
"""Host call → permission it needs, or None where it needs none. Empty: the first host calls come with permissions, and
until then whatever a worker asks the host is refused."""


class Assignment(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The first bytes a forked child reads: what it becomes. Read before there is a loop, a thread or foreign code."""

    plugin: str
    """Id, `publisher/name`."""
    generation: int
    memory_mb: int
    open_files: int
    threads: int
    window_bytes: int
    inline_max_bytes: int
    frame_max_bytes: int
    incoming_max: int


class LoadOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What to import and with what."""

    plugin: str
    version: str
    entry_module: str
    entry_attribute: str
    directory: str
    """The plugin's directory, absolute."""
    import_paths: tuple[str, ...]
    """Put before the base environment's paths, in this order."""
    data: str
    cache: str
    mount: str = ""
    config: dict[str, Any] = {}
    threads: int = 8
    """Threads for sync methods."""
    base_path: str = ""
    """Where the plugin's routes stand in the application, for links: `/plugins/<mount>`."""


class Announcement(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a loaded plugin says of itself."""

    fingerprint: str
    """Compared with the one of `contributions.json`."""
    state_version: int = 1
    wants_prepare: bool = False
    setup_problem: str = ""
    """Not empty: the settings do not fit, and the plugin was not made."""


class HttpRequest(msgspec.Struct, array_like=True):
    """An ASGI `http` or `websocket` scope, credentials removed."""

    method: str
    scheme: str
    path: str
    """Decoded, below the mount, beginning with a slash."""
    query: bytes
    headers: list[tuple[bytes, bytes]]
    root_path: str
    http_version: str
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    subprotocols: list[str]
    body: bytes | None
    """The whole body, or None where it follows as the caller's stream."""


class HttpHead(msgspec.Struct, array_like=True):
    """First item of a streamed answer; the later items are bytes."""

    status: int
    headers: list[tuple[bytes, bytes]]


class HttpResponse(msgspec.Struct, array_like=True):
    """A whole answer in one piece. `status` 0 ends an answer that was streamed."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Occurrence(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An event on its way to a subscriber."""

    topic: str
    data: Any = None
    source: str = ""
    """Id of the plugin that published it; empty for the host and the application."""
    time_s: float = 0.0
    """Seconds since the Unix epoch, by the host's clock."""
    id: str = ""
