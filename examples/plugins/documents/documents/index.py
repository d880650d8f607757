"""The index: a SQLite database with full-text search, kept in step with a folder.

Every method opens a connection of its own, so that each may be called from any thread; readers see the last complete
state while a refresh writes (write-ahead log).
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, NamedTuple

from documents.passages import split

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS places (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents (id),
    line INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS places_by_document ON places (document);
CREATE VIRTUAL TABLE IF NOT EXISTS passages USING fts5 (
    title, heading, body, tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3'
);
"""
"""A row of `passages` and the row of `places` with the same id are one passage."""

SEARCH = """
SELECT documents.path, documents.title, passages.heading, places.line,
       snippet(passages, 2, char(2), char(3), ' … ', 32), -bm25(passages, 4.0, 2.0, 1.0)
FROM passages
JOIN places ON places.id = passages.rowid
JOIN documents ON documents.id = places.document
WHERE passages MATCH ?
ORDER BY bm25(passages, 4.0, 2.0, 1.0)
LIMIT ?
"""
"""A word counts four times as much in the title and twice as much in a heading as in the text."""

WORDS_MAX = 24
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
FOUND, ENDS = "\x02", "\x03"
"""Around each word that was looked for; no text that is indexed holds them."""

Action = Literal["added", "changed", "removed", "skipped"]


@dataclass(frozen=True, slots=True)
class Match:
    """A passage that was found."""

    path: str
    title: str
    heading: str
    line: int
    snippet: str
    """With `FOUND` before and `ENDS` behind each word that was looked for."""
    score: float


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of the index."""

    path: str
    title: str
    size: int
    mtime_ns: int


class Step(NamedTuple):
    """How far a refresh has come, and what it has just done."""

    done: int
    total: int
    path: str
    action: Action | None
    """None where the document was as it is in the index."""
    reason: str = ""
    """Why it was skipped."""


class Index:
    """The documents of one folder.

    Args:
        file: The database.
        folder: What is indexed, with everything below it.
        patterns: Names of files to index, as in a shell.
        max_bytes: Larger files are skipped.
    """

    def __init__(self, file: Path, folder: Path, patterns: tuple[str, ...], max_bytes: int) -> None:
        self._file = file
        self._folder = folder.resolve()
        self._patterns = patterns
        self._max_bytes = max_bytes
        self._refreshing = threading.Lock()
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)
            self._forget_other_folder(database)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            database.execute("PRAGMA synchronous = NORMAL")
            yield database

    def _forget_other_folder(self, database: sqlite3.Connection) -> None:
        """Begin anew where the index is one of another folder: a path there may mean another file here."""
        known = database.execute("SELECT value FROM facts WHERE name = 'folder'").fetchone()
        if known is None or known[0] != str(self._folder):
            for table in ("passages", "places", "documents"):
                database.execute(f"DELETE FROM {table}")
            database.execute("INSERT OR REPLACE INTO facts VALUES ('folder', ?)", [str(self._folder)])

    # -- keeping in step ---------------------------------------------------------------------------------------------

    def refresh(self) -> Iterator[Step]:
        """Bring the index in step with the folder, one document at a time.

        Only files with another size or time than in the index are read, and only those with another content are
        indexed anew. What has been done stays done where the iterator is closed early.

        Raises:
            BlockingIOError: Another refresh is under way.
            NotADirectoryError: The folder is not there. The index stays as it is: a disk that is not mounted is no
                reason to forget everything.
        """
        if not self._folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "the folder is not there", str(self._folder))
        if not self._refreshing.acquire(blocking=False):
            raise BlockingIOError("another refresh is under way")
        try:
            yield from self._refresh()
        finally:
            self._refreshing.release()

    def _refresh(self) -> Iterator[Step]:
        with self._open() as database:
            rows = database.execute("SELECT path, size, mtime_ns FROM documents")
            known = {path: (size, mtime_ns) for path, size, mtime_ns in rows}
        there = dict(self._files())
        gone = sorted(known.keys() - there.keys())
        total = len(there) + len(gone)
        for done, (path, status) in enumerate(sorted(there.items()), 1):
            same = known.get(path) == (status.st_size, status.st_mtime_ns)
            action, reason = (None, "") if same else self._take(path, status)
            yield Step(done, total, path, action, reason)
        for done, path in enumerate(gone, len(there) + 1):
            with self._open() as database:
                _remove(database, path)
            yield Step(done, total, path, "removed")
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES ('refreshed_s', ?)", [str(time.time())])

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Path below the folder and status of every file to index. Links are not followed: they may lead anywhere."""
        for here, folders, names in os.walk(self._folder):
            folders[:] = [each for each in folders if not each.startswith(".") and each not in SKIPPED_FOLDERS]
            for name in names:
                if any(fnmatch(name, each) for each in self._patterns):
                    yield from self._regular(Path(here, name))

    def _regular(self, file: Path) -> Iterator[tuple[str, os.stat_result]]:
        try:
            status = file.lstat()
            str(file).encode()
        except (OSError, UnicodeEncodeError):  # gone meanwhile, or a name that is no text, as Linux allows
            return
        if stat.S_ISREG(status.st_mode):
            yield file.relative_to(self._folder).as_posix(), status

    def _take(self, path: str, status: os.stat_result) -> tuple[Action | None, str]:
        """Read one file and index it, where its content is not what is indexed."""
        text, reason = self._read(path, status)
        with self._open() as database:
            known = database.execute("SELECT digest FROM documents WHERE path = ?", [path]).fetchone()
            if reason:
                _remove(database, path)
                return "skipped", reason
            digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if known is not None and known[0] == digest:
                database.execute(
                    "UPDATE documents SET size = ?, mtime_ns = ? WHERE path = ?",
                    [status.st_size, status.st_mtime_ns, path],
                )
                return None, ""
            _remove(database, path)
            _add(database, path, text, status, digest)
            return ("added" if known is None else "changed"), ""

    def _read(self, path: str, status: os.stat_result) -> tuple[str, str]:
        """The text of a file, or why it is not indexed."""
        if status.st_size > self._max_bytes:
            return "", f"it has {status.st_size:,} bytes; at most {self._max_bytes:,} are indexed"
        try:
            data = self._content(path)
        except OSError as error:
            return "", f"it cannot be read: {error.strerror}"
        if b"\0" in data:
            return "", "it is no text"
        return data.decode("utf-8", "replace").replace(FOUND, " ").replace(ENDS, " "), ""

    # -- looking -----------------------------------------------------------------------------------------------------

    def search(self, query: str, limit: int) -> list[Match]:
        """The best passages, best first.

        All words of the query must be there, or words that begin so; where no passage has them all, those with some of
        them are found. Whatever else is in the query is ignored: it has no syntax.
        """
        words = [f'"{word}"*' for word in re.findall(r"\w+", query)[:WORDS_MAX]]
        with self._open() as database:
            for joint in (" AND ", " OR "):
                rows = database.execute(SEARCH, [joint.join(words), limit]).fetchall() if words else []
                if rows:
                    return [Match(*row) for row in rows]
        return []

    def documents(self) -> list[Listed]:
        """Every document, by path."""
        with self._open() as database:
            rows = database.execute("SELECT path, title, size, mtime_ns FROM documents ORDER BY path")
            return [Listed(*row) for row in rows]

    def find(self, path: str) -> Listed | None:
        """One document, or None where the index has none of this path."""
        with self._open() as database:
            row = database.execute("SELECT path, title, size, mtime_ns FROM documents WHERE path = ?", [path])
            found = row.fetchone()
        return None if found is None else Listed(*found)

    def text(self, document: Listed) -> str:
        """What a document says now.

        Raises:
            OSError: It cannot be read, or leads out of the folder now.
        """
        return self._content(document.path).decode("utf-8", "replace")

    def _content(self, path: str) -> bytes:
        file = (self._folder / path).resolve(strict=True)
        if not file.is_relative_to(self._folder):
            raise PermissionError(errno.EPERM, "it leads out of the folder")
        with file.open("rb") as source:
            return source.read(self._max_bytes)

    def count(self) -> tuple[int, int, int, float | None]:
        """Documents, passages, bytes of all documents, and when the folder was last looked through (Unix seconds)."""
        with self._open() as database:
            documents, size = database.execute("SELECT count(*), coalesce(sum(size), 0) FROM documents").fetchone()
            (passages,) = database.execute("SELECT count(*) FROM places").fetchone()
            refreshed = database.execute("SELECT value FROM facts WHERE name = 'refreshed_s'").fetchone()
        return documents, passages, size, None if refreshed is None else float(refreshed[0])


def _add(database: sqlite3.Connection, path: str, text: str, status: os.stat_result, digest: bytes) -> None:
    title, passages = split(path, text)
    document = database.execute(
        "INSERT INTO documents (path, title, size, mtime_ns, digest) VALUES (?, ?, ?, ?, ?)",
        [path, title, status.st_size, status.st_mtime_ns, digest],
    ).lastrowid
    for passage in passages:
        place = database.execute("INSERT INTO places (document, line) VALUES (?, ?)", [document, passage.line])
        database.execute(
            "INSERT INTO passages (rowid, title, heading, body) VALUES (?, ?, ?, ?)",
            [place.lastrowid, title, passage.heading, passage.text],
        )


def _remove(database: sqlite3.Connection, path: str) -> None:
    of_it = "(SELECT id FROM documents WHERE path = ?)"
    places = f"(SELECT id FROM places WHERE document IN {of_it})"
    database.execute(f"DELETE FROM passages WHERE rowid IN {places}", [path])
    database.execute(f"DELETE FROM places WHERE document IN {of_it}", [path])
    database.execute("DELETE FROM documents WHERE path = ?", [path])
