"""The allow-list of names."""

from __future__ import annotations

from typing import Any

import pytest

from somnus_plugins.pages.hosts import REMEMBERED, AllowedHosts, HostGuard

NAMES = ("localhost", "127.0.0.1", "[::1]", "App.Example.org", "*.wide.example")


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LOCALHOST:80",
        b"127.0.0.1:8765",
        b"[::1]",
        b"[::1]:8765",
        b"app.example.org.",
        b"a.b.wide.example:1",
    ],
)
def test_names_of_the_list_are_answered_on_every_port(host: bytes) -> None:
    hosts = AllowedHosts(NAMES)

    assert hosts.allow(host)
    assert hosts.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"",
        b"evil.example",
        b"localhost.evil.example",
        b"evil.example:localhost",
        b"127.0.0.1.evil.example",
        b"localhost; evil.example",
        b"localhost:80:80",
        b"localhost@evil.example",
        b"wide.example",
        b"notwide.example",
        b"::1",
        b"\xff\xfe",
    ],
)
def test_all_others_are_not(host: bytes | None) -> None:
    hosts = AllowedHosts(NAMES)

    assert not hosts.allow(host)
    assert hosts.problem(host).status == 421


def test_a_star_answers_all_and_names_nobody() -> None:
    hosts = AllowedHosts(["*"])

    assert hosts.allow(b"anything.example")
    assert hosts.allow(None)
    assert not hosts.names(b"anything.example")


def test_what_is_kept_ready_has_an_end() -> None:
    hosts = AllowedHosts(["*.wide.example"])
    for number in range(REMEMBERED * 2):
        assert hosts.allow(b"%d.wide.example" % number)

    assert len(hosts._accepted) == REMEMBERED


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ([(b"host", b"localhost")], True),
        ([(b"host", b"evil.example")], False),
        ([(b"host", b"localhost"), (b"host", b"evil.example")], False),
        ([], False),
    ],
)
async def test_the_guard_lets_only_its_names_through(headers: list[tuple[bytes, bytes]], passes: bool) -> None:
    seen: list[Any] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    guard = HostGuard(app, AllowedHosts(["localhost"]))
    await guard({"type": "http", "headers": headers}, receive, send)
    await guard({"type": "lifespan"}, receive, send)

    assert seen == (["http", "lifespan"] if passes else ["lifespan"])
    assert [message.get("status") for message in sent[:1]] == ([] if passes else [421])
