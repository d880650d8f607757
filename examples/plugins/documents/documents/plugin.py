"""The plugin: tools, routes and the schedule over the index."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, DirectoryPath, Field

from documents.index import ENDS, FOUND, Action, Index, Listed, Step
from documents.page import documents_page
from somnus_plugins.sdk import Call, Plugin, TemporaryError, ToolError, every, get, post, tool

Query = Annotated[str, Field(min_length=1, max_length=500, description="Words to look for; also beginnings of words.")]
Limit = Annotated[int, Field(ge=1, le=50, description="At most so many hits.")]


class Settings(BaseModel):
    """What a person sets; the folder is what the plugin may read."""

    folder: DirectoryPath = Field(description="Folder whose documents are indexed, with everything below it.")
    patterns: tuple[str, ...] = Field(
        ("*.md", "*.markdown", "*.txt", "*.rst"), description="Names of files to index, as in a shell."
    )
    max_file_kb: int = Field(1024, ge=1, le=65_536, description="Larger files are skipped, in KiB.")


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage that was found."""

    path: str
    title: str
    heading: str
    """The headings above it, outermost first."""
    line: int
    snippet: str
    """The part of it where the words are; each of them between `**`."""
    score: float
    """Higher is better; only comparable within one search."""


@dataclass(frozen=True, slots=True)
class Document:
    """What stands in the index about a document."""

    path: str
    title: str
    size_bytes: int
    modified_s: float
    """Seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a document's text."""

    path: str
    title: str
    text: str
    offset: int
    total_chars: int
    next_offset: int | None
    """Where to go on; null at the end."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a refresh did with one document."""

    path: str
    action: Action
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stats:
    """How much there is."""

    folder: str
    documents: int
    passages: int
    size_bytes: int
    refreshed_s: float | None
    """When the folder was last looked through, in seconds since the Unix epoch."""


class Documents(Plugin):
    """Search a folder of text and Markdown files by words, ranked, with snippets.

    Methods without `async` run in threads: they use SQLite and the disk, which would block the event loop.
    """

    config: Settings

    def __init__(self) -> None:
        self._index = Index(
            self.data / "index.db", self.config.folder, self.config.patterns, self.config.max_file_kb * 1024
        )

    async def on_prepare(self) -> None:
        """Bring the index in step before the first call; a reload does it while the old instance still answers."""
        await asyncio.to_thread(self.refresh)

    @every("5m")
    def refresh(self) -> None:
        """Bring the index in step with the folder, unless somebody is at it already."""
        try:
            changes = sum(step.action not in (None, "skipped") for step in self._index.refresh())
        except BlockingIOError:
            return
        self.log.info("%d documents have changed", changes)

    # -- searching ---------------------------------------------------------------------------------------------------

    @tool(read_only=True, idempotent=True)
    @get("/search")
    def search(self, query: Query, limit: Limit = 10) -> list[Hit]:
        """Find passages by words, best first.

        All words count, whatever their order or form; words in titles and headings count more. Use `read` with a
        hit's path for the whole text.
        """
        return [
            Hit(
                path=match.path,
                title=match.title,
                heading=match.heading,
                line=match.line,
                snippet=match.snippet.replace(FOUND, "**").replace(ENDS, "**"),
                score=match.score,
            )
            for match in self._index.search(query, limit)
        ]

    @tool(read_only=True, idempotent=True)
    @get("/documents/{path:path}")
    def read(
        self,
        path: Annotated[str, Field(description="As in a hit.")],
        offset: Annotated[int, Field(ge=0, description="Characters to leave out at the beginning.")] = 0,
        limit: Annotated[int, Field(ge=1, le=100_000, description="At most so many characters.")] = 20_000,
    ) -> Excerpt:
        """Read a document of the index, from `offset` on."""
        document = self._index.find(path)
        if document is None:
            raise ToolError(f"{path!r} is not in the index; `search` gives the paths of those that are")
        try:
            text = self._index.text(document)
        except OSError as error:
            raise ToolError(f"{path!r} cannot be read any more: {error.strerror}") from error
        end = min(len(text), offset + limit)
        return Excerpt(path, document.title, text[offset:end], offset, len(text), end if end < len(text) else None)

    @tool(read_only=True, idempotent=True)
    def stats(self) -> Stats:
        """How many documents and passages are indexed, and when the folder was last looked through."""
        return Stats(str(self.config.folder), *self._index.count())

    @get("/documents")
    def documents(self) -> list[Document]:
        """Every document of the index."""
        return [_listed(each) for each in self._index.documents()]

    # -- reindexing --------------------------------------------------------------------------------------------------

    @tool(idempotent=True, timeout_s=600)
    def reindex(self, call: Call) -> Iterator[Change]:
        """Look through the folder now; gives every document that was added, changed, removed or skipped."""
        for step in self._steps():
            self.wait(call.progress(step.done, step.total, step.path))
            if step.action is not None:
                yield Change(step.path, step.action, step.reason)

    @post("/reindex")
    def reindex_lines(self) -> StreamingResponse:
        """The same as a stream of JSON lines, one for every document that was looked at."""
        return StreamingResponse(
            (json.dumps(step._asdict()) + "\n" for step in self._steps()), media_type="application/x-ndjson"
        )

    def _steps(self) -> Iterator[Step]:
        try:
            yield from self._index.refresh()
        except BlockingIOError as error:
            raise TemporaryError("the index is being brought in step already", delay_s=2) from error
        except NotADirectoryError as error:
            raise ToolError(f"{error.filename} is not there") from error

    # -- for people --------------------------------------------------------------------------------------------------

    @get("/", response_class=HTMLResponse, include_in_schema=False)
    def page(self) -> str:
        """A page for people: the documents of the index."""
        return documents_page(self._index.documents(), self.config.folder.name)


def _listed(document: Listed) -> Document:
    return Document(document.path, document.title, document.size, document.mtime_ns / 1e9)
