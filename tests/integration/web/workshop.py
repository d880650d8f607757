"""A plugin with a route, socket or tool for everything that can happen between a browser and a plugin."""

from __future__ import annotations

PRELUDE = """\
import asyncio, os
from collections.abc import AsyncIterator
from typing import Annotated, Any
from fastapi import Body, File, Request, UploadFile, WebSocket
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from somnus_plugins.errors import TemporaryError, ToolError
from somnus_plugins.sdk import Call, Plugin, delete, get, post, put, tool, websocket
"""

CODE = '''
class Item(BaseModel):
    name: str
    count: Annotated[int, Field(ge=1)] = 1


class Main(Plugin):
    """Everything that can happen."""

    left = 0
    sent = 0

    @get("/echo/{rest:path}")
    async def echo(self, rest: str, request: Request, call: Call) -> dict[str, Any]:
        return {
            "headers": [[k, v] for k, v in request.headers.items()],
            "url": str(request.url), "rest": rest, "root": request.scope["root_path"],
            "query": request.url.query, "client": request.client.host, "user": call.user,
        }

    @post("/items")
    async def make(self, item: Item, q: str = "none") -> dict[str, Any]:
        return {"name": item.name, "count": item.count, "q": q}

    @put("/size")
    async def size(self, request: Request) -> int:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return size

    @post("/unread")
    async def unread(self) -> str:
        return "not interested"

    @post("/upload")
    async def upload(self, file: UploadFile) -> list[Any]:
        return [file.filename, len(await file.read())]

    @get("/page")
    async def page(self) -> HTMLResponse:
        answer = HTMLResponse("<h1>hello</h1>")
        answer.set_cookie("somnus_session", "mine now")
        for name in ("Access-Control-Allow-Origin", "Service-Worker-Allowed", "Clear-Site-Data", "WWW-Authenticate",
                     "X-Accel-Redirect"):
            answer.headers[name] = "*"
        answer.headers["Content-Security-Policy"] = "default-src 'self'"
        answer.headers["X-Mine"] = "kept"
        return answer

    @get("/split")
    async def split(self) -> Response:
        answer = PlainTextResponse("x")
        answer.raw_headers.append((b"x-evil", b"a\\r\\nset-cookie: b=c"))
        return answer

    @get("/odd-status")
    async def odd_status(self) -> Response:
        return Response(status_code=700)

    @get("/empty")
    async def empty(self) -> Response:
        return Response(status_code=204)

    @get("/ticks")
    async def ticks(self, count: int = 3) -> StreamingResponse:
        async def run() -> AsyncIterator[bytes]:
            for number in range(count):
                yield f"data: {number}\\n\\n".encode()
                await asyncio.sleep(0.05)
        return StreamingResponse(run(), media_type="text/event-stream")

    @get("/forever")
    async def forever(self) -> StreamingResponse:
        async def run() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"."
                    await asyncio.sleep(0.01)
            finally:
                type(self).left += 1
        return StreamingResponse(run(), media_type="text/plain")

    @get("/flood")
    async def flood(self) -> StreamingResponse:
        async def run() -> AsyncIterator[bytes]:
            while True:
                type(self).sent += 1
                yield b"x" * 65536
        return StreamingResponse(run(), media_type="text/plain")

    @get("/slow")
    async def slow(self) -> str:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            type(self).left += 1
            raise
        return "too late"

    @get("/exit")
    async def exit(self) -> str:
        os._exit(3)

    @get("/exit-half-way")
    async def exit_half_way(self) -> StreamingResponse:
        async def run() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(0.05)
            os._exit(3)
        return StreamingResponse(run(), media_type="text/plain")

    @get("/raises")
    async def raises(self) -> str:
        raise ValueError("inside")

    @websocket("/ws")
    async def socket(self, socket: WebSocket) -> None:
        await socket.accept(headers=[(b"set-cookie", b"a=b"), (b"x-mine", b"kept")])
        await socket.send_json({name: value for name, value in socket.headers.items()})
        async for text in socket.iter_text():
            if text == "bytes":
                await socket.send_bytes(b"\\x00\\x01")
            elif text == "close":
                await socket.close(4001, "as you wish")
                return
            elif text == "exit":
                os._exit(3)
            else:
                await socket.send_text("heard " + text)
        type(self).left += 1

    @websocket("/choosy")
    async def choosy(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol=socket.scope["subprotocols"][-1])
        await socket.close()

    @websocket("/stubborn")
    async def stubborn(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol="mine")

    @websocket("/refuses")
    async def refuses(self, socket: WebSocket) -> None:
        await socket.close()

    @tool(read_only=True)
    async def add(self, a: int, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    @tool
    async def counters(self) -> dict[str, int]:
        """How often somebody left, and how many pieces were sent."""
        return {"left": self.left, "sent": self.sent}

    @tool
    async def whoami(self, call: Call) -> str | None:
        """On whose behalf."""
        return call.user

    @tool
    async def refuse(self) -> str:
        """Fail."""
        raise ToolError("not today")

    @tool
    async def later(self) -> str:
        """Fail for now."""
        raise TemporaryError("busy", delay_s=7)

    @tool
    async def linger(self) -> str:
        """Take long."""
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            type(self).left += 1
            raise
        return "too late"

    @tool
    async def ingest(self, call: Call, names: list[str]) -> AsyncIterator[str]:
        """Say each name."""
        for number, name in enumerate(names):
            await call.progress(number + 1, len(names), "at " + name)
            if name == "bad":
                raise ToolError("this one is bad")
            yield name
'''
