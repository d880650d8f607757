"""What plugins write: only ever text, bounded, counted, and attributed to them."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from somnus_plugins.runtime.logs import LogBook, LogLine, LogPipe, escaped
from somnus_plugins.settings import LogSettings
from somnus_plugins.worker.log_lines import MARK, LineHandler
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

SETTINGS = LogSettings(burst_lines=50, lines_per_s=1, line_max_chars=100, recent_lines=1000)


def book_of(file: Path | None = None, **limits: Any) -> LogBook:
    facts = {name: getattr(SETTINGS, name) for name in LogSettings.__slots__}
    return LogBook("local/noisy", file, LogSettings(**(facts | limits)))


def texts(book: LogBook) -> list[str]:
    return [line.message for line in book.recent()]


def record(**fields: Any) -> bytes:
    return f"{MARK}{json.dumps(fields)}".encode()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"plain", "plain"),
        ("grüße 🌙".encode(), "grüße 🌙"),
        (b"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        (b"real\rforged", "real\\x0dforged"),
        (b"bell\x07back\x08", "bell\\x07back\\x08"),
        (b"\x9b31mC1", "\\x9b31mC1"),
        ("a\u202eb\u2066c".encode(), "a\\u202eb\\u2066c"),
        ("line\u2028sep\u0085nel".encode(), "line\\u2028sep\\x85nel"),
        ("tag\U000e0001".encode(), "tag\\U000e0001"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"null\x00", "null\\x00"),
        (b"tab\there", "tab\there"),
    ],
)
def test_control_characters_are_written_out(written: bytes, kept: str) -> None:
    book = book_of()
    book.write([written], "stdout", 3)

    (line,) = book.recent()
    assert line.message == kept
    assert (line.plugin, line.generation, line.stream) == ("local/noisy", 3, "stdout")


@given(st.text())
def test_what_is_escaped_is_printable_and_stays_so(text: str) -> None:
    written = escaped(text)

    assert written.replace("\n", "").replace("\t", "").isprintable()
    assert escaped(written) == written


def test_a_log_record_keeps_its_level_and_logger() -> None:
    book = book_of()
    book.write([record(level="ERROR", logger="a.b", message="fire\nhere")], "stderr", 1)

    (line,) = book.recent()
    assert (line.stream, line.level, line.logger, line.message) == ("log", "ERROR", "a.b", "fire\nhere")


@pytest.mark.parametrize(
    "written",
    [
        record(level="host", logger="\x1b[0m", message="\x1b[2J"),
        record(level=["x"], logger={"a": 1}, message=None, stream="host", plugin="local/other", time_s=0),
        record(message="\ud800"),
        record(message=["deep"] * 50),
        MARK.encode() + b"[" * 90_000,
        MARK.encode() + b'{"message": ' + b"9" * 5_000 + b"}",
        MARK.encode() + b'"text"',
        MARK.encode() + b"{",
        MARK.encode(),
    ],
)
def test_a_forged_record_forges_only_its_own_log(written: bytes) -> None:
    book = book_of()
    book.write([written], "stderr", 2)

    (line,) = book.recent()
    assert (line.plugin, line.generation) == ("local/noisy", 2)
    assert line.stream in ("log", "stderr")
    assert line.level in ("", "INFO")
    assert (line.message + line.logger).replace("\n", "").replace("\t", "").isprintable()


def test_a_record_on_standard_output_is_only_text() -> None:
    book = book_of()
    book.write([record(level="ERROR", message="x")], "stdout", 1)

    assert book.recent()[0].stream == "stdout"
    assert book.recent()[0].message.startswith("\\x1e{")


def test_long_lines_are_cut_and_the_rest_is_counted() -> None:
    book = book_of()
    book.write([b"x" * 250, b"y" * 100], "stdout", 1)

    assert texts(book) == ["x" * 100 + "… (150 more characters)", "y" * 100]
    assert book.dropped == 0


def test_a_flood_is_dropped_counted_and_the_count_is_told() -> None:
    book = book_of()
    book.write([b"spam"] * 1_000, "stdout", 1)
    assert (len(book.recent()), book.dropped) == (50, 950)

    book.settle(1)
    book.settle(1)

    assert texts(book)[-1] == "950 lines dropped: too many"
    assert [line.stream for line in book.recent()].count("host") == 1
    book.note("a word of the host's is never dropped")
    assert len(book.recent()) == 52


def test_the_newest_lines_are_kept_and_told_to_who_listens() -> None:
    book, heard = book_of(recent_lines=10), []
    stop = book.listen(lambda line: heard.append(line.message))
    book.write([b"%d" % number for number in range(20)], "stdout", 1)
    stop()
    book.note("unheard")

    assert texts(book) == [*map(str, range(11, 20)), "unheard"]
    assert heard == [str(number) for number in range(20)]
    assert [line.message for line in book.recent(2)] == ["19", "unheard"]
    assert book.recent(0) == []


def test_a_file_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "local" / "noisy.jsonl"
    book = book_of(file, file_max_bytes=64 * 1024, files=2, burst_lines=1_000_000)
    for _ in range(60):
        book.write([b"z" * 100] * 30, "stdout", 1)

    assert sorted(os.listdir(file.parent)) == ["noisy.jsonl", "noisy.jsonl.1", "noisy.jsonl.2"]
    assert all(each.stat().st_size < 80 * 1024 for each in file.parent.iterdir())
    lines = (file.parent / "noisy.jsonl.1").read_text().splitlines()
    assert json.loads(lines[0])["plugin"] == "local/noisy"


def test_a_file_that_cannot_be_written_keeps_the_lines_in_memory(tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    book = book_of(tmp_path / "blocked" / "noisy.jsonl")

    book.write([b"one", b"two"], "stdout", 1)

    assert texts(book) == ["one", "two"]
    assert book.dropped == 2


FULL = """
import sys
from pathlib import Path
from somnus_plugins.runtime.logs import LogBook
from somnus_plugins.settings import LogSettings
book = LogBook("a/b", Path(sys.argv[1]), LogSettings())
book.write([b"x" * 100] * 500, "stdout", 1)
print(len(book.recent()), book.dropped > 0)
"""


def test_a_full_disk_takes_nobody_down(tmp_path: Path) -> None:
    limit = (4096, 4096)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "full.jsonl")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["500", "True"], done.stderr
    assert (tmp_path / "full.jsonl").stat().st_size <= 4096


async def piped(book: LogBook) -> tuple[LogPipe, int]:
    reading, writing = os.pipe()
    pipe = LogPipe(reading, "stderr", SETTINGS)
    pipe.attach(book, 4)
    return pipe, writing


async def test_a_pipe_is_read_line_by_line_to_its_last_words() -> None:
    book = book_of()
    pipe, writing = await piped(book)
    os.write(writing, b"first\nsec")
    await eventually(lambda: texts(book) == ["first"])
    os.write(writing, b"ond\nlast words")
    os.close(writing)
    await eventually(lambda: len(texts(book)) == 2)
    pipe.close()
    pipe.close()

    assert texts(book) == ["first", "second", "last words"]
    assert {line.generation for line in book.recent()} == {4}


async def test_a_line_without_an_end_is_bounded() -> None:
    book = book_of()
    pipe, writing = await piped(book)
    for number in range(20):
        os.write(writing, b"a" * 1_000)
        await eventually(lambda number=number: len(book.recent()) == number + 1)
    os.close(writing)
    pipe.close()

    assert all(len(line.message) < 140 for line in book.recent())
    assert "more characters" in texts(book)[0]


async def test_the_handler_writes_one_line_for_each_record() -> None:
    book = book_of()
    pipe, writing = await piped(book)
    logger = logging.Logger("my.logger")
    logger.addHandler(LineHandler(writing))
    try:
        raise ValueError("inside")
    except ValueError:
        logger.exception("two\nlines %s", 5)
    logger.warning("plain")
    os.close(writing)
    await eventually(lambda: len(book.recent()) == 2)
    pipe.close()

    first, second = book.recent()
    assert first.message.startswith("two\nlines 5\nTraceback")
    assert (first.level, first.logger, second.level, second.message) == ("ERROR", "my.logger", "WARNING", "plain")
    assert isinstance(second, LogLine)


async def test_after_a_flood_its_size_is_told_though_nothing_follows() -> None:
    book = book_of(burst_lines=3)
    pipe, writing = await piped(book)
    os.write(writing, b"spam\n" * 100)

    await eventually(lambda: texts(book)[-1:] == ["97 lines dropped: too many"])

    assert (book.dropped, book.unreported) == (97, 0)
    os.close(writing)
    pipe.close()


def test_only_the_owner_may_read_what_is_kept_and_no_link_is_followed(tmp_path: Path) -> None:
    book, target = book_of(tmp_path / "logs" / "local" / "noisy.jsonl"), tmp_path / "elsewhere"
    before = os.umask(0)
    try:
        book.note("hello")
    finally:
        os.umask(before)
    (tmp_path / "link.jsonl").symlink_to(target)
    linked = book_of(tmp_path / "link.jsonl")
    linked.note("astray")

    places = [tmp_path / "logs", tmp_path / "logs" / "local", tmp_path / "logs" / "local" / "noisy.jsonl"]
    assert [each.stat().st_mode & 0o777 for each in places] == [0o700, 0o700, 0o600]
    assert not target.exists()
    assert (linked.dropped, texts(linked)) == (1, ["astray"])
