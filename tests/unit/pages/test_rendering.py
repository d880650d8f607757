"""Templates, headers and assets of our own pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from somnus_plugins.pages.assets import Assets
from somnus_plugins.pages.headers import API_HEADERS, ASSET_HEADERS, page_headers
from somnus_plugins.pages.rendering import STATIC, Pages, ReadyPage


def test_values_are_escaped_and_missing_ones_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>{{ text }}</p>", encoding="utf-8")
    pages = Pages(tmp_path)

    assert pages.render("a.html", text="<script>") == "<p>&lt;script&gt;</p>"
    with pytest.raises(UndefinedError):
        pages.render("a.html")


@pytest.mark.anyio
@pytest.mark.parametrize("ready", [False, True])
async def test_a_page_runs_only_what_carries_its_own_nonce(tmp_path: Path, ready: bool) -> None:
    (tmp_path / "a.html").write_text('<script nonce="{{ nonce }}"></script>', encoding="utf-8")
    policies, bodies = [], []

    async def send(message: Any) -> None:
        if "headers" in message:
            policies.append(dict(message["headers"])[b"content-security-policy"].decode())
        else:
            bodies.append(message["body"].decode())

    page = ReadyPage(Pages(tmp_path), "a.html")
    for _ in range(2):
        await (page.send(send) if ready else Pages(tmp_path).send(send, "a.html"))

    assert policies[0] != policies[1]
    for policy, body in zip(policies, bodies, strict=True):
        nonce = body.split('"')[1]
        assert f"script-src 'nonce-{nonce}'" in policy
        assert "unsafe" not in policy
        assert "'self'" not in policy.split("script-src")[1].split(";")[0]


@pytest.mark.parametrize("headers", [API_HEADERS, ASSET_HEADERS, page_headers("x")], ids=["data", "assets", "pages"])
def test_nothing_of_ours_is_sniffed_or_tells_where_it_was_seen(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert (b"x-content-type-options", b"nosniff") in headers
    assert (b"referrer-policy", b"no-referrer") in headers
    assert len(dict(headers)) == len(headers)


def test_an_assets_name_changes_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("one", encoding="utf-8")
    before = Assets(tmp_path)
    (tmp_path / "a.js").write_text("two", encoding="utf-8")
    after = Assets(tmp_path)
    asset = after.find(after.name("a.js"))

    assert before.name("a.js") != after.name("a.js")
    assert after.find(before.name("a.js")) is None
    assert asset is not None
    assert (asset.body, asset.media_type) == (b"two", b"text/javascript; charset=utf-8")


def test_a_later_directory_replaces_a_file_of_the_same_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.css").write_text(name, encoding="utf-8")
    assets = Assets(tmp_path / "one", tmp_path / "two")
    found = assets.find(assets.name("a.css"))

    assert found is not None
    assert found.body == b"two"
    assert assets.find("../secret") is None


def test_our_own_files_name_no_other_host() -> None:
    texts = [file.read_text(encoding="utf-8") for file in STATIC.iterdir()]
    script = (STATIC.parents[1] / "web" / "static" / "plugins.js").read_text(encoding="utf-8")

    assert len(texts) >= 2
    assert not [text for text in texts if "url(" in text or "@import" in text]
    assert "innerHTML" not in script
    assert "http" not in script.replace("http_", "")
