"""The plugin as its callers see it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from somnus_plugins.errors import InvalidInput, NotReady, ToolError
from somnus_plugins.testing import PluginFactory, PluginUnderTest

# -- searching --------------------------------------------------------------------------------------------------------


async def test_a_search_finds_passages_with_their_place_and_a_snippet(plugin: PluginUnderTest) -> None:
    (hit,) = await plugin.call("search", {"query": "milliseconds"})

    assert (hit["path"], hit["title"], hit["heading"], hit["line"]) == (
        "sleep.md",
        "On sleep",
        "On sleep › Waking",
        10,
    )
    assert "forks a child in **milliseconds**." in hit["snippet"]
    assert hit["score"] > 0


async def test_a_word_in_a_heading_counts_more_than_one_in_the_text(plugin: PluginUnderTest) -> None:
    hits = await plugin.call("search", {"query": "waking"})

    assert [hit["path"] for hit in hits] == ["sleep.md", "below/wire.md"]
    assert hits[0]["score"] > hits[1]["score"]
    assert await plugin.call("search", {"query": "waking", "limit": 1}) == hits[:1]


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("milk", ["below/shopping_list.txt"]),
        ("MILK", ["below/shopping_list.txt"]),
        ("cafe", ["below/shopping_list.txt"]),
        ("forking", ["sleep.md"]),
        ("child zygote", ["sleep.md"]),
        ("milk unheard-of", ["below/shopping_list.txt"]),
        ('"milk" + (', ["below/shopping_list.txt"]),
        ("milk* OR - : ^", ["below/shopping_list.txt"]),
        ("title:wire NEAR(", ["below/wire.md"]),
        ("secret", []),
        ("!?", []),
    ],
)
async def test_a_query_is_words_whatever_else_stands_in_it(
    plugin: PluginUnderTest, query: str, paths: list[str]
) -> None:
    assert [hit["path"] for hit in await plugin.call("search", {"query": query})] == paths


async def test_what_cannot_be_a_query_is_refused(plugin: PluginUnderTest) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        await plugin.call("search", {"query": "milk", "limit": 51})
    with pytest.raises(InvalidInput, match="query"):
        await plugin.call("search", {"query": ""})


# -- reading ----------------------------------------------------------------------------------------------------------


async def test_a_document_is_read_a_part_at_a_time(plugin: PluginUnderTest) -> None:
    path = "below/shopping_list.txt"
    first = await plugin.call("read", {"path": path, "limit": 4})
    rest = await plugin.call("read", {"path": path, "offset": first["next_offset"]})

    assert (first["text"], first["title"], first["total_chars"]) == ("Milk", "shopping list", 33)
    assert rest["text"] == "\nBread\n\nA café at the corner\n"
    assert rest["next_offset"] is None


@pytest.mark.parametrize(
    "path", ["picture.png", ".hidden/secret.md", "../outside.md", "/etc/passwd", "below/../sleep.md", "below", ""]
)
async def test_only_documents_of_the_index_are_read(plugin: PluginUnderTest, folder: Path, path: str) -> None:
    (folder.parent / "outside.md").write_text("outside")

    with pytest.raises(ToolError, match="not in the index"):
        await plugin.call("read", {"path": path})


async def test_a_document_that_has_become_a_link_leads_nowhere(plugin: PluginUnderTest, folder: Path) -> None:
    (folder.parent / "outside.md").write_text("outside")
    (folder / "sleep.md").unlink()
    (folder / "sleep.md").symlink_to(folder.parent / "outside.md")

    with pytest.raises(ToolError, match="leads out of the folder"):
        await plugin.call("read", {"path": "sleep.md"})
    await plugin.run_schedule("refresh")
    with pytest.raises(ToolError, match="not in the index"):
        await plugin.call("read", {"path": "sleep.md"})


# -- keeping in step --------------------------------------------------------------------------------------------------


async def test_reindexing_gives_what_has_changed_and_how_far_it_is(plugin: PluginUnderTest, folder: Path) -> None:
    told: list[tuple[float, float | None, str]] = []
    (folder / "sleep.md").write_text("# Nothing\n\nleft")
    (folder / "below" / "wire.md").unlink()
    (folder / "new.md").write_text("entirely new")
    (folder / "binary.md").write_bytes(b"a\0b")

    changes = [each async for each in plugin.stream("reindex", progress=lambda *each: told.append(each))]

    assert {each["path"]: each["action"] for each in changes} == {
        "sleep.md": "changed",
        "below/wire.md": "removed",
        "new.md": "added",
        "binary.md": "skipped",
    }
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5]
    assert {total for _, total, _ in told} == {5}
    assert [hit["path"] for hit in await plugin.call("search", {"query": "zygote new"})] == ["new.md"]


async def test_a_file_that_was_only_touched_is_not_indexed_anew(plugin: PluginUnderTest, folder: Path) -> None:
    os.utime(folder / "sleep.md", (1, 1))

    assert [each async for each in plugin.stream("reindex")] == []
    documents = (await plugin.http.get("/documents")).json()
    assert next(each for each in documents if each["path"] == "sleep.md")["modified_s"] == 1


async def test_the_index_follows_the_folder_by_schedule_and_when_the_plugin_wakes(
    plugin: PluginUnderTest, folder: Path
) -> None:
    (folder / "one.md").write_text("unicorn")
    await plugin.run_schedule("refresh")
    assert len(await plugin.call("search", {"query": "unicorn"})) == 1

    await plugin.sleep()
    (folder / "two.md").write_text("unicorn")
    assert len(await plugin.call("search", {"query": "unicorn"})) == 2


async def test_another_folder_begins_another_index(
    plugin_factory: PluginFactory, plugin: PluginUnderTest, tmp_path: Path
) -> None:
    before = await plugin.call("stats")
    (tmp_path / "other").mkdir()
    other = plugin_factory(config={"folder": tmp_path / "other"})
    (other.data / "index.db").write_bytes((plugin.data / "index.db").read_bytes())

    assert before["documents"] == 3
    assert (await other.call("stats"))["documents"] == 0


async def test_a_folder_that_is_gone_is_said_and_the_index_kept(plugin: PluginUnderTest, folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))

    with pytest.raises(ToolError, match="is not there"):
        await plugin.call("reindex")
    assert (await plugin.call("stats"))["documents"] == 3


async def test_large_files_are_left_out_with_the_reason(plugin_factory: PluginFactory, folder: Path) -> None:
    plugin = plugin_factory(config={"folder": folder, "max_file_kb": 1, "patterns": ["*.md"]})
    (folder / "large.md").write_text("x" * 1025)
    changes = [each async for each in plugin.stream("reindex")]

    assert [(each["path"], each["action"]) for each in changes] == [("large.md", "skipped")]
    assert "1,025 bytes" in changes[0]["reason"]
    assert (await plugin.call("stats"))["documents"] == 2


async def test_without_a_folder_it_asks_to_be_set_up(plugin_factory: PluginFactory, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="folder"):
        await plugin_factory().start()
    with pytest.raises(NotReady, match="folder"):
        await plugin_factory(config={"folder": tmp_path / "nowhere"}).start()


# -- routes -----------------------------------------------------------------------------------------------------------


async def test_routes_give_what_the_tools_give(plugin: PluginUnderTest) -> None:
    found = await plugin.http.get("/search", params={"query": "milk", "limit": 3})
    read = await plugin.http.get("/documents/below/shopping_list.txt", params={"limit": 4})

    assert found.json() == await plugin.call("search", {"query": "milk", "limit": 3})
    assert read.json()["text"] == "Milk"
    assert (await plugin.http.get("/documents/none.md")).status_code == 422
    assert (await plugin.http.get("/search", params={"query": "x", "limit": 0})).status_code == 422


async def test_the_route_for_reindexing_streams_a_line_for_each_document(plugin: PluginUnderTest, folder: Path) -> None:
    (folder / "new.md").write_text("new")

    async with plugin.http.stream("POST", "/reindex") as answer:
        steps = [json.loads(line) async for line in answer.aiter_lines()]

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [(each["done"], each["total"]) for each in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [each["path"] for each in steps if each["action"] == "added"] == ["new.md"]


async def test_the_page_lists_the_documents_and_lets_none_write_markup(plugin: PluginUnderTest, folder: Path) -> None:
    (folder / "evil.md").write_text("# <script>alert(1)</script>\n\nunicorn\n")
    await plugin.run_schedule("refresh")
    page = (await plugin.http.get("/")).text

    assert "4 documents" in page
    assert "<strong>shopping list</strong> <small>below/shopping_list.txt</small>" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page


async def test_the_page_asks_for_nothing_that_the_sandbox_refuses(plugin: PluginUnderTest) -> None:
    page = (await plugin.http.get("/")).text

    assert "<h1>Documents in folder</h1>" in page
    assert [word for word in ("<form", "href=", "src=", "url(") if word in page] == []


@pytest.mark.plugin(level="process")
async def test_it_does_the_same_in_a_process_of_its_own(plugin: PluginUnderTest) -> None:
    told: list[float] = []
    hits = await plugin.call("search", {"query": "zygote"})
    changes = [each async for each in plugin.stream("reindex", progress=lambda done, total, path: told.append(done))]

    assert [hit["path"] for hit in hits] == ["below/wire.md", "sleep.md"]
    assert changes == []
    assert told == [1, 2, 3]
