"""What of an answer reaches a browser."""

from __future__ import annotations

import pytest

from somnus_plugins.errors import InvalidResult
from somnus_plugins.web.outbound import (
    ADDED,
    DROPPED,
    DROPPED_PREFIXES,
    HEADERS_MAX,
    HEADERS_MAX_BYTES,
    SANDBOX_POLICY,
    USUAL,
    handshake_headers,
    outbound_headers,
)

PLAIN = (b"content-type", b"text/plain")


@pytest.mark.parametrize(
    "name",
    [
        b"set-cookie",
        b"Set-Cookie",
        b"access-control-allow-origin",
        b"Access-Control-Allow-Credentials",
        b"service-worker-allowed",
        b"clear-site-data",
        b"strict-transport-security",
        b"public-key-pins",
        b"alt-svc",
        b"nel",
        b"report-to",
        b"refresh",
        b"www-authenticate",
        b"x-accel-redirect",
        b"x-sendfile",
        b"x-somnus-user",
        b"transfer-encoding",
        b"connection",
        b"content-length",
        b"cross-origin-opener-policy",
    ],
)
def test_what_speaks_for_the_origin_is_dropped(name: bytes) -> None:
    found = outbound_headers(200, [PLAIN, (name, b"x")])

    assert found == [PLAIN, *ADDED]


@pytest.mark.parametrize("name", [b"x-mine", b"etag", b"Location", b"content-disposition", b"x-accel-buffering"])
def test_what_concerns_the_answer_is_kept(name: bytes) -> None:
    found = outbound_headers(200, [(name, b"x")])

    assert (name.lower(), b"x") in found
    assert len(found) == 1 + len(ADDED)


def test_every_answer_is_sandboxed_whatever_policy_it_has_of_its_own() -> None:
    found = outbound_headers(200, [(b"Content-Security-Policy", b"sandbox allow-same-origin")])
    policies = [value for name, value in found if name == b"content-security-policy"]

    assert policies == [b"sandbox allow-same-origin", SANDBOX_POLICY]
    assert b"allow-same-origin" not in SANDBOX_POLICY
    assert (b"x-content-type-options", b"nosniff") in found


def test_the_length_is_what_is_sent_and_not_what_was_claimed() -> None:
    found = outbound_headers(200, [(b"content-length", b"99999")], 4)

    assert [value for name, value in found if name == b"content-length"] == [b"4"]
    assert not [name for name, _ in outbound_headers(204, []) if name == b"content-length"]


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, 700, -1])
def test_a_status_that_ends_no_request_is_refused(status: int) -> None:
    with pytest.raises(InvalidResult, match=f"status {status}"):
        outbound_headers(status, [])
    assert outbound_headers(599, [])


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"a\0b", b"a\x1bb", b"a\x7f", b"\x01"])
def test_a_value_that_could_begin_another_header_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidResult, match="control character"):
        outbound_headers(200, [(b"x-mine", value)])
    with pytest.raises(InvalidResult):
        handshake_headers([(b"content-type", value)])


def test_a_value_may_hold_tabs_and_text_of_any_language() -> None:
    found = outbound_headers(200, [(b"x-mine", b"a\tb \xc3\xa4~"), (b"x-empty", b"")])

    assert (b"x-mine", b"a\tb \xc3\xa4~") in found
    assert (b"x-empty", b"") in found


@pytest.mark.parametrize("name", [b"", b"a b", b"a:b", b"a\r\nb", b"\xc3\xa4", b"x" * 300])
def test_a_name_that_is_no_token_is_refused(name: bytes) -> None:
    with pytest.raises(InvalidResult, match="whose name is"):
        outbound_headers(200, [(name, b"x")])
    assert outbound_headers(200, [(b"x-y_z.1", b"x")])


def test_too_many_headers_and_too_large_ones_are_refused() -> None:
    with pytest.raises(InvalidResult, match=str(HEADERS_MAX)):
        outbound_headers(200, [(b"x-%d" % number, b"") for number in range(HEADERS_MAX + 1)])
    with pytest.raises(InvalidResult, match=str(HEADERS_MAX_BYTES)):
        outbound_headers(200, [(b"x-large", b"x" * HEADERS_MAX_BYTES)])


def test_the_tables_do_not_contradict_each_other() -> None:
    assert set() == USUAL & DROPPED
    assert [name for name in USUAL if name.startswith(DROPPED_PREFIXES)] == [b"x-accel-buffering"]
    assert all(name == name.lower() for name in USUAL | DROPPED)
