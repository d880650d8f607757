"""The plugin of a rehearsal. Not imported by the zygote: importing it is part of the rehearsal."""

from __future__ import annotations

from typing import Any

from somnus_plugins.sdk import Plugin, tool

__all__ = ["Understudy"]


class Understudy(Plugin):
    """Stands in for a plugin."""

    @tool
    async def play(self, lines: dict[str, Any], *, loud: bool = False) -> dict[str, Any]:
        """Give back what it is given."""
        return {key: value for key, value in lines.items() if not loud}
