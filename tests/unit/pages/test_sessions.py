"""Sessions that prove themselves, and requests that a person meant."""

from __future__ import annotations

import pytest

from somnus_plugins.pages.hosts import AllowedHosts
from somnus_plugins.pages.sessions import (
    SESSION_S,
    cookie_value,
    cross_site,
    expired_cookie,
    foreign_page,
    may_be_ambient,
    seal,
    session_cookie,
    unseal,
)

KEY, NOW = b"k" * 43, 1_800_000_000.0
HOST = {b"host": b"localhost:8765"}
OWN = b"http://localhost:8765"


def test_a_session_is_good_until_it_ends() -> None:
    session = seal(KEY, NOW)

    assert unseal(KEY, session, NOW + SESSION_S - 1)
    assert not unseal(KEY, session, NOW + SESSION_S + 1)
    assert KEY.decode() not in session


@pytest.mark.parametrize("change", ["longer", "other key", "no signature", "no end", "empty", "not ascii"])
def test_a_session_that_was_changed_is_none(change: str) -> None:
    end, _, signature = seal(KEY, NOW).partition(".")
    forged = {
        "longer": f"{int(end) + 1}.{signature}",
        "other key": seal(b"other", NOW),
        "no signature": f"{end}.",
        "no end": f".{signature}",
        "empty": "",
        "not ascii": f"{end}.\u00e4{signature}",
    }[change]

    assert not unseal(KEY, forged, NOW)
    assert unseal(KEY, f"{end}.{signature}", NOW)


def test_the_cookie_is_kept_from_scripts_and_other_sites() -> None:
    name, plain = session_cookie("1.a", secure=False)
    _, secure = session_cookie("1.a", secure=True)

    assert name == b"set-cookie"
    assert plain == b"somnus_session=1.a; Path=/; HttpOnly; SameSite=Strict"
    assert secure == plain + b"; Secure"
    assert b"Max-Age=0" in expired_cookie()[1]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"", ""),
        (b"somnus_session=x", "x"),
        (b"a=1;somnus_session=x.y;b=2", "x.y"),
        (b"xsomnus_session=x", ""),
        (b"somnus_session", ""),
        (b"a=somnus_session=x", ""),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(header: bytes, value: str) -> None:
    assert cookie_value(header) == value
    assert cookie_value(header, "missing") == ""


@pytest.mark.parametrize(
    ("method", "noted", "passes"),
    [
        ("GET", {}, True),
        ("POST", {}, False),
        ("WEBSOCKET", {}, False),
        ("POST", {b"x-somnus-csrf": b"1"}, True),
        ("POST", {b"sec-fetch-site": b"same-origin"}, True),
        ("POST", {b"sec-fetch-site": b"same-origin", b"origin": b"null"}, True),
        ("GET", {b"sec-fetch-site": b"none"}, True),
        ("GET", {b"sec-fetch-site": b"cross-site"}, False),
        ("GET", {b"sec-fetch-site": b"same-site"}, False),
        ("POST", {b"sec-fetch-site": b"cross-site", b"x-somnus-csrf": b"1"}, False),
        ("POST", {b"origin": OWN}, True),
        ("WEBSOCKET", {b"origin": OWN}, True),
        ("POST", {b"origin": b"http://localhost:9999"}, False),
        ("POST", {b"origin": b"https://localhost:8765"}, False),
        ("POST", {b"origin": b"null", b"x-somnus-csrf": b"1"}, False),
        ("GET", {b"origin": b"http://evil.example"}, False),
    ],
)
def test_a_session_acts_only_for_our_own_page(method: str, noted: dict[bytes, bytes], passes: bool) -> None:
    problem = cross_site(method, "ws" if method == "WEBSOCKET" else "http", {**HOST, **noted})

    assert (problem is None) is passes
    assert passes or (problem is not None and problem.code == "cross_site")


@pytest.mark.parametrize(
    ("method", "noted", "passes"),
    [
        ("POST", {}, True),
        ("POST", {b"origin": OWN}, True),
        ("POST", {b"origin": b"https://app.example.org"}, True),
        ("POST", {b"origin": b"http://evil.example"}, False),
        ("POST", {b"origin": b"null"}, False),
        ("WEBSOCKET", {b"origin": b"null"}, False),
        ("WEBSOCKET", {b"origin": b"http://evil.example"}, False),
        ("GET", {b"origin": b"null"}, True),
        ("POST", {b"origin": b"null", b"authorization": b"Bearer x"}, True),
        ("POST", {b"origin": b"null", b"authorization": b"bearer x"}, True),
        ("POST", {b"origin": b"null", b"authorization": b"Basic x"}, False),
        ("DELETE", {b"origin": b"http://evil.example", b"authorization": b"Digest x"}, False),
        ("POST", {b"origin": b"null", b"sec-fetch-site": b"same-origin"}, True),
        ("POST", {b"sec-fetch-site": b"cross-site"}, False),
        ("POST", {b"sec-fetch-site": b"same-site"}, False),
        ("POST", {b"sec-fetch-site": b"none"}, True),
        ("POST", {b"sec-fetch-site": b"cross-site", b"origin": b"https://app.example.org"}, True),
        ("GET", {b"sec-fetch-site": b"cross-site"}, True),
    ],
)
def test_an_applications_login_acts_only_for_pages_of_its_hosts(
    method: str, noted: dict[bytes, bytes], passes: bool
) -> None:
    hosts = AllowedHosts(["localhost", "app.example.org"])
    problem = foreign_page(method, "http", {**HOST, b"cookie": b"s=1", **noted}, hosts)
    without_cookie = foreign_page(method, "http", {**HOST, **noted}, hosts)

    assert (problem is None) is passes
    assert without_cookie == problem


@pytest.mark.parametrize(
    ("noted", "ambient"),
    [
        ({}, False),
        ({b"authorization": b"Basic x"}, False),
        ({b"authorization": b"Basic x", b"origin": b"null"}, True),
        ({b"sec-fetch-site": b"cross-site"}, True),
        ({b"cookie": b"a=b"}, True),
        ({b"cookie": b"a=b", b"authorization": b"Bearer x"}, False),
    ],
)
def test_only_a_bearer_is_never_added_by_a_browser(noted: dict[bytes, bytes], ambient: bool) -> None:
    assert may_be_ambient(noted) is ambient
    assert may_be_ambient({**noted, b"authorization": b"Bearer x"}) is False
