"""What every door must agree on: which plugins are served, where, in which generation.

A catalogue never changes; a change makes the next one, with the next revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from somnus_plugins.errors import UnknownPlugin
from somnus_plugins.wire.contributions import Contributions

__all__ = ["Catalogue", "Listing"]


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One plugin that is served, running or not."""

    id: str
    mount: str
    version: str
    generation: int
    description: str = ""
    public_routes: bool = False
    upload_max_bytes: int = 0
    call_timeout_s: float = 0.0
    """Deadline of a call, in seconds, where neither the tool nor the caller sets one; 0 means that it is not known."""
    contributions: Contributions

    @property
    def name(self) -> str:
        """The name without its publisher."""
        return self.id.rpartition("/")[2]


class Catalogue:
    """All listings of one revision.

    Args:
        revision: Grows with every change.
        listings: What is served.
    """

    __slots__ = ("_names", "listings", "mounts", "revision")

    def __init__(self, revision: int = 0, listings: Iterable[Listing] = ()) -> None:
        self.revision = revision
        self.listings: dict[str, Listing] = {listing.id: listing for listing in listings}
        self.mounts: dict[str, Listing] = {listing.mount: listing for listing in self.listings.values()}
        names = Counter(listing.name for listing in self.listings.values())
        self._names = {
            **{listing.name: listing for listing in self.listings.values() if names[listing.name] == 1},
            **self.mounts,
            **self.listings,
        }

    def find(self, name: str) -> Listing:
        """The plugin with this id, this mount, or, where only one has it, this name.

        Raises:
            UnknownPlugin: There is none.
        """
        listing = self._names.get(name)
        if listing is None:
            known = ", ".join(sorted(self.mounts)[:20]) or "none"
            raise UnknownPlugin(
                f"no plugin {name!r} is served here; served are: {known}",
                remedy="`somnus-plugins list` shows ids and mounts.",
            )
        return listing

    def to_record(self) -> dict[str, Any]:
        """For another process."""
        return {"revision": self.revision, "listings": list(self.listings.values())}
