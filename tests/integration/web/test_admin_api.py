"""The admin API on a real host, as a person with a token and as a page with a session."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.integration.web.serving import Site, site
from tests.support.plugins import House, write_plugin
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

API = "/api/v1"
SETTLED = """
class Settings(BaseModel):
    greeting: str
    times: int = 1

class Main(Plugin):
    config: Settings

    @tool
    async def greet(self) -> str:
        print("greeting")
        return self.config.greeting * self.config.times
"""


async def test_the_host_and_its_plugins_are_shown(client: httpx.AsyncClient, shared: Site) -> None:
    status = (await client.get(f"{API}/status")).json()
    plugins = (await client.get(f"{API}/plugins")).json()
    by_mount = (await client.get(f"{API}/plugins/workshop")).json()
    by_id = (await client.get(f"{API}/plugins/local/workshop")).json()

    assert status["home"] == str(shared.host.home.root)
    assert status["sandbox_level"] == "none"
    assert [each["id"] for each in plugins] == ["local/workshop"]
    assert by_mount["plugin"]["id"] == by_id["plugin"]["id"] == "local/workshop"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/plugins/nobody", None, 404, "unknown_plugin"),
        ("GET", "/nowhere", None, 404, "not_found"),
        ("PUT", "/status", None, 405, "not_allowed"),
        ("GET", "/plugins/workshop/logs?count=many", None, 422, "invalid_input"),
        ("POST", "/plans", {}, 422, "invalid_input"),
        ("POST", "/plans/apply", {"plan": {}}, 403, "consent_required"),
        ("POST", "/plans/apply", {"plan": {}, "agreed": "x"}, 400, "usage"),
        ("POST", "/events", {"topic": "x", "extra": 1}, 400, "usage"),
        ("POST", "/events", {"topic": "x", "name": "publish"}, 400, "usage"),
        ("POST", "/plans", [1], 422, "invalid_input"),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = await client.request(method, API + path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_announced_too_large_is_refused_unread(shared: Site) -> None:
    reader, writer = await asyncio.open_connection(*shared.address.split(":"))
    head = {"Host": "localhost", "Content-Length": "4194305", **shared.bearer}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"POST {API}/events HTTP/1.1\r\n{lines}\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer


async def test_an_event_is_published(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{API}/events", json={"topic": "app.happened", "data": {"x": 1}})

    assert answer.status_code == 200
    assert answer.json() == 0


async def test_a_plugin_is_planned_applied_configured_switched_and_taken_out(house: House, tmp_path: Path) -> None:
    app = FastAPI()
    house.host.attach(app)
    directory = write_plugin(tmp_path, "settled", SETTLED)
    async with site(app, house.host) as served, served.client() as client:
        plan = (await client.post(f"{API}/plans", json={"source": str(directory), "mount": "greeter"})).json()
        wrong = await client.post(f"{API}/plans/apply", json={"plan": plan, "agreed": "another"})
        view = (await client.post(f"{API}/plans/apply", json={"plan": plan, "agreed": plan["hash"]})).json()
        unset = (await client.get(f"{API}/plugins/greeter/config")).json()["unset"]
        bad = await client.patch(f"{API}/plugins/greeter/config", json={"times": "often"})
        await client.patch(f"{API}/plugins/greeter/config", json={"greeting": "hi", "times": 3})
        many = (await client.post("/plugins/greeter/tools/greet")).json()
        await client.patch(f"{API}/plugins/greeter/config", json={"times": None})
        one = (await client.post("/plugins/greeter/tools/greet")).json()
        logs = (await client.get(f"{API}/plugins/greeter/logs?count=5")).json()
        states = [(await client.post(f"{API}/plugins/greeter/{verb}")).json()["word"] for verb in ("disable", "enable")]
        restarted = await client.post(f"{API}/plugins/greeter/restart")
        removed = await client.delete(f"{API}/plugins/greeter")
        after = (await client.get(f"{API}/plugins")).json()

    assert (plan["mount"], view["word"], unset) == ("greeter", "needs you", ["greeting"])
    assert (wrong.status_code, wrong.json()["code"]) == (403, "consent_required")
    assert bad.json()["code"] == "invalid_config"
    assert (many, one) == ("hihihi", "hi")
    assert "greeting" in [line["message"] for line in logs]
    assert states == ["off", "asleep"]
    assert (restarted.status_code, removed.status_code, after) == (200, 200, [])


# --- sessions --------------------------------------------------------------------------------------------------------


async def signed_in(shared: Site, client: httpx.AsyncClient) -> httpx.Response:
    token = shared.bearer["Authorization"].removeprefix("Bearer ")
    return await client.post(f"{API}/session", json={"token": token})


async def test_a_token_is_exchanged_for_a_session_that_scripts_cannot_read(shared: Site) -> None:
    async with shared.client(headers={}) as client:
        before = await client.get(f"{API}/plugins")
        answer = await signed_in(shared, client)
        inside = await client.get(f"{API}/plugins")
        await client.delete(f"{API}/session")
        after = await client.get(f"{API}/plugins")

    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, [before.status_code, inside.status_code, after.status_code]) == (204, [401, 200, 401])
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert shared.bearer["Authorization"].removeprefix("Bearer ") not in cookie


async def test_a_wrong_token_gives_no_session(shared: Site) -> None:
    async with shared.client(headers={}) as client:
        answers = [await client.post(f"{API}/session", json=body) for body in ({"token": "guess"}, {}, {"token": 7})]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert [answer.headers.get("set-cookie") for answer in answers] == [None, None, None]
    assert answers[0].headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, False),
        ({"X-Somnus-CSRF": "1"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site", "X-Somnus-CSRF": "1"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example", "X-Somnus-CSRF": "1"}, False),
        ({"Origin": "null"}, False),
    ],
)
async def test_a_session_changes_nothing_unless_our_own_page_asks(
    shared: Site, headers: dict[str, str], passes: bool
) -> None:
    async with shared.client(headers={}) as client:
        await signed_in(shared, client)
        answer = await client.post(f"{API}/events", json={"topic": "app.x"}, headers=headers)

    assert answer.status_code == (200 if passes else 403)
    assert passes or answer.json()["code"] == "cross_site"


async def test_a_token_that_was_replaced_ends_everything_it_gave(house: House) -> None:
    app = FastAPI()
    house.host.attach(app)
    async with site(app, house.host) as served, served.client(headers={}) as client:
        await signed_in(served, client)
        assert (await client.get(f"{API}/status")).status_code == 200
        house.host.home.token.unlink()

        async def refused() -> bool:
            return (await client.get(f"{API}/status")).status_code == 401

        await eventually(refused)
        bearer = await client.get(f"{API}/status", headers=served.bearer)

    assert bearer.status_code == 401
    assert house.host.home.token.stat().st_mode & 0o777 == 0o600
