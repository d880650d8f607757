"""Records that an author's methods are given."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Event"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, for a method with `@on`."""

    topic: str
    """Dotted name, for example `memory.stored`."""
    data: Any = None
    """What the publisher sent, as builtins."""
    source: str = ""
    """Id of the plugin that published it; empty for the host and the application. The host writes it."""
    time_s: float = 0.0
    """Seconds since the Unix epoch, by the host's clock."""
    id: str = ""
    """The same for every delivery of this event."""
