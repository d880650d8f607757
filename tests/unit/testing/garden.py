"""A plugin that does a little of everything, written into a folder for the tests of what tests plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MANIFEST: Final = """
[project]
name = "garden"
version = "1.0"
description = "A little of everything."
requires-python = ">=3.11"
license = "MIT"

[tool.somnus]
publisher = "somnus"
type = "tool_integration"
entry = "garden:Garden"
api = ">=1,<2"

[tool.somnus.permissions]
events = { subscribe = ["garden.*"] }
"""

CODE: Final = """
from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from fastapi import Request, Response, WebSocket
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel

from somnus_plugins.sdk import Call, Event, Plugin, ToolError, every, get, on, post, tool, websocket


class Settings(BaseModel):
    greeting: str = "hello"
    folder: Path | None = None


class Garden(Plugin):
    config: Settings

    async def on_start(self) -> None:
        self.seen: list[object] = []
        self.streams = 0
        self.log.info("the garden is open")

    async def on_stop(self) -> None:
        (self.data / "closed").write_text("in order")

    @tool
    async def greet(self, name: str, call: Call) -> str:
        self.log.info("greeting %s", name)
        return f"{self.config.greeting} {name}, for {call.user} in {call.session}"

    @tool
    def sow(self, count: int) -> Iterator[int]:
        yield from range(count)

    @tool(timeout_s=0.2)
    async def doze(self) -> None:
        await asyncio.Event().wait()

    @tool
    async def grow(self, call: Call) -> AsyncIterator[int]:
        self.streams += 1
        try:
            for height in range(1, 1_000_000):
                await call.progress(height, None, f"{height} cm")
                yield height
        finally:
            self.streams -= 1

    @tool
    async def fail(self, how: str) -> None:
        logging.getLogger("elsewhere").warning("it fails")
        raise ToolError(how) if how else KeyError("secret words")

    @on("garden.*")
    async def notice(self, event: Event) -> None:
        self.seen.append((event.topic, event.data, event.source))

    @on("weather.rain")
    async def not_permitted(self, event: Event) -> None:
        self.seen.append(event.topic)

    @every("1h")
    async def tidy(self) -> None:
        self.seen.append("tidied")

    @get("/plants/{name}")
    async def plant(self, name: str, q: str = "") -> dict[str, str]:
        return {"name": name, "q": q}

    @get("/headers")
    async def headers(self, request: Request, response: Response) -> list[str]:
        response.set_cookie("taken", "away")
        response.headers["X-Kept"] = "yes"
        return sorted(request.headers)

    @get("/old")
    async def old(self, request: Request) -> RedirectResponse:
        return RedirectResponse(request.url_for("plant", name="rose").path)

    @post("/compost")
    async def compost(self, request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    @post("/refuse")
    async def refuse(self) -> str:
        return "no, thank you"

    @get("/drops")
    async def drops(self) -> StreamingResponse:
        async def fall() -> AsyncIterator[str]:
            self.streams += 1
            try:
                for number in range(1_000_000):
                    yield f"{number}\\n"
            finally:
                self.streams -= 1

        return StreamingResponse(fall())

    @websocket("/talk")
    async def talk(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol=next(iter(socket.scope["subprotocols"]), None))
        while (message := await socket.receive())["type"] == "websocket.receive":
            if message.get("text") == "bye":
                await socket.close(4000, "as you wish")
                return
            if (data := message.get("bytes")) is not None:
                await socket.send_bytes(data[::-1])
            else:
                await socket.send_text(message["text"].upper())
        self.seen.append(message["code"])

    @websocket("/closed")
    async def closed(self, socket: WebSocket) -> None:
        await socket.close()
"""


def plant(folder: Path, code: str = CODE, manifest: str = MANIFEST) -> Path:
    """Write the plugin, or another of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(manifest, encoding="utf-8")
    (folder / "garden.py").write_text(code, encoding="utf-8")
    return folder
