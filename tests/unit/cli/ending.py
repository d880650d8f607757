"""How one run of the command ended."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Ending(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error in that document."""
        found: dict[str, Any] = self.document["error"]
        return found
