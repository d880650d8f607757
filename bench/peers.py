"""The other side of every reference: a process that gives back what it gets.

`python -m bench.peers NAME DESCRIPTOR-OR-ADDRESS` is started by the benchmarks, one process for each reference.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from bench.measure import run_on

PREFIX = struct.Struct(">I")


def receive(stream: socket.socket, length: int) -> bytes:
    """Exactly this many bytes."""
    data = bytearray()
    while len(data) < length:
        part = stream.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


class BareEcho(asyncio.Protocol):
    """The least a length-prefixed msgpack echo can be on an event loop: both ends of it."""

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._transport: Any = None
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder().decode

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)

    def send(self, message: dict[str, Any]) -> None:
        body = self._encode(message)
        self._transport.write(PREFIX.pack(len(body)) + body)

    def data_received(self, data: bytes) -> None:
        buffer, position = self._buffer, 0
        buffer += data
        while len(buffer) - position >= 4:
            (length,) = PREFIX.unpack_from(buffer, position)
            if len(buffer) - position - 4 < length:
                break
            message = self._decode(bytes(buffer[position + 4 : position + 4 + length]))
            position += 4 + length
            future = self.waiting.pop(message["i"], None)
            if future is None:
                self.send(message)
            else:
                future.set_result(message)
        del buffer[:position]


async def _bare(descriptor: int) -> None:
    stream = socket.socket(fileno=descriptor)
    _, echo = await asyncio.get_running_loop().create_unix_connection(BareEcho, sock=stream)
    await echo.ended


def _raw(descriptor: int) -> None:
    stream = socket.socket(fileno=descriptor)
    try:
        while True:
            (length,) = PREFIX.unpack(receive(stream, 4))
            stream.sendall(PREFIX.pack(length) + receive(stream, length))
    except EOFError:
        return


def _pipe(descriptor: int) -> None:
    pipe: Connection[Any, Any] = Connection(descriptor)
    try:
        while True:
            pipe.send(pipe.recv())
    except EOFError:
        return


async def _grpc(address: str) -> None:
    import grpc
    from google.protobuf.wrappers_pb2 import BytesValue, Int64Value

    async def echo(request: BytesValue, context: Any) -> BytesValue:
        return request

    async def size(request: BytesValue, context: Any) -> Int64Value:
        return Int64Value(value=len(request.value))

    def method(function: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(function, BytesValue.FromString, lambda it: it.SerializeToString())

    handler = grpc.method_handlers_generic_handler("bench.Echo", {"Call": method(echo), "Size": method(size)})
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=unlimited)
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"unix:{address}")
    await server.start()
    await server.wait_for_termination()


def _mcp() -> None:
    import anyio
    from mcp import types
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server

    async def tools(context: Any, params: Any) -> types.ListToolsResult:
        schema = {"type": "object", "properties": {"data": {"type": "object"}}}
        return types.ListToolsResult(tools=[types.Tool(name="echo", input_schema=schema)])

    async def call(context: Any, params: Any) -> types.CallToolResult:
        text = msgspec.json.encode(params.arguments["data"]).decode()
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])

    server: Server[Any] = Server("echo", on_list_tools=tools, on_call_tool=call)

    async def serve() -> None:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    anyio.run(serve)


def main(name: str, argument: str) -> None:
    """Be one peer until the other side ends."""
    if name in ("asyncio", "uvloop"):
        run_on(name, _bare(int(argument)))
    elif name == "grpc":
        asyncio.run(_grpc(argument))
    elif name == "mcp":
        _mcp()
    else:
        {"raw": _raw, "pipe": _pipe}[name](int(argument))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
