"""Routes are FastAPI's in every respect, across the wire."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import InvalidPlugin, NotReady, PluginError, PluginRaised
from somnus_plugins.sdk import Plugin, get
from somnus_plugins.wire.contributions import Route
from somnus_plugins.wire.http import SocketAccept, SocketBytes, SocketClose, SocketMessage, SocketText
from somnus_plugins.wire.methods import HttpResponse
from somnus_plugins.wire.peer import Exchange
from somnus_plugins.worker.asgi import Bridge, build_app, openapi_of, routes_of
from somnus_plugins.worker.dispatch import Dispatcher
from tests.support.wire import until

from .routed import Notes
from .serving import Served, loaded_of, request_of, served, served_by

pytestmark = pytest.mark.anyio


def parsed(pieces: list[bytes]) -> Any:
    return json.loads(b"".join(pieces))


JSON = [(b"content-type", b"application/json")]


# --- requests --------------------------------------------------------------------------------------------------------


async def test_path_query_and_header_parameters_arrive() -> None:
    async with served(Notes) as host:
        status, headers, pieces = await host.http("GET", "/echo/3?q=x", headers=[(b"x-colour", b"red")])

    assert (status, parsed(pieces)) == (200, {"number": 3, "q": "x", "colour": "red"})
    assert headers[b"content-type"] == b"application/json"
    assert len(pieces) == 1


async def test_a_body_is_a_model() -> None:
    async with served(Notes) as host:
        status, _, pieces = await host.http("POST", "/notes", body=b'{"text": "x"}', headers=JSON)

    assert status == 201
    assert parsed(pieces) == {"text": "x", "size": 1}


async def test_what_does_not_fit_is_answered_as_fastapi_does() -> None:
    async with served(Notes) as host:
        status, _, pieces = await host.http("POST", "/notes", body=b"{}", headers=JSON)

    assert status == 422
    assert parsed(pieces)["detail"][0]["loc"] == ["body", "text"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_one_method_may_serve_several_verbs(method: str) -> None:
    async with served(Notes) as host:
        _, _, pieces = await host.http(method, "/notes/a?x=1")

    assert parsed(pieces) == f"{method} a http://testserver/plugins/notes/notes/a?x=1"
    assert len(pieces) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/gone", 404), ("POST", "/echo/3", 405), ("GET", "", 404)]
)
async def test_what_is_no_route_is_answered_as_fastapi_does(method: str, path: str, status: int) -> None:
    async with served(Notes) as host:
        found, _, pieces = await host.http(method, path)

    assert found == status
    assert "detail" in parsed(pieces)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_a_plugin_has_no_pages_of_fastapis_own(path: str) -> None:
    async with served(Notes) as host:
        status, _, _ = await host.http("GET", path)
        assert status == 404
        assert path not in [each.path for each in routes_of(build_app(loaded_of(Notes)))]


async def test_routes_without_async_run_in_threads_with_their_dependencies() -> None:
    async with served(Notes) as host:
        _, _, pieces = await host.http("GET", "/thread?size=7")
        assert parsed(pieces) == [False, 7, True]
        assert (await host.http("GET", "/thread?size=0"))[0] == 422


async def test_the_call_is_injected_into_routes() -> None:
    async with served(Notes) as host:
        assert parsed((await host.http("GET", "/call?q=5"))[2]) == [True, None, 5]
        assert parsed((await host.http("GET", "/call-in-thread"))[2]) == [None, 42]


async def test_a_route_may_be_a_tool_too_and_answer_structs() -> None:
    async with served(Notes) as host:
        assert parsed((await host.http("GET", "/hits?id=7"))[2]) == [{"id": 7, "where": "here"}]
        assert await host.call("hits", id=7) == [{"id": 7, "where": "here"}]


async def test_a_struct_may_be_a_body() -> None:
    async with served(Notes) as host:
        good = await host.http("POST", "/hits", body=b'{"id": 1, "where": "x"}', headers=JSON)
        bad = await host.http("POST", "/hits", body=b'{"id": "x"}', headers=JSON)

    assert (good[0], parsed(good[2])) == (200, {"id": 1, "where": "x"})
    assert bad[0] == 422


async def test_other_kinds_of_answers_come_through() -> None:
    async with served(Notes) as host:
        status, headers, pieces = await host.http("GET", "/html")
        moved = await host.http("GET", "/redirect")

    assert (status, headers[b"content-type"], pieces) == (200, b"text/html; charset=utf-8", [b"<b>hey</b>"])
    assert (moved[0], moved[1][b"location"]) == (307, b"/elsewhere")


async def test_links_stand_below_the_mount() -> None:
    async with served(Notes) as host:
        _, _, pieces = await host.http("GET", "/link")

    assert parsed(pieces) == "http://testserver/plugins/notes/echo/3"
    assert len(pieces) == 1


async def test_a_large_answer_is_one_piece() -> None:
    async with served(Notes) as host:
        status, headers, pieces = await host.http("GET", "/large")

    assert (status, headers[b"content-length"]) == (200, b"3000000")
    assert [len(piece) for piece in pieces] == [3_000_000]


async def test_a_router_is_part_of_the_application_with_its_dependencies() -> None:
    async with served(Notes) as host:
        assert parsed((await host.http("GET", "/routed/who"))[2]) == [True, "somnus/notes"]
        assert parsed((await host.http("GET", "/routed/inner/a?size=2"))[2]) == ["a", 2]
        assert (await host.http("GET", "/inner/a"))[0] == 404


# --- bodies in pieces ------------------------------------------------------------------------------------------------


async def posted(host: Served, path: str, chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> HttpResponse:
    exchange = await host.host.exchange("http", request_of("POST", path, headers=headers, body=None), sends=True)
    for chunk in chunks:
        await exchange.send(chunk)
    exchange.end()
    return msgspec.msgpack.decode(await exchange.result(), type=HttpResponse)


async def test_a_body_that_comes_in_pieces_is_read_as_it_comes() -> None:
    async with served(Notes) as host:
        answer = await posted(host, "/count", [b"a" * 10, b"b" * 20, b""], [])

    assert answer.status == 200
    assert [size for size in json.loads(answer.body) if size] == [10, 20]


async def test_an_upload_larger_than_the_window_arrives_whole() -> None:
    form = b"".join(
        [
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nada\r\n',
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n',
            b"x" * 2_000_000,
            b"\r\n--B--\r\n",
        ]
    )
    chunks = [form[start : start + 50_000] for start in range(0, len(form), 50_000)]
    async with served(Notes) as host:
        answer = await posted(host, "/upload", chunks, [(b"content-type", b"multipart/form-data; boundary=B")])

    assert answer.status == 200
    assert json.loads(answer.body) == ["a.bin", 2_000_000, "ada"]


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_a_stream_comes_piece_by_piece() -> None:
    async with served(Notes) as host:
        status, headers, pieces = await host.http("GET", "/stream")

    assert (status, headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
    assert [piece[:9] for piece in pieces] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]


async def test_a_slow_client_holds_the_author_back_and_leaving_closes_the_stream() -> None:
    async with served(Notes) as host:
        exchange = await host.host.exchange("http", request_of("GET", "/stream?n=100000"))
        await anext(aiter(exchange))
        await until(lambda: len(host.plugin.done) > 20)
        for _ in range(20):
            await host.ask("ping")
        held = len(host.plugin.done)
        exchange.cancel()
        await until(lambda: "closed" in host.plugin.done)

    assert held < 200
    assert len(host.plugin.done) <= held + 3


async def test_a_stream_that_breaks_ends_with_the_class_of_its_error(caplog: pytest.LogCaptureFixture) -> None:
    async with served(Notes) as host:
        exchange = await host.host.exchange("http", request_of("GET", "/breaks"))
        with pytest.raises(PluginRaised, match="ValueError in GET /plugins/notes/breaks"):
            await exchange.result()

    assert "secret words" in caplog.text


async def test_a_client_that_leaves_cancels_the_route() -> None:
    async with served(Notes) as host:
        exchange = await host.host.exchange("http", request_of("GET", "/waits"))
        await host.plugin.started.wait()
        assert host.plugin.done == []
        exchange.cancel()
        await until(lambda: host.plugin.done)

    assert host.plugin.done == ["ended"]


async def test_a_request_that_still_waits_does_not_hold_up_the_stop() -> None:
    async with served(Notes) as host:
        await host.host.exchange("http", request_of("GET", "/waits"))
        await host.plugin.started.wait()

    assert host.host.closed is not None
    await until(lambda: host.plugin.done == ["ended"])


async def test_background_tasks_run_after_the_answer_and_before_the_end() -> None:
    async with served(Notes) as host:
        _, _, pieces = await host.http("GET", "/background")
        assert parsed(pieces) == "answered"
        assert host.plugin.done == []
        host.plugin.started.set()

    assert host.plugin.done == ["background"]


# --- what routes raise -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "KeyboardInterrupt"])
async def test_an_exception_is_a_problem_with_its_class_only(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served(Notes) as host:
        status, headers, pieces = await host.http("GET", f"/raises/{kind}")
        assert (await host.http("GET", "/html"))[0] == 200

    assert (status, headers[b"content-type"]) == (500, b"application/problem+json")
    problem = parsed(pieces)
    assert (problem["status"], problem["code"]) == (500, "plugin_raised")
    assert problem["detail"] == f"{kind} in GET /plugins/notes/raises/{kind}"
    assert b"secret" not in b"".join(pieces)
    assert "secret words" in caplog.text


async def test_an_exception_in_a_thread_is_a_problem_too() -> None:
    async with served(Notes) as host:
        status, _, pieces = await host.http("GET", "/raises-in-thread")

    assert (status, parsed(pieces)["title"]) == (500, "Internal Server Error")
    assert "OSError" in parsed(pieces)["detail"]


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("ToolError", 422, "tool_error"), ("PermissionDenied", 403, "permission_denied")]
)
async def test_an_error_that_is_meant_to_be_read_is_a_problem_word_for_word(kind: str, status: int, code: str) -> None:
    async with served(Notes) as host:
        found, headers, pieces = await host.http("GET", f"/raises/{kind}")

    problem = parsed(pieces)
    assert (found, headers[b"content-type"]) == (status, b"application/problem+json")
    assert (problem["code"], problem["detail"]) == (code, "read me" if kind == "ToolError" else "not yours")
    assert problem.get("remedy") == (None if kind == "ToolError" else "ask")


async def test_an_http_exception_is_fastapis_own_matter() -> None:
    async with served(Notes) as host:
        status, headers, pieces = await host.http("GET", "/raises/HTTPException")

    assert (status, headers[b"content-type"]) == (418, b"application/json")
    assert parsed(pieces) == {"detail": "teapot"}


async def test_an_application_that_answers_nothing_is_a_problem() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return None

    async def nowhere(item: Any) -> None:
        raise AssertionError(item)

    answer = await Bridge(silent).http(request_of("GET", "/x"), AsyncIterator, nowhere)

    assert answer.status == 500
    assert b"RuntimeError in GET /plugins/notes/x" in answer.body


# --- WebSockets ------------------------------------------------------------------------------------------------------


class Client:
    """The client's side of one WebSocket."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._items = aiter(exchange)

    async def say(self, message: SocketMessage) -> None:
        await self.exchange.send(message)

    async def hear(self) -> SocketMessage:
        return msgspec.msgpack.decode(await anext(self._items), type=SocketMessage)


@asynccontextmanager
async def connected(path: str, host: Served) -> AsyncIterator[Client]:
    request = request_of("GET", path, scheme="ws", subprotocols=["chat"])
    exchange = await host.host.exchange("websocket", request, sends=True)
    yield Client(exchange)
    await exchange.result()


async def test_a_websocket_is_accepted_and_speaks_both_ways() -> None:
    async with served(Notes) as host, connected("/socket/ada", host) as client:
        assert await client.hear() == SocketAccept("chat", [(b"x-name", b"ada")])
        await client.say(SocketText("hey"))
        assert await client.hear() == SocketText("ada: hey (None)")
        await client.say(SocketText("bytes"))
        assert await client.hear() == SocketBytes(b"\x00\xff")
        await client.say(SocketClose(4002))

    assert host.plugin.done == ["gone 4002"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("close", SocketClose(4001, "bye")), ("return", SocketClose(1000)), ("raise", SocketClose(1011))],
)
async def test_however_a_socket_method_ends_the_client_is_told(word: str, expected: SocketClose) -> None:
    async with served(Notes) as host, connected("/socket/ada", host) as client:
        await client.hear()
        await client.say(SocketText(word))
        assert await client.hear() == expected

    assert host.plugin.done == []


async def test_a_refused_socket_is_closed_before_it_is_accepted() -> None:
    async with served(Notes) as host:
        async with connected("/refuses", host) as client:
            assert await client.hear() == SocketClose(4403)
        async with connected("/nowhere", host) as client:
            assert isinstance(await client.hear(), SocketClose)


@pytest.mark.parametrize("path", ["/socket/ada", "/careless"])
async def test_a_client_that_is_cut_off_ends_the_method(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served(Notes) as host, connected(path, host) as client:
        assert isinstance(await client.hear(), SocketAccept)
        client.exchange.end()

    assert host.plugin.done == (["gone 1006"] if path == "/socket/ada" else [])
    assert "Traceback" not in caplog.text


async def test_an_exception_in_a_socket_method_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with served(Notes) as host, connected("/socket/ada", host) as client:
        await client.hear()
        await client.say(SocketText("raise"))
        await client.hear()

    assert "ValueError in WebSocket /socket/ada" in caplog.text
    assert "secret words" in caplog.text


async def test_a_cancelled_socket_ends_the_method() -> None:
    async with served(Notes) as host:
        exchange = await host.host.exchange("websocket", request_of("GET", "/careless"), sends=True)
        await anext(aiter(exchange))
        exchange.cancel()
        await until(lambda: host.host.serving == 0)
        assert await host.ask("ping") is None


# --- the application -------------------------------------------------------------------------------------------------


async def test_routes_need_settings_that_fit() -> None:
    async with served_by(Dispatcher(loaded_of(Notes, folder="x"))) as host:
        with pytest.raises(NotReady, match="needs to be set up"):
            await host.http("GET", "/html")
        with pytest.raises(PluginError):
            await host.host.request("websocket", request_of("GET", "/socket/a"))


def test_routes_are_listed_with_those_of_routers() -> None:
    async def made() -> tuple[Route, ...]:
        return routes_of(build_app(loaded_of(Notes)))

    found = asyncio.run(made())

    assert Route(path="/echo/{number}", methods=("GET",), name="echo") in found
    assert Route(path="/routed/inner/{name}", methods=("GET",), name="routed_inner") in found
    assert Route(path="/socket/{name}", name="socket", websocket=True) in found


def test_a_plugin_without_routes_answers_404() -> None:
    class Silent(Plugin): ...

    async def asked() -> HttpResponse:
        async with served(Silent) as host:
            return msgspec.msgpack.decode(await host.host.request("http", request_of("GET", "/")), type=HttpResponse)

    answer = asyncio.run(asked())

    assert answer.status == 404
    assert json.loads(answer.body) == {"detail": "Not Found"}


@pytest.mark.parametrize(
    ("decorator", "text"),
    [
        (get("/a", nonsense=1), "unexpected keyword argument 'nonsense'"),
        (get("/{a}/{a}"), "Duplicated param name"),
        (get("/a", response_model=threading.Thread), "Invalid args for response field"),
        (get("/a", status_code=204, response_model=int), "must not have a response body"),
    ],
)
def test_what_fastapi_does_not_take_is_refused_with_its_words(decorator: Any, text: str) -> None:
    class Odd(Plugin):
        @decorator
        async def page(self) -> Any: ...

    with pytest.raises(InvalidPlugin, match="FastAPI does not take it") as caught:
        build_app(loaded_of(Odd))
    assert text in caught.value.message
    assert "page" in caught.value.message


def test_a_router_that_is_none_is_refused() -> None:
    class Odd(Plugin):
        router = object()

    with pytest.raises(InvalidPlugin, match=r"Odd\.router is a object"):
        build_app(loaded_of(Odd))
    assert Odd.router is not None


def test_a_route_that_has_no_schema_is_named_by_its_plugin() -> None:
    class Odd(Plugin):
        @get("/a", responses={200: {"content": {"x/y": {"schema": {"type": threading.Thread}}}}})
        async def page(self) -> None: ...

    with pytest.raises(InvalidPlugin, match="a route has no schema"):
        openapi_of(build_app(loaded_of(Odd)))
    assert Odd.page.__name__ == "page"


# --- before the fork -------------------------------------------------------------------------------------------------

WARM_UP = """
import os, sys, threading
from somnus_plugins.worker import asgi
asgi.warm_up()
asgi.warm_up()
print(threading.active_count(), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")))
"""
AFTERWARDS = """
import sys
from somnus_plugins.worker import asgi
asgi.warm_up()
from tests.unit.worker.test_asgi import first_answers
new = set(sys.modules)
first_answers()
print(*sorted(name for name in set(sys.modules) - new if not name.startswith("_")))
"""
WITH_A_THREAD = """
import threading
from somnus_plugins.worker import asgi
threading.Thread(target=threading.Event().wait, args=(60,), daemon=True).start()
asgi.warm_up()
"""


def first_answers() -> None:
    """What a fresh child is asked first: a route on the loop and one in a thread."""

    async def ask() -> None:
        async with served(Notes) as host:
            for path in ("/echo/3", "/thread", "/stream"):
                assert (await host.http("GET", path))[0] == 200

    asyncio.run(ask())


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads and descriptors in /proc")
def test_the_rehearsal_leaves_one_thread_and_no_descriptor() -> None:
    done = run(WARM_UP)

    threads, tasks, descriptors = map(int, done.stdout.split())
    assert (threads, tasks) == (1, 1)
    assert descriptors <= 4
    assert done.stderr == ""


def test_after_the_rehearsal_the_first_answers_import_nothing() -> None:
    done = run(AFTERWARDS.replace("import sys", f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})"))

    assert done.stderr == ""
    assert done.stdout.split() == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
def test_a_second_thread_is_noticed_before_the_fork() -> None:
    done = run(WITH_A_THREAD)

    assert done.returncode == 1
    assert "left 2 threads; allowed are 200 and 1" in done.stderr
