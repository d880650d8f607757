"""A plugin with every kind of route."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    File,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel

from somnus_plugins.sdk import Call, PermissionDenied, Plugin, ToolError, delete, get, patch, post, put, tool, websocket


class Note(BaseModel):
    text: str
    size: int = 1


class Hit(msgspec.Struct):
    id: int
    where: str


router = APIRouter(prefix="/routed", tags=["routed"])
inner = APIRouter()


def limit(size: int = Query(3, ge=1)) -> int:
    return size


@inner.get("/inner/{name}")
async def routed_inner(name: str, size: Annotated[int, Depends(limit)]) -> list[Any]:
    return [name, size]


class Notes(Plugin):
    """Every kind of route."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.started = asyncio.Event()

    @get("/echo/{number}")
    async def echo(
        self, number: int, q: str = "hi", x_colour: Annotated[str, Header()] = "none"
    ) -> dict[str, int | str]:
        return {"number": number, "q": q, "colour": x_colour}

    @post("/notes", status_code=201)
    async def add(self, note: Note) -> Note:
        return note

    @put("/notes/{name}")
    @patch("/notes/{name}")
    @delete("/notes/{name}")
    async def change(self, name: str, request: Request) -> str:
        return f"{request.method} {name} {request.url}"

    @get("/thread")
    def in_thread(self, size: Annotated[int, Depends(limit)]) -> list[Any]:
        return [threading.current_thread() is threading.main_thread(), size, Notes.current() is self]

    @get("/call")
    async def with_call(self, call: Call, q: int, other: Call | None = None) -> list[Any]:
        return [call is other is Call.current(), call.user, q]

    @get("/call-in-thread")
    def with_call_in_thread(self, call: Call) -> list[Any]:
        return [call.user, self.wait(self._later())]

    async def _later(self) -> int:
        return 42

    @tool
    @get("/hits")
    async def hits(self, id: int = 1) -> list[Hit]:
        return [Hit(id, "here")]

    @post("/hits")
    async def add_hit(self, hit: Annotated[Hit, Body()]) -> Hit:
        return hit

    @get("/html", response_class=HTMLResponse)
    async def html(self) -> str:
        return "<b>hey</b>"

    @get("/redirect")
    async def redirect(self) -> RedirectResponse:
        return RedirectResponse("/elsewhere", 307)

    @get("/link")
    async def link(self, request: Request) -> str:
        return str(request.url_for("echo", number=3))

    @post("/upload")
    async def upload(self, file: Annotated[UploadFile, File()], name: Annotated[str, Form()]) -> list[Any]:
        return [file.filename, len(await file.read()), name]

    @post("/count")
    async def count(self, request: Request) -> list[int]:
        return [len(chunk) async for chunk in request.stream()]

    @get("/stream")
    async def stream(self, n: int = 3) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            try:
                for number in range(n):
                    self.done.append(f"made {number}")
                    yield f"data: {number}\n\n" + "x" * 5_000
            finally:
                self.done.append("closed")

        return StreamingResponse(pieces(), media_type="text/event-stream")

    @get("/background")
    async def background(self, tasks: BackgroundTasks) -> str:
        async def later() -> None:
            await self.started.wait()
            self.done.append("background")

        tasks.add_task(later)
        return "answered"

    @get("/waits")
    async def waits(self) -> None:
        self.started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            self.done.append("ended")

    @get("/raises/{kind}")
    async def raises(self, kind: str) -> None:
        raise {
            "ValueError": ValueError("secret words"),
            "SystemExit": SystemExit("secret words"),
            "KeyboardInterrupt": KeyboardInterrupt("secret words"),
            "ToolError": ToolError("read me"),
            "PermissionDenied": PermissionDenied("not yours", remedy="ask"),
            "HTTPException": HTTPException(418, "teapot"),
        }[kind]

    @get("/raises-in-thread")
    def raises_in_thread(self) -> None:
        raise OSError("secret words")

    @get("/breaks")
    async def breaks(self) -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "first"
            raise ValueError("secret words")

        return StreamingResponse(pieces())

    @get("/large")
    async def large(self) -> Response:
        return Response(b"x" * 3_000_000)

    @websocket("/socket/{name}")
    async def socket(self, socket: WebSocket, name: str, call: Call) -> None:
        await socket.accept(subprotocol="chat", headers=[(b"x-name", name.encode())])
        try:
            while True:
                message = await socket.receive_text()
                if message == "bytes":
                    await socket.send_bytes(b"\x00\xff")
                elif message == "close":
                    await socket.close(4001, "bye")
                    return
                elif message == "raise":
                    raise ValueError("secret words")
                elif message == "return":
                    return
                else:
                    await socket.send_text(f"{name}: {message} ({call.user})")
        except WebSocketDisconnect as gone:
            self.done.append(f"gone {gone.code}")

    @websocket("/refuses")
    async def refuses(self, socket: WebSocket) -> None:
        await socket.close(4403)

    @websocket("/careless")
    async def careless(self, socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.receive_text()

    router = router


router.include_router(inner)


@router.get("/who")
async def who(
    notes: Annotated[Notes, Depends(Notes.current)], again: Annotated[Notes, Depends(Notes.current)]
) -> list[Any]:
    return [notes is again, notes.id]
