"""The way in, in front of a host that is played: who passes, who does not, and what it costs to find a plugin."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from somnus_plugins.errors import InvalidResult, NotReady, Overloaded
from somnus_plugins.web.attachment import attach
from somnus_plugins.web.entrance import Entrance, Shortcut, below
from somnus_plugins.web.gates import WAYS, Area, Clearance, Way, ways
from somnus_plugins.web.token import HomeToken
from somnus_plugins.wire.contributions import Tool
from somnus_plugins.wire.methods import HttpHead, HttpResponse
from tests.unit.web.played import PlayedHost, asked, listing

ADD = Tool(name="add")


def attached(host: PlayedHost, **options: Any) -> TestClient:
    app = FastAPI()
    attach(host, app, **options)
    return TestClient(app)


def bearer(host: PlayedHost) -> dict[str, str]:
    return {"Authorization": "Bearer " + HomeToken(host.home.token).value().decode()}


@pytest.fixture
def host(tmp_path: Path) -> PlayedHost:
    return PlayedHost(tmp_path, listing("notes", tools=[ADD]))


# --- gates -----------------------------------------------------------------------------------------------------------


def url(way: Way) -> str:
    path = way.path
    for name, value in {"{plugin}": "notes", "{mount}": "notes", "{tool}": "add", "{path}": "x", "{name}": "n"}.items():
        path = path.replace(name, value)
    return {Area.PAGE: "", Area.PLUGINS: "/plugins", Area.API: "/api/v1"}[way.area] + path


@pytest.mark.parametrize("way", [way for way in WAYS if way.gate is not Clearance.PUBLIC], ids=lambda way: way.path)
def test_nobody_passes_a_gate_without_the_token(host: PlayedHost, way: Way) -> None:
    client = attached(host)
    method = "GET" if way.method == "*" else way.method
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, {"Cookie": "somnus_session=1.2"}):
        answer = client.request(method, url(way), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert host.asked == []


@pytest.mark.parametrize("way", [way for way in WAYS if way.gate is Clearance.PUBLIC], ids=lambda way: way.path)
def test_everybody_passes_where_nothing_is_guarded(host: PlayedHost, way: Way) -> None:
    answer = attached(host).request(way.method, url(way), json={} if way.method == "POST" else None)

    assert "WWW-Authenticate" not in answer.headers or way.path == "/session"
    assert host.asked == []


def test_every_route_of_ours_stands_in_the_table(host: PlayedHost) -> None:
    app = FastAPI()
    before = set(map(id, app.router.routes))
    attach(host, app)
    ours = [route for route in app.router.routes if id(route) not in before]
    entrance = next(route for route in ours if isinstance(route, Entrance))
    table = {(way.method, "/api/v1" + way.path.replace("{plugin}", "{plugin:path}")) for way in ways(Area.API)}

    assert sorted(type(route).__name__ for route in ours) == ["Entrance", "FirstPage"]
    assert {(method, route.path) for route in entrance.api.routes for method in route.methods} == table
    assert all(isinstance(way.gate, Clearance) for way in WAYS)


def test_with_the_token_every_operation_is_reached(host: PlayedHost) -> None:
    client = attached(host)
    bodies = {"plan": {"source": "/x"}, "apply": {"plan": {}, "agreed": "h"}, "publish": {"topic": "a.b"}}
    for way in ways(Area.API):
        if way.operation:
            json = bodies.get(way.operation, {}) if way.method in ("POST", "PATCH") else None
            answer = client.request(way.method, url(way), json=json, headers=bearer(host))
            assert answer.status_code == 200, way
            assert asked(host)[0] == way.operation


def test_a_merge_patch_sets_values_and_takes_back_what_is_null(host: PlayedHost) -> None:
    attached(host).patch("/api/v1/plugins/a/b/config", json={"x": 1, "y": None}, headers=bearer(host))

    assert asked(host)[0] == "configure"
    assert asked(host)[1] == {"plugin": "a/b", "values": {"x": 1}, "remove": ["y"]}


def test_a_setting_may_be_called_as_a_key_of_the_path(host: PlayedHost) -> None:
    attached(host).patch("/api/v1/plugins/a/b/config?x=1", json={"plugin": "mine"}, headers=bearer(host))

    assert asked(host)[0] == "configure"
    assert asked(host)[1] == {"plugin": "a/b", "values": {"plugin": "mine"}, "remove": []}


def test_a_key_of_the_path_is_not_said_twice_and_the_query_is_read_for_reading(host: PlayedHost) -> None:
    client = attached(host)
    twice = client.post("/api/v1/plugins/a/enable", json={"plugin": "b"}, headers=bearer(host))
    client.post("/api/v1/events?data=1", json={"topic": "a.b"}, headers=bearer(host))
    published = asked(host)
    client.get("/api/v1/plugins/a/logs?count=5", headers=bearer(host))

    assert (twice.status_code, twice.json()["code"]) == (422, "invalid_input")
    assert published == ("publish", {"topic": "a.b"})
    assert asked(host) == ("logs", {"plugin": "a", "count": 5})


def test_any_key_of_a_body_is_an_argument(host: PlayedHost) -> None:
    answer = attached(host).post("/api/v1/events", json={"name": "x", "self": 1}, headers=bearer(host))

    assert answer.status_code == 200
    assert asked(host) == ("publish", {"name": "x", "self": 1})


# --- names of this machine -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/plugins/notes/x", "/api/v1/status", "/"])
def test_a_request_for_another_name_is_not_answered(host: PlayedHost, path: str) -> None:
    answer = attached(host).get(path, headers={**bearer(host), "Host": "evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
    assert host.asked == []


def test_an_operator_may_allow_other_names(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path, listing("notes"), **{"web.allowed_hosts": ("app.example.org",)})
    client = attached(host)

    assert client.get("/plugins/notes/x", headers={**bearer(host), "Host": "app.example.org:8443"}).status_code == 200
    assert client.get("/plugins/notes/x", headers={**bearer(host), "Host": "localhost"}).status_code == 421


# --- finding a plugin ------------------------------------------------------------------------------------------------


def test_a_request_reaches_the_plugin_that_its_mount_names(host: PlayedHost) -> None:
    answer = attached(host).get("/plugins/notes/x/y?q=1", headers=bearer(host))
    plugin, method, _, request, terms, sends = asked(host)

    assert (answer.status_code, answer.text) == (200, "fine")
    assert (plugin, method, sends) == ("local/notes", "http", False)
    assert (request.path, request.query, request.body) == ("/x/y", b"q=1", b"")
    assert terms.user is None
    assert host.conversations[-1].closed


def test_a_change_is_followed_at_once(host: PlayedHost) -> None:
    client = attached(host)
    host.serve(listing("other"))

    assert client.get("/plugins/notes/x", headers=bearer(host)).json()["code"] == "unknown_plugin"
    assert client.get("/plugins/other/x", headers=bearer(host)).text == "fine"


def test_a_host_that_stopped_says_so(host: PlayedHost) -> None:
    client = attached(host)
    host.role = "stopped"
    host.serve()
    answer = client.get("/plugins/notes/x", headers=bearer(host))

    assert (answer.status_code, answer.json()["code"]) == (503, "host_not_running")
    assert answer.json()["remedy"]


def test_a_plugin_without_routes_is_not_woken_to_say_so(tmp_path: Path) -> None:
    host = PlayedHost(tmp_path, listing("notes", tools=[ADD], routes=()))
    client = attached(host)
    missing = client.get("/plugins/notes/x", headers=bearer(host))
    tool = client.get("/plugins/notes/tools/add", headers=bearer(host))

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (tool.status_code, tool.headers["allow"]) == (405, "POST")
    assert host.asked == []


def test_a_thousand_plugins_cost_a_request_as_much_as_one(tmp_path: Path) -> None:
    def fastest(*mounts: str) -> float:
        host = PlayedHost(tmp_path, *(listing(mount) for mount in mounts))
        app = FastAPI()
        attach(host, app)
        entrance = app.router.routes[0]
        scope = {"type": "http", "path": f"/plugins/{mounts[-1]}/x", "root_path": ""}
        times = []
        for _ in range(30):
            began = time.perf_counter()
            for _ in range(100):
                entrance.matches(scope)
                entrance.catalogue.mounts.get(mounts[-1])
            times.append(time.perf_counter() - began)
        return min(times)

    one, thousand = fastest("m0"), fastest(*(f"m{number}" for number in range(1000)))

    assert thousand < 3 * one
    assert len(FastAPI().router.routes) + 2 == 6


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [("/x", "", "/x"), ("/app/x", "/app", "/x"), ("/apple/x", "/app", "/apple/x"), ("/x", "/app", "/x")],
)
def test_the_path_is_read_below_where_the_application_stands(path: str, root: str, expected: str) -> None:
    assert below({"path": path, "root_path": root}) == expected
    assert below({"path": path}) == path


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [(NotReady("asleep"), 503, "1"), (Overloaded("full"), 503, "1"), (InvalidResult("odd"), 502, None)],
)
def test_an_error_of_the_host_is_a_problem(host: PlayedHost, error: Any, status: int, header: str | None) -> None:
    host.result = error
    answer = attached(host).get("/plugins/notes/x", headers=bearer(host))

    assert (answer.status_code, answer.json()["code"]) == (status, error.code)
    assert answer.headers.get("retry-after") == header
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_streamed_answer_is_passed_on_in_its_pieces(host: PlayedHost) -> None:
    host.items = [HttpHead(201, [(b"x-mine", b"1"), (b"set-cookie", b"a=b")]), b"one ", b"two"]
    host.result = HttpResponse(0, [], b"")
    answer = attached(host).get("/plugins/notes/x", headers=bearer(host))

    assert (answer.status_code, answer.text) == (201, "one two")
    assert answer.headers["x-mine"] == "1"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("items", "result"), [([7], None), ([], 7), ([], [1, 2]), (["text"], None)])
def test_an_answer_that_is_none_is_a_bad_gateway(host: PlayedHost, items: list[Any], result: Any) -> None:
    host.items, host.result = items, result
    answer = attached(host).get("/plugins/notes/x", headers=bearer(host))

    assert (answer.status_code, answer.json()["code"]) == (502, "invalid_result")
    assert host.conversations[-1].closed


def test_a_body_larger_than_the_plugin_takes_never_reaches_it(host: PlayedHost) -> None:
    answer = attached(host).post("/plugins/notes/x", content=b"x" * 1001, headers=bearer(host))

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert host.asked == []


@pytest.mark.parametrize("location", ["/plugins/other/x", "/api/v1/status", "../other"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_redirect_to_anything_else_of_ours_is_a_bad_gateway(host: PlayedHost, location: str, streams: bool) -> None:
    headers = [(b"Location", location.encode())]
    host.items = [HttpHead(307, headers)] if streams else []
    host.result = HttpResponse(0 if streams else 307, headers, b"")
    answer = attached(host).get("/plugins/notes/x", headers=bearer(host), follow_redirects=False)

    assert (answer.status_code, answer.json()["code"]) == (502, "invalid_result")
    assert "location" not in answer.headers


@pytest.mark.parametrize("location", ["/plugins/notes/y", "y?a=1", "https://example.org/plugins/other"])
def test_a_redirect_within_the_plugin_or_to_another_site_passes(host: PlayedHost, location: str) -> None:
    host.result = HttpResponse(302, [(b"location", location.encode())], b"")
    answer = attached(host).get("/plugins/notes/x", headers=bearer(host), follow_redirects=False)

    assert answer.status_code == 302
    assert answer.headers["location"] == location


# --- people ----------------------------------------------------------------------------------------------------------


def test_a_person_who_is_not_signed_in_reads_a_page_of_ours(host: PlayedHost) -> None:
    client = attached(host)
    page = client.get("/plugins/notes/<x>", headers={"Sec-Fetch-Mode": "navigate"})
    called = client.get("/plugins/notes/x", headers={"Sec-Fetch-Mode": "cors"})

    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert '<a href="/">Open it from the plugins page</a>' in page.text
    assert "<x>" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert called.json()["code"] == "not_signed_in"


@pytest.mark.parametrize("user", [None, lambda: "ann"])
def test_the_token_that_a_refusal_points_to_is_there(host: PlayedHost, user: Any) -> None:
    app = FastAPI()
    attach(host, app, user=user)
    host.role = "stopped"
    before = host.home.token.exists()
    with TestClient(app) as client:
        refused = client.get("/api/v1/status")
        assert host.home.token.stat().st_mode & 0o777 == 0o600

    assert before is False
    assert refused.status_code == 401


def test_an_application_with_logins_of_its_own_needs_no_token(host: PlayedHost) -> None:
    app = FastAPI()
    attach(host, app, user=lambda: "ann", admin=lambda: None)
    host.role = "stopped"
    with TestClient(app) as client:
        assert client.get("/plugins/notes/x").text == "fine"

    assert not host.home.token.exists()


# --- tools -----------------------------------------------------------------------------------------------------------


def test_a_tool_is_called_with_the_body_and_the_time_that_is_asked(host: PlayedHost) -> None:
    host.result = {"sum": 3}
    answer = attached(host).post("/plugins/notes/tools/add?timeout_s=2.5", json={"a": 1}, headers=bearer(host))

    assert answer.json() == {"sum": 3}
    assert asked(host) == ("local/notes", "call", "add", {"a": 1}, 2.5, None)


@pytest.mark.parametrize("result", [{1, 2}, {(1, 2): 3}, object()])
def test_a_result_that_json_cannot_say_is_a_problem(host: PlayedHost, result: Any) -> None:
    host.result = result
    answer = attached(host).post("/plugins/notes/tools/add", headers=bearer(host))

    assert answer.status_code in (200, 502)
    assert answer.json() == [1, 2] or answer.json()["code"] == "invalid_result"


@pytest.mark.parametrize("timeout", ["0", "-1", "inf", "nan", "soon", ""])
def test_a_time_that_is_none_is_refused(host: PlayedHost, timeout: str) -> None:
    answer = attached(host).post(f"/plugins/notes/tools/add?timeout_s={timeout}", headers=bearer(host))

    assert answer.status_code == (200 if timeout == "" else 400)
    assert bool(host.asked) is (timeout == "")


# --- the shortcut ----------------------------------------------------------------------------------------------------


def test_without_middleware_and_login_nothing_stands_between(host: PlayedHost) -> None:
    app = FastAPI()
    attach(host, app)
    host.role = "stopped"
    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/plugins/notes/x", headers=bearer(host)).text == "fine"
            assert client.get("/openapi.json").status_code == 200
            stack = app.middleware_stack
            assert isinstance(stack, Shortcut)
            assert not isinstance(stack._inner, Shortcut)


def test_an_applications_middleware_sees_every_request(host: PlayedHost) -> None:
    seen = []

    class Spy:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope.get("path"))
            await self.app(scope, receive, send)

    app = FastAPI()
    app.add_middleware(Spy)
    attach(host, app)
    host.role = "stopped"
    with TestClient(app) as client:
        client.get("/plugins/notes/x", headers=bearer(host))

    assert not isinstance(app.middleware_stack, Shortcut)
    assert "/plugins/notes/x" in seen


def test_an_applications_login_is_asked_with_its_own_error_handlers(host: PlayedHost) -> None:
    app = FastAPI()
    attach(host, app, user=Depends(lambda: {"sub": 7}))
    host.role = "stopped"
    with TestClient(app) as client:
        client.get("/plugins/notes/x")

    assert not isinstance(app.middleware_stack, Shortcut)
    assert asked(host)[4].user == "7"
