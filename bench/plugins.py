"""The plugin that is measured."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_echo"]

MANIFEST = """
[project]
name = "echo"
version = "1.0.0"
description = "Gives back what it gets."

[tool.somnus]
publisher = "bench"
type = "tool_integration"
entry = "echo:Echo"
api = ">=1,<2"

[tool.somnus.limits]
concurrency = 64
"""

CODE = """
from typing import Any

from somnus_plugins.sdk import Plugin, get, tool


class Echo(Plugin):
    @tool
    async def echo(self, data: dict[str, Any]) -> dict[str, Any]:
        return data

    @tool
    async def size(self, data: bytes) -> int:
        return len(data)

    @get("/echo")
    async def echo_page(self, q: str = "hi") -> dict[str, Any]:
        return {"ok": True, "q": q}
"""


def write_echo(directory: Path) -> Path:
    """Write the plugin and give its directory."""
    package = directory / "echo"
    package.mkdir(parents=True)
    (directory / "pyproject.toml").write_text(MANIFEST)
    (package / "__init__.py").write_text(CODE)
    return directory
