"""Directories of plugins for the command line to work on."""

from __future__ import annotations

from pathlib import Path

MANIFEST = """
[project]
name = "{name}"
version = "{version}"
description = "Greets."
license = "Apache-2.0"
requires-python = ">=3.11"

[tool.somnus]
type = "tool_integration"
entry = "{module}:Greeter"
api = ">=1,<2"

[tool.somnus.permissions]
"""

CODE = '''
"""Greets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from somnus_plugins.sdk import Call, Plugin, ToolError, get, tool


class Settings(BaseModel):
    greeting: str = Field("Hello", description="How it greets.")
    password: SecretStr = SecretStr("")


class Greeter(Plugin):
    """Greets."""

    config: Settings

    @tool(read_only=True)
    async def greet(self, name: str, times: Annotated[int, Field(ge=1, le=5)] = 1) -> dict[str, str | int]:
        """Greet somebody."""
        print("greeting", name)
        return {"text": f"{self.config.greeting} {name}", "times": times}

    @tool
    async def whose(self, call: Call) -> str | None:
        """Who asks?"""
        return call.user

    @tool
    async def count(self, call: Call, to: int) -> AsyncIterator[int]:
        """Count."""
        for number in range(to):
            await call.progress(number, to, "counting")
            yield number

    @tool
    async def refuse(self) -> None:
        """Never works."""
        raise ToolError("not \\x1b[31mtoday")

    @tool
    async def hang(self) -> None:
        """Never ends."""
        await asyncio.sleep(3600)

    @get("/hello")
    async def hello(self) -> dict[str, str]:
        return {"hello": self.config.greeting}
'''


def write_plugin_directory(directory: Path, *, version: str = "0.1.0", code: str = CODE) -> Path:
    """A plugin called as its directory; with `code` as all of its code."""
    module = directory.name.replace("-", "_")
    (directory / module).mkdir(parents=True, exist_ok=True)
    manifest = MANIFEST.format(name=directory.name, module=module, version=version)
    (directory / "pyproject.toml").write_text(manifest, encoding="utf-8")
    (directory / module / "__init__.py").write_text(code, encoding="utf-8")
    return directory
