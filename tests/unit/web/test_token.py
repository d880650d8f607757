"""The token of a home, and what may pass with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from somnus_plugins.errors import NotSignedIn
from somnus_plugins.web.token import TOKEN_BYTES, HomeToken
from tests.support.waiting import eventually_now


def test_a_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "trust" / "token"
    first, second = HomeToken(file).value(), HomeToken(file).value()

    assert first == second == file.read_bytes().strip()
    assert len(first) >= TOKEN_BYTES
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_two_homes_have_different_tokens(tmp_path: Path) -> None:
    one, other = HomeToken(tmp_path / "one"), HomeToken(tmp_path / "other")

    assert one.value() != other.value()
    assert not one.admits(other.value())


@pytest.mark.parametrize("bearer", [b"", b"x", b"\xff\xfe", b"a" * 10_000])
def test_nothing_but_the_token_is_admitted(tmp_path: Path, bearer: bytes) -> None:
    token = HomeToken(tmp_path / "token")

    assert not token.admits(bearer)
    assert not token.admits(token.value() + bearer + b"x")
    assert token.admits(token.value())


def test_a_token_that_was_replaced_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = HomeToken(file)
    old = token.value()
    other = tmp_path / "new"
    other.write_bytes(b"n" * 43)
    os.replace(other, file)

    assert eventually_now(lambda: token.admits(b"n" * 43))
    assert not token.admits(old)


def test_a_token_that_could_be_guessed_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"short\n")

    with pytest.raises(NotSignedIn, match="5 characters"):
        HomeToken(file).value()
    with pytest.raises(NotSignedIn):
        HomeToken(file).admits(b"short")


def test_a_bearer_passes_and_a_session_passes_for_our_own_page(tmp_path: Path) -> None:
    token = HomeToken(tmp_path / "token")
    bearer = {b"authorization": b"bearer  " + token.value()}
    cookie = f"a=b; {token.cookie}={token.new_session()}".encode()
    ours = {b"cookie": cookie, b"sec-fetch-site": b"same-origin"}

    assert token.refusal("POST", "http", bearer) is None
    assert token.refusal("POST", "http", ours) is None
    assert token.refusal("GET", "http", {b"cookie": cookie}) is None


@pytest.mark.parametrize(
    ("noted", "code"),
    [
        ({}, "not_signed_in"),
        ({b"cookie": b"other=1"}, "not_signed_in"),
        ({b"cookie": b"somnus_session=99999999999.00"}, "not_signed_in"),
        ({b"authorization": b"Basic abc"}, "not_signed_in"),
        ({b"authorization": b""}, "not_signed_in"),
    ],
)
def test_everybody_else_is_told_how_to_sign_in(tmp_path: Path, noted: dict[bytes, bytes], code: str) -> None:
    refusal = HomeToken(tmp_path / "token").refusal("GET", "http", noted)

    assert refusal is not None
    assert (refusal.status, refusal.code) == (401, code)
    assert "Authorization: Bearer" in refusal.remedy


def test_two_homes_on_one_machine_keep_two_cookies(tmp_path: Path) -> None:
    one, again, other = (HomeToken(tmp_path / name / "token") for name in ("one", "one", "other"))

    assert one.cookie == again.cookie != other.cookie
    assert one.cookie.removeprefix("somnus_session_").isalnum()
    assert len(one.cookie) == len("somnus_session_") + 8


def test_a_wrong_authorization_is_not_saved_by_a_right_cookie(tmp_path: Path) -> None:
    token = HomeToken(tmp_path / "token")
    noted = {b"authorization": b"Bearer wrong", b"cookie": f"{token.cookie}={token.new_session()}".encode()}
    refusal = token.refusal("GET", "http", noted)

    assert refusal is not None
    assert refusal.status == 401
