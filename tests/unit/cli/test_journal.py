"""Logs, read from their files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from somnus_plugins.cli import journal
from somnus_plugins.errors import UnknownPlugin, UsageError
from somnus_plugins.host.home import Home
from somnus_plugins.runtime.logs import LogLine


def line(message: str, **fields: object) -> LogLine:
    given = {"time_s": 1.0, "plugin": "somnus/notes", "generation": 1, "stream": "stdout", "message": message}
    return msgspec.convert(given | fields, LogLine)


def append(file: Path, *messages: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as target:
        for each in messages:
            target.write(msgspec.json.encode(line(each)) + b"\n")


def messages(lines: object) -> list[str]:
    return [each.message for each in lines]  # type: ignore[attr-defined]  # an iterable of lines


@pytest.mark.parametrize("name", ["somnus/notes", "n", "notes"])
def test_a_log_is_found_by_id_mount_and_name(home: Path, name: str) -> None:
    assert journal.log_file(Home(home), name) == home / "logs" / "somnus" / "notes.jsonl"
    assert not journal.log_file(Home(home), name).exists()


def test_the_log_of_an_uninstalled_plugin_is_found_by_its_id(home: Path) -> None:
    append(home / "logs" / "old" / "one.jsonl", "last words")

    assert messages(journal.newest(journal.log_file(Home(home), "old/one"), 9)) == ["last words"]
    with pytest.raises(UnknownPlugin, match="no plugin 'old/two' is installed; installed are: n"):
        journal.log_file(Home(home), "old/two")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../b", "/", "x/"])
def test_a_name_that_is_no_id_leads_nowhere(home: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        journal.log_file(Home(home), name)

    assert caught.value.exit_code == 2


def test_the_newest_lines_come_from_the_rotated_files_too(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    append(tmp_path / "log.jsonl.2", "1", "2")
    append(tmp_path / "log.jsonl.1", "3", "4")
    append(file, "5", "6")

    assert messages(journal.newest(file, 3)) == ["4", "5", "6"]
    assert messages(journal.newest(file, 99)) == ["1", "2", "3", "4", "5", "6"]
    assert journal.newest(file, 0) == []
    assert journal.newest(tmp_path / "none", 5) == []


def test_a_broken_line_does_not_hide_the_others(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    append(file, "one")
    with file.open("ab") as target:
        target.write(b'{"time_s": \n\xff\xfe\n[]\n')
    append(file, "two")

    assert messages(journal.newest(file, 9)) == ["one", "two"]


def test_a_tail_gives_each_new_line_once(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    append(file, "old", "older")
    tail = journal.Tail(file)

    assert messages(tail.first(1)) == ["older"]
    assert messages(tail.lines()) == []
    append(file, "new")
    assert messages(tail.lines()) == ["new"]
    assert messages(tail.lines()) == []
    tail.close()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    encoded = msgspec.json.encode(line("whole"))
    file.write_bytes(encoded[:20])
    tail = journal.Tail(file)

    assert messages(tail.lines()) == []
    with file.open("ab") as target:
        target.write(encoded[20:] + b"\n")
    assert messages(tail.lines()) == ["whole"]
    tail.close()


def test_a_tail_follows_a_log_that_is_rotated(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    append(file, "old")
    tail = journal.Tail(file, from_end=True)
    append(file, "before")
    file.rename(tmp_path / "log.jsonl.1")
    append(file, "after")

    assert messages(tail.lines()) == ["before", "after"]
    tail.close()


def test_a_tail_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    tail = journal.Tail(file)

    assert messages(tail.lines()) == []
    assert tail.first(3) == []
    append(file, "first")
    assert messages(tail.lines()) == ["first"]
    tail.close()


def test_the_first_lines_of_a_tail_reach_into_the_rotated_files(tmp_path: Path) -> None:
    append(tmp_path / "log.jsonl.1", "1", "2")
    append(tmp_path / "log.jsonl", "3")
    tail = journal.Tail(tmp_path / "log.jsonl")

    assert messages(tail.first(2)) == ["2", "3"]
    assert messages(tail.lines()) == []
    tail.close()


def test_no_message_can_pass_for_a_line_of_its_own() -> None:
    shown = journal.shown(line("real\n12:00:00 ERROR   somnus: forged", level="INFO", stream="log")).plain

    first, second = shown.splitlines()
    assert first.endswith("INFO    log: real")
    assert second.startswith("         │ 12:00:00 ERROR")


def test_a_line_says_when_who_and_what_without_control_characters() -> None:
    shown = journal.shown(line("\x1b[2J", stream="log", level="WARNING", logger="a\x07\nb"))

    assert shown.plain.endswith("WARNING a\\x07 b: \\x1b[2J")
    assert journal.shown(line("x", stream="host")).plain.endswith("somnus: x")
    assert journal.shown(line("x")).plain.endswith("stdout: x")
