"""How problems are collected, worded and raised."""

from __future__ import annotations

import datetime

import pytest

from somnus_plugins.errors import InvalidConfig, InvalidManifest
from somnus_plugins.trust.problems import (
    MESSAGE_MAX_PROBLEMS,
    PROBLEMS_MAX,
    Misfit,
    Place,
    Problem,
    Problems,
    describe,
    key_path,
    nearest,
    printable,
    words,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (2**63, "an integer of more than 64 bits"),
        (-(2**64), "an integer of more than 64 bits"),
        (0.5, "0.5"),
        (float("nan"), "nan"),
        ("text", '"text"'),
        ("", '""'),
        ([1, 2], "a list of 2"),
        ((), "a list of 0"),
        ({"a": 1}, "a table with 1 keys"),
        (datetime.date(2030, 1, 2), "a date"),
    ],
)
def test_every_value_has_a_short_description(value: object, text: str) -> None:
    assert describe(value) == text
    assert describe(value).isprintable()


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202egnp.exe", "a\x00b", "\ud800", "a\nb\rc", "\x9b1m", "\u2028"])
def test_characters_that_act_on_a_terminal_are_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert "\\" in shown
    assert shown.encode("utf-8")


def test_long_text_is_cut_visibly() -> None:
    assert printable("x" * 81).endswith("…")
    assert printable("x" * 80) == "x" * 80
    assert len(describe("x" * 100_000)) < 100


@pytest.mark.parametrize(
    ("segments", "path"),
    [
        (("tool", "somnus"), "tool.somnus"),
        (("", "tool"), "tool"),
        (("a", 0, "b"), "a[0].b"),
        (("a", "b c"), 'a."b c"'),
        (("a", 'q"uote'), 'a."q\\"uote"'),
        (("a", "\x1b"), 'a."\\u001b"'),
        (("a", ""), 'a.""'),
    ],
)
def test_a_key_path_is_unambiguous_and_safe(segments: tuple[str | int, ...], path: str) -> None:
    assert key_path(*segments) == path
    assert key_path(*segments).isprintable()


def test_a_long_key_is_cut_in_the_path() -> None:
    assert len(key_path("a", "k" * 10_000)) < 100
    assert key_path("a", "k" * 10_000).endswith("…")


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("permision", ["permissions", "limits"], "permissions"),
        ("sleep-after-s", ["sleep_after_s"], "sleep_after_s"),
        ("Requires_Python", ["requires-python"], "requires-python"),
        ("zzz", ["permissions", "limits"], ""),
        ("anything", [], ""),
        ("x" * 65, ["x" * 64], ""),
    ],
)
def test_the_nearest_name_is_found_across_case_and_separators(name: str, known: list[str], near: str) -> None:
    assert nearest(name, known) == near
    assert nearest(name, known) in ("", *known)


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_names_become_a_sentence_part(names: list[str], text: str) -> None:
    assert words(names) == text
    assert words(tuple(names)) == text


def test_no_problem_raises_nothing() -> None:
    problems = Problems("a.toml")
    problems.raise_any(InvalidManifest, "never said")
    assert problems.found == []
    assert not problems.full


def test_one_problem_is_one_sentence_with_its_hint_as_remedy() -> None:
    problems = Problems("a.toml")
    problems.add("tool.x", '"y"', "z", "write z")
    with pytest.raises(InvalidManifest) as caught:
        problems.raise_any(InvalidManifest, "general advice")
    assert caught.value.message == 'a.toml: tool.x: found "y"; allowed: z (write z)'
    assert caught.value.remedy == "Write z."
    assert caught.value.data["problems"] == [
        {"file": "a.toml", "key": "tool.x", "found": '"y"', "allowed": "z", "hint": "write z"}
    ]


def test_several_problems_are_a_list_and_keep_their_order() -> None:
    problems = Problems("a.toml")
    problems.add("b", "1", "2")
    problems.add("a", "3", "4", "hint")
    with pytest.raises(InvalidConfig) as caught:
        problems.raise_any(InvalidConfig, "general advice")
    assert caught.value.message.splitlines()[0] == "a.toml has 2 problems:"
    assert [each["key"] for each in caught.value.data["problems"]] == ["b", "a"]
    assert caught.value.remedy == "general advice"
    assert "hint" not in caught.value.data["problems"][0]


def test_problems_beyond_the_cap_are_counted() -> None:
    problems = Problems("a.toml")
    for index in range(PROBLEMS_MAX + 5):
        Place(problems).refuse_unknown(f"key{index}", ["known"])
    with pytest.raises(InvalidManifest, match=f"and {PROBLEMS_MAX + 5 - MESSAGE_MAX_PROBLEMS} more") as caught:
        problems.raise_any(InvalidManifest, "")
    assert len(caught.value.data["problems"]) == PROBLEMS_MAX
    assert problems.total == PROBLEMS_MAX + 5
    assert problems.full


def test_a_place_knows_its_path_and_fills_what_a_misfit_leaves_open() -> None:
    problems = Problems("a.toml")
    place = Place(problems).at("a", 1)
    place.refuse("x", Misfit(hint="h"), allowed="general")
    place.refuse("x", Misfit("special", found="found"), allowed="general")
    place.at("b").refuse_missing("a number")
    assert problems.found == [
        Problem("a.toml", "a[1]", '"x"', "general", "h"),
        Problem("a.toml", "a[1]", "found", "special"),
        Problem("a.toml", "a[1].b", "nothing", "a number", "this key is required"),
    ]
    assert str(problems.found[1]) == "a[1]: found found; allowed: special"


def test_an_unknown_key_names_all_known_ones_and_the_nearest() -> None:
    problems = Problems("a.toml")
    Place(problems, "tool").refuse_unknown("limit", ["limits", "api"])
    found = problems.found[0]
    assert found.key == "tool.limit"
    assert found.allowed == "api, limits"
    assert found.hint == "the nearest known key is limits"


def test_a_problem_of_the_whole_file_names_the_file() -> None:
    assert str(Problem("a.toml", "", "x", "y")) == "a.toml: found x; allowed: y"
    assert Problem("a.toml", "", "x", "y").to_record()["key"] == ""


def test_a_number_with_more_digits_than_python_prints_is_described() -> None:
    assert describe(10**5000) == "an integer of more than 64 bits"
    assert describe(2**63 - 1) == "9223372036854775807"
