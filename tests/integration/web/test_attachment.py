"""A host on somebody's own application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from somnus_plugins import PluginHost
from somnus_plugins.errors import UsageError
from somnus_plugins.web.server import home_token, serve_app
from tests.integration.web.serving import add_workshop, site
from tests.integration.web.workshop import PRELUDE
from tests.support.plugins import House, short_settings, write_plugin

ONE = """
class Answer(BaseModel):
    version: int

class Main(Plugin):
    @get("/version")
    async def tell(self) -> Answer:
        return Answer(version=1)

    @tool
    async def shout(self, call: Call, text: str = "hey") -> str:
        return f"{text.upper()} {call.user}"
"""


def plan_and_apply(client: TestClient, directory: Path, headers: dict[str, str]) -> Any:
    plan = client.post("/api/v1/plans", json={"source": str(directory)}, headers=headers).json()
    agreed = {"plan": plan, "agreed": plan["hash"]}
    return client.post("/api/v1/plans/apply", json=agreed, headers=headers)


def bearer(host: PluginHost) -> dict[str, str]:
    return {"Authorization": f"Bearer {home_token(host)}"}


# --- beginning and end -----------------------------------------------------------------------------------------------


def test_an_application_may_be_started_twice_on_different_loops(tmp_path: Path) -> None:
    host = PluginHost(tmp_path / "home", settings=short_settings())
    app = FastAPI()
    host.attach(app)
    directory = write_plugin(tmp_path, "one", ONE, prelude=PRELUDE)
    answers = []
    for turn in range(2):
        with TestClient(app) as client:
            if turn == 0:
                assert plan_and_apply(client, directory, bearer(host)).status_code == 200
            answers.append(client.get("/plugins/one/version", headers=bearer(host)).json())
            answers.append(client.post("/plugins/one/tools/shout", headers=bearer(host)).json())

    assert answers == [{"version": 1}, "HEY None"] * 2
    assert host.role == "stopped"


def test_without_a_lifespan_every_way_says_that_the_host_does_not_run(tmp_path: Path) -> None:
    host = PluginHost(tmp_path / "home", settings=short_settings())
    app = FastAPI()
    host.attach(app)
    client = TestClient(app)
    route = client.get("/plugins/one/version", headers=bearer(host))
    api = client.get("/api/v1/status", headers=bearer(host))

    assert (route.status_code, route.json()["code"]) == (503, "host_not_running")
    assert (api.status_code, api.json()["code"]) == (503, "host_not_running")
    assert "lifespan" in route.json()["remedy"]


def test_the_applications_own_lifespan_runs_inside_the_hosts(tmp_path: Path) -> None:
    from contextlib import asynccontextmanager

    host = PluginHost(tmp_path / "home", settings=short_settings())
    seen = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> Any:
        seen.append(host.role)
        yield {"mine": 1}
        seen.append(host.role)

    app = FastAPI(lifespan=lifespan)
    host.attach(app)

    @app.get("/state")
    async def state(request: Request) -> int:
        return int(request.state.mine)

    with TestClient(app) as client:
        assert client.get("/state").json() == 1
    assert seen == ["host", "host"]
    assert host.role == "stopped"


@pytest.mark.parametrize("prefix", ["plugins", "/", "/plugins/", "/{x}"])
def test_a_prefix_that_is_no_path_is_refused(tmp_path: Path, prefix: str) -> None:
    host = PluginHost(tmp_path / "home", settings=short_settings())
    app = FastAPI()

    with pytest.raises(UsageError, match="prefix"):
        host.attach(app, prefix=prefix)
    assert not [route for route in app.router.routes if type(route).__name__ == "Entrance"]


# --- beside the application's own ------------------------------------------------------------------------------------


def test_the_applications_own_routes_stay_its_own(tmp_path: Path) -> None:
    host = PluginHost(tmp_path / "home", settings=short_settings())
    app = FastAPI()
    host.attach(app, prefix="/extensions")

    @app.get("/")
    async def mine() -> str:
        return "mine"

    @app.get("/plugins/x")
    async def also_mine() -> str:
        return "also mine"

    with TestClient(app, base_url="http://elsewhere.example") as client:
        assert client.get("/").json() == "mine"
        assert client.get("/plugins/x").json() == "also mine"
        assert client.get("/extensions/one/version").json()["code"] == "unknown_host"
        assert client.get("/docs").status_code == 200


def test_the_page_stands_where_the_application_has_nothing(tmp_path: Path) -> None:
    host = PluginHost(tmp_path / "home", settings=short_settings())
    app = FastAPI()
    host.attach(app)
    with TestClient(app) as client:
        page = client.get("/")
        assets = [part.split('"')[0] for part in page.text.split('="/plugins/assets/')[1:]]
        found = {name.rpartition(".")[2]: client.get(f"/plugins/assets/{name}") for name in assets}
        missing = client.get("/plugins/assets/other.js")

    assert "text/html" in page.headers["content-type"]
    assert {"js", "css", "svg"} <= set(found)
    assert all("immutable" in answer.headers["cache-control"] for answer in found.values())
    assert missing.json()["code"] == "not_found"
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


def test_it_works_on_an_application_that_is_mounted_below_another(tmp_path: Path) -> None:
    host = PluginHost(tmp_path / "home", settings=short_settings())
    inner, outer = FastAPI(), FastAPI()
    host.attach(inner)
    outer.mount("/inner", inner)
    outer.router.lifespan_context = inner.router.lifespan_context
    directory = write_plugin(tmp_path, "one", ONE, prelude=PRELUDE)
    with TestClient(outer) as client:
        plan = client.post("/inner/api/v1/plans", json={"source": str(directory)}, headers=bearer(host)).json()
        client.post("/inner/api/v1/plans/apply", json={"plan": plan, "agreed": plan["hash"]}, headers=bearer(host))
        answer = client.get("/inner/plugins/one/version", headers=bearer(host))
        page = client.get("/inner/")

    assert answer.json() == {"version": 1}
    assert 'data-prefix="/inner/plugins"' in page.text


# --- coming and going ------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_is_disabled_is_gone_at_once_and_leaves_no_ghost(house: House) -> None:
    await house.add("one", ONE, prelude=PRELUDE)
    app = FastAPI()
    house.host.attach(app)
    async with site(app, house.host) as served, served.client() as client:
        assert (await client.get("/plugins/one/version")).json() == {"version": 1}
        assert "/plugins/one/version" in (await client.get("/openapi.json")).json()["paths"]

        await client.post("/api/v1/plugins/one/disable")
        gone = await client.get("/plugins/one/version")
        document = (await client.get("/openapi.json")).json()

        second = ONE.replace("version=1", "version=2").replace('"/version"', '"/other"').replace("Answer", "Reply")
        await house.add("one", second, prelude=PRELUDE, version="0.2.0")
        old, new = await client.get("/plugins/one/version"), await client.get("/plugins/one/other")
        after = (await client.get("/openapi.json")).json()

    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_plugin")
    assert not [path for path in document["paths"] if path.startswith("/plugins/")]
    assert "One_Answer" not in json.dumps(document)
    assert (old.status_code, new.json()) == (404, {"version": 2})
    assert "/plugins/one/version" not in after["paths"]
    assert {"One_Reply"} == {name for name in after["components"]["schemas"] if name in ("One_Reply", "One_Answer")}


# --- logins ----------------------------------------------------------------------------------------------------------


class Person:
    def __init__(self, username: str) -> None:
        self.username = username


def current_user(name: Annotated[str | None, Cookie()] = None) -> Person:
    if name is None:
        raise HTTPException(401, "who are you?")
    return Person(name)


def require_admin(person: Annotated[Person, Depends(current_user)]) -> None:
    if person.username != "root":
        raise HTTPException(403, "operators only")


@pytest.mark.anyio
async def test_the_applications_login_decides_and_its_person_is_told_to_the_plugin(house: House) -> None:
    await house.add("one", ONE, prelude=PRELUDE)
    app = FastAPI()
    house.host.attach(app, user=Depends(current_user), admin=Depends(require_admin))
    async with site(app, house.host) as served, served.client(headers={}) as client:
        nobody = await client.get("/plugins/one/version")
        token = await client.get("/plugins/one/version", headers=served.bearer)
        ann = await client.post("/plugins/one/tools/shout", json={}, headers={"Cookie": "name=ann"})
        route = await client.get("/plugins/one/version", headers={"Cookie": "name=ann"})
        refused = await client.get("/api/v1/plugins", headers={"Cookie": "name=ann"})
        passed = await client.get("/api/v1/plugins", headers={"Cookie": "name=root"})
        session = await client.post("/api/v1/session", json={"token": "x"})

    assert (nobody.status_code, nobody.json()) == (401, {"detail": "who are you?"})
    assert token.status_code == 401
    assert ann.json() == "HEY ann"
    assert route.json() == {"version": 1}
    assert (refused.status_code, passed.status_code) == (403, 200)
    assert session.json()["code"] == "not_signed_in"


@pytest.mark.anyio
async def test_a_plugins_page_cannot_act_with_the_applications_cookies(house: House) -> None:
    await house.add("one", ONE, prelude=PRELUDE)
    app = FastAPI()
    house.host.attach(app, user=Depends(current_user), admin=Depends(require_admin))
    sandboxed = {"Cookie": "name=root", "Origin": "null", "Sec-Fetch-Site": "cross-site"}
    async with site(app, house.host) as served, served.client(headers={}) as client:
        tool = await client.post("/plugins/one/tools/shout", json={}, headers=sandboxed)
        api = await client.post("/api/v1/plugins/one/disable", headers=sandboxed)
        ours = {"Cookie": "name=root", "Origin": served.url, "Sec-Fetch-Site": "same-origin"}
        own = await client.post("/plugins/one/tools/shout", json={}, headers=ours)

    assert [tool.json()["code"], api.json()["code"]] == ["cross_site", "cross_site"]
    assert own.json() == "HEY root"


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Bearer"])
async def test_only_a_bearer_is_never_sent_by_a_browser_on_its_own(house: House, scheme: str) -> None:
    await house.add("one", ONE, prelude=PRELUDE)
    app = FastAPI()
    house.host.attach(app, user=lambda: "ann", admin=lambda: None)
    given = {"Authorization": f"{scheme} x"}
    async with site(app, house.host) as served, served.client(headers=given) as client:
        foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        api = await client.post("/api/v1/events", json={"topic": "a.b"}, headers=foreign)
        form = await client.post(
            "/plugins/one/tools/shout", content="{}", headers={"Content-Type": "text/plain", "Sec-Fetch-Site": "none"}
        )
        script = await client.post("/plugins/one/tools/shout", content="{}", headers={"Content-Type": "text/plain"})

    bearer = scheme == "Bearer"
    assert (api.status_code, form.status_code) == ((200, 200) if bearer else (403, 415))
    assert script.json() == "HEY ann"


@pytest.mark.anyio
async def test_a_login_may_read_the_body_and_the_plugin_reads_it_again(house: House) -> None:
    async def of_body(request: Request) -> str:
        return str(len(await request.body()))

    async def of_form(request: Request) -> str:
        async with request.form() as form:
            return str(form["who"])

    await add_workshop(house)
    app = FastAPI()
    house.host.attach(app, user=Depends(of_body))
    async with site(app, house.host) as served, served.client(headers={}) as client:
        item = await client.post("/plugins/workshop/items", json={"name": "n"})
        who = await client.post("/plugins/workshop/tools/whoami", json={})
        large = await client.put("/plugins/workshop/size", content=b"x" * 300_000)
        too_large = await client.put("/plugins/workshop/size", content=b"x" * (1024 * 1024 + 1))
        app.dependency_overrides[of_body] = of_form
        upload = await client.post("/plugins/workshop/upload", data={"who": "ann"}, files={"file": ("a", b"abc")})
        plain = await client.post("/plugins/workshop/size", data={"who": "ann"})

    assert (item.json()["name"], who.json(), large.json()) == ("n", "2", 300_000)
    assert too_large.status_code == 413
    assert upload.json() == ["a", 3]
    assert plain.status_code == 405


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [Request, WebSocket, HTTPConnection])
async def test_a_login_decides_over_sockets_whatever_it_takes(house: House, kind: Any) -> None:
    def login(connection: Any) -> str:
        if "who" not in connection.query_params:
            raise HTTPException(401, "who are you?")
        return str(connection.query_params["who"])

    login.__annotations__["connection"] = kind
    await add_workshop(house)
    app = FastAPI()
    house.host.attach(app, user=Depends(login))
    async with site(app, house.host) as served:
        url = f"ws://{served.address}/plugins/workshop/ws"
        async with connect(f"{url}?who=ann", proxy=None) as socket:
            await socket.recv()
            await socket.send("hello")
            heard = await socket.recv()
        with pytest.raises(InvalidStatus) as caught:
            async with connect(url, proxy=None):
                pass

    assert heard == "heard hello"
    assert caught.value.response.status_code in (401, 403)


@pytest.mark.anyio
async def test_public_routes_need_no_login_and_tools_still_do(house: House) -> None:
    public = "[tool.somnus.permissions]\npublic_routes = true\n"
    await house.add("one", ONE, prelude=PRELUDE, somnus=public)
    app = FastAPI()
    house.host.attach(app)
    async with site(app, house.host) as served, served.client(headers={}) as client:
        route = await client.get("/plugins/one/version")
        tool = await client.post("/plugins/one/tools/shout", json={})
        operation = (await client.get("/openapi.json")).json()["paths"]

    assert route.json() == {"version": 1}
    assert tool.status_code == 401
    assert "security" not in operation["/plugins/one/version"]["get"]
    assert operation["/plugins/one/tools/shout"]["post"]["security"] == [{"SomnusToken": []}]


@pytest.mark.anyio
async def test_dependencies_may_be_overridden_and_handlers_are_the_applications(house: House) -> None:
    class NotHere(Exception):
        pass

    def login() -> str:
        raise NotHere

    async def told(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"mine": True}, status_code=418)

    await house.add("one", ONE, prelude=PRELUDE)
    app = FastAPI(exception_handlers={NotHere: told})
    app.include_router(APIRouter())
    house.host.attach(app, user=login)
    async with site(app, house.host) as served, served.client(headers={}) as client:
        handled = await client.get("/plugins/one/version")
        app.dependency_overrides[login] = lambda: "tester"
        overridden = await client.post("/plugins/one/tools/shout", json={})

    assert (handled.status_code, handled.json()) == (418, {"mine": True})
    assert overridden.json() == "HEY tester"


# --- the application of `serve` --------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_serve_serves_asks_no_other_host_for_anything(house: House) -> None:
    await add_workshop(house)
    async with site(serve_app(house.host), house.host) as served, served.client(headers={}) as client:
        docs = await client.get("/docs")
        document = (await client.get("/openapi.json")).json()
        foreign = await client.get("/docs", headers={"Host": "evil.example"})
        page = await client.get("/")

    assert docs.status_code == 200
    assert docs.headers["content-security-policy"].split("'nonce-")[1].split("'")[0] in docs.text
    assert "/plugins/workshop/tools/add" in docs.text
    assert [word for word in ("https://", "cdn") if word in docs.text + page.text] == []
    assert "default-src &#39;none&#39;" not in docs.text
    assert docs.headers["content-security-policy"].startswith("default-src 'none'")
    assert "/plugins/workshop/items" in document["paths"]
    assert foreign.json()["code"] == "unknown_host"
