"""Where a plugin may send the browser of a person."""

from __future__ import annotations

from typing import Any

import pytest

from somnus_plugins.errors import InvalidResult
from somnus_plugins.web.redirects import check_redirect, leads_astray

ROOT = "/plugins/notes"


def scope(path: str = "/plugins/notes/a/b", host: bytes = b"localhost:8765", **more: Any) -> dict[str, Any]:
    return {"scheme": "http", "path": path, "headers": [(b"host", host)], **more}


@pytest.mark.parametrize(
    "location",
    [
        "/plugins/notes",
        "/plugins/notes/",
        "/plugins/notes/x?next=/plugins/other",
        "/plugins/%6Eotes/x",
        "c",
        "./c",
        "../c",
        "?page=2",
        "#top",
        "",
        "http://localhost:8765/plugins/notes/x",
        "//localhost:8765/plugins/notes/x",
        "https://example.org/plugins/other",
        "//example.org/api/v1/status",
        "http://localhost:9999/x",
        "http://[::1]:8765/x",
        "mailto:a@example.org",
    ],
)
def test_its_own_paths_and_other_sites_are_fine(location: str) -> None:
    assert not leads_astray(location, scope(), ROOT)
    assert not leads_astray(f" {location}\t", scope(), ROOT)


@pytest.mark.parametrize(
    "location",
    [
        "/",
        "/plugins/other/tools/x",
        "/plugins/notes2",
        "/PLUGINS/notes",
        "/api/v1/status",
        "../../other",
        "/plugins/notes/../other",
        "/plugins/notes/%2e%2E/other",
        "/plugins/notes/.%2e/other",
        "/plugins/notes/..%2fother",
        "/plugins/other//../notes",
        "..//../../notes2",
        "\\plugins\\other",
        "/plug\tins/other",
        "/plugins/notes/.\t./other",
        "\x00/plugins/other",
        "http:/plugins/other",
        "http:plugins",
        "https:/plugins/other",
        "http://localhost:8765/plugins/other",
        "HTTP://LOCALHOST:8765/plugins/other",
        "https://localhost:8765/api",
        "http:\\\\localhost:8765/api",
        "///localhost:8765/api",
        "http:////localhost:8765/api",
        "http://user@localhost:8765/api",
        "http://local%68ost:8765/api",
        "http://\uff4cocalhost:8765/api",
        "http://localhost.:8765/api",
        "http://localhost:08765/api",
        "http://127.1:8765/api",
        "http://0x7f000001:8765/api",
        "http://2130706433:8765/api",
        "http://[::1",
        "http://localhost:8765",
    ],
)
def test_everything_else_of_this_server_is_not(location: str) -> None:
    assert leads_astray(location, scope(), ROOT)
    assert leads_astray(location + "#x", scope(), ROOT)


@pytest.mark.parametrize(
    ("host", "location"),
    [
        (b"app.example.org", "https://app.example.org/api"),
        (b"app.example.org", "https://app.example.org:443/api"),
        (b"app.example.org:443", "https://APP.example.org/api"),
        (b"127.0.0.1:80", "http://127.0.0.1/api"),
        (b"[::1]:8765", "http://[0:0::1]:8765/api"),
    ],
)
def test_the_same_server_is_known_by_all_its_spellings(host: bytes, location: str) -> None:
    assert leads_astray(location, scope(host=host), ROOT)
    assert not leads_astray(location, scope(host=b"else.example.org"), ROOT)


def test_what_is_relative_stands_below_the_path_as_the_browser_wrote_it() -> None:
    written = scope("/plugins/notes/a/b/c", raw_path=b"/plugins/notes/a%2Fb%2Fc")

    assert leads_astray("../other/x", written, ROOT)
    assert not leads_astray("../other/x", scope("/plugins/notes/a/b/c"), ROOT)


def test_the_refusal_says_what_is_allowed() -> None:
    with pytest.raises(InvalidResult, match="below /plugins/notes and other sites"):
        check_redirect([(b"x", b"1"), (b"location", b"/api")], scope(), ROOT)
    check_redirect([(b"location", b"c"), (b"x-location", b"/api")], scope(), ROOT)
    with pytest.raises(InvalidResult):
        check_redirect([(b"location", b"c"), (b"location", b"/api")], scope(), ROOT)
