"""What is written: harmless to a terminal, JSON to a program."""

from __future__ import annotations

import datetime
import io
import json
import time

import pytest
from rich.console import Console

from somnus_plugins.cli import terminal
from somnus_plugins.errors import InvalidResult

HOSTILE = "a\x1b[31mb\x9b2Jc\u202ed\x07e"


def printed(content: object, width: int = 40) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    console.print(content)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_control_characters_are_written_out_and_line_breaks_stay() -> None:
    said = terminal.safe(f"{HOSTILE}\nnext")

    assert said == "a\\x1b[31mb\\x9b2Jc\\u202ed\\x07e\nnext"
    assert said.replace("\n", "").isprintable()


def test_one_line_is_one_line_whatever_it_was() -> None:
    assert terminal.one_line("  a\n\tb\r\nc ") == "a b\\x0d c"
    assert terminal.one_line(3) == "3"


def test_markup_of_strangers_stays_text() -> None:
    assert printed(terminal.text("[red]x[/red] :smile:")) == "[red]x[/red] :smile:\n"


def test_json_holds_no_character_that_acts_and_says_the_same() -> None:
    text = terminal.json_text({"text": HOSTILE, "wide": "\U000e0001", "plain": "ä→"})

    assert text.isprintable()
    assert json.loads(text) == {"text": HOSTILE, "wide": "\U000e0001", "plain": "ä→"}
    assert "ä→" in text


def test_json_for_people_is_indented_and_for_programs_one_line() -> None:
    assert terminal.json_text({"a": [1]}, indented=True).splitlines()[1] == '  "a": ['
    assert terminal.json_text({"a": [1]}) == '{"a":[1]}'


def test_json_writes_bytes_and_moments_as_text() -> None:
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)

    assert json.loads(terminal.json_text([b"ab", moment, float("nan")])) == ["YWI=", "2026-01-02T00:00:00Z", None]


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    assert json.loads(terminal.json_text({"a": "\udc80"})) == {"a": "\udc80"}
    assert terminal.safe("\udc80") == "\\udc80"


def test_what_json_cannot_hold_is_an_error_of_the_result() -> None:
    with pytest.raises(InvalidResult, match="cannot be written as JSON") as caught:
        terminal.json_text({(1, 2): "key"})

    assert "PluginHost.call" in caught.value.remedy


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86_400, "1 d"), (9e6, "104 d")],
)
def test_a_span_of_time_is_one_rounded_number(seconds: float, said: str) -> None:
    assert terminal.ago(seconds) == said
    assert len(terminal.ago(seconds).split()) == 2


def test_the_clock_says_the_date_only_when_it_is_not_today() -> None:
    assert len(terminal.clock(time.time())) == len("12:34:56")
    assert terminal.clock(0).startswith(("1970-01-01", "1969-12-31"))


@pytest.mark.parametrize(("number", "said"), [(0, "0 tools"), (1, "1 tool"), (2, "2 tools")])
def test_nouns_agree_with_their_number(number: int, said: str) -> None:
    assert terminal.count(number, "tool") == said
    assert terminal.count(number, "tool").endswith("s") is (number != 1)


def test_the_last_column_gives_way_on_a_narrow_terminal() -> None:
    table = terminal.columns("name", "about", folded=1)
    table.add_row("documents", "word " * 12)

    lines = printed(table).splitlines()

    assert max(map(len, lines)) <= 40
    assert lines[1].startswith("documents")
    assert len(lines) > 2


def test_fields_without_a_value_are_left_out() -> None:
    shown = printed(terminal.fields([("id", "a/b"), ("tags", ""), ("process", None), ("used", 0)]))

    assert [line.split() for line in shown.splitlines()] == [["id", "a/b"], ["used", "0"]]


def test_each_of_the_five_words_has_a_colour_of_its_own() -> None:
    assert set(terminal.STATE_STYLES) == {"running", "asleep", "needs you", "failed", "off"}
    assert len(set(terminal.STATE_STYLES.values())) == 5
    assert terminal.state("failed").style == "red"


def test_long_json_is_not_coloured() -> None:
    short, long = terminal.coloured('{"a": 1}'), terminal.coloured("1" * (terminal.COLOURED_MAX_CHARS + 1))

    assert getattr(short, "spans", None)
    assert getattr(long, "spans", None) == []
