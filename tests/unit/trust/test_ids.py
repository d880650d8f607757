"""Ids, mounts and the way from any text to a name."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somnus_plugins.errors import UsageError
from somnus_plugins.trust.ids import (
    NAME_MAX_CHARS,
    PUBLISHER_MAX_CHARS,
    RESERVED_NAMES,
    RESERVED_PUBLISHERS,
    PluginId,
    name_fault,
    normalise_name,
    parse_mount,
    publisher_fault,
)

BAD_WORDS = {
    "empty": "",
    "upper case": "Notes",
    "a digit first": "1password",
    "a dash first": "-notes",
    "a dash last": "notes-",
    "two dashes": "my--notes",
    "an underscore": "my_notes",
    "a dot": "my.notes",
    "a slash": "my/notes",
    "a space": "my notes",
    "a line break at the end": "notes\n",
    "a letter that looks like a": "n\u043etes",
    "an accent": "caf\u00e9",
    "a parent directory": "..",
    "a zero byte": "no\x00tes",
}


@pytest.mark.parametrize("text", ["somnus/notes", "a/b", "local/hello-api", "x2/y-3-z", f"{'p' * 39}/{'n' * 64}"])
def test_an_id_reads_and_writes_the_same_text(text: str) -> None:
    found = PluginId.parse(text)
    assert str(found) == text
    assert PluginId(found.publisher, found.name) == found


def test_ids_are_values_that_can_be_sorted_hashed_and_pickled() -> None:
    first, second = PluginId.parse("a/z"), PluginId.parse("b/a")
    assert sorted([second, first]) == [first, second]
    assert len({first, PluginId("a", "z")}) == 1
    assert pickle.loads(pickle.dumps(first)) == first


@pytest.mark.parametrize("word", BAD_WORDS.values(), ids=BAD_WORDS.keys())
def test_a_bad_word_is_neither_name_nor_publisher_nor_mount(word: str) -> None:
    assert name_fault(word)
    assert publisher_fault(word)
    with pytest.raises(UsageError, match="not a mount"):
        parse_mount(word)
    with pytest.raises(UsageError, match="not a plugin's name"):
        PluginId("somnus", word)
    with pytest.raises(UsageError, match="not a plugin's publisher"):
        PluginId(word, "notes")


def test_lengths_end_where_they_say() -> None:
    assert name_fault("n" * NAME_MAX_CHARS) == ""
    assert "at most 64" in name_fault("n" * (NAME_MAX_CHARS + 1))
    assert publisher_fault("p" * PUBLISHER_MAX_CHARS) == ""
    assert "at most 39" in publisher_fault("p" * (PUBLISHER_MAX_CHARS + 1))


@pytest.mark.parametrize("word", sorted(RESERVED_NAMES))
def test_words_of_the_host_are_no_names(word: str) -> None:
    assert "reserved" in name_fault(word)
    with pytest.raises(UsageError, match="reserved for the host"):
        parse_mount(word)


@pytest.mark.parametrize("word", sorted(RESERVED_PUBLISHERS))
def test_words_of_the_host_are_no_publishers(word: str) -> None:
    assert "reserved" in publisher_fault(word)
    with pytest.raises(UsageError, match="reserved for the host"):
        PluginId(word, "notes")


def test_local_is_a_publisher() -> None:
    assert publisher_fault("local") == ""
    assert str(PluginId("local", "notes")) == "local/notes"


@pytest.mark.parametrize(
    "text", ["notes", "", "/notes", "somnus/", "somnus/notes/more", "somnus//notes", " somnus/notes"]
)
def test_what_is_not_publisher_and_name_is_no_id(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        PluginId.parse(text)
    assert "publisher" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_the_error_shows_hostile_text_harmlessly() -> None:
    with pytest.raises(UsageError) as caught:
        PluginId.parse("evil\x1b[2J\u202e" + "x" * 5000)
    assert "\x1b" not in caught.value.message + caught.value.remedy
    assert "\u202e" not in caught.value.message + caught.value.remedy
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MyPlugin", "my-plugin"),
        ("my_plugin", "my-plugin"),
        ("my plugin", "my-plugin"),
        ("My.Plugin", "my-plugin"),
        ("HTTPServer", "http-server"),
        ("parseXML2JSON", "parse-xml2-json"),
        ("notes", "notes"),
        ("--Notes--", "notes"),
        ("Notes 2", "notes-2"),
        ("Caf\u00e9 Noir", "cafe-noir"),
        ("a___b", "a-b"),
        ("\uff2d\uff59plugin", "myplugin"),
    ],
)
def test_any_spelling_becomes_the_name_that_was_meant(text: str, name: str) -> None:
    assert normalise_name(text) == name
    assert normalise_name(name) == name


@pytest.mark.parametrize("text", ["", "123", "---", "\u65e5\u672c", "API", "n" * 65])
def test_text_without_a_name_in_it_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no plugin name") as caught:
        normalise_name(text)
    assert "my-plugin" in caught.value.remedy


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_normalising_gives_a_name_or_a_usage_error(text: str) -> None:
    try:
        name = normalise_name(text)
    except UsageError:
        return
    assert name_fault(name) == ""
    assert normalise_name(name) == name


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_parsing_an_id_gives_the_same_text_or_a_usage_error(text: str) -> None:
    try:
        found = PluginId.parse(text)
    except UsageError:
        return
    assert str(found) == text
    assert name_fault(found.name) == publisher_fault(found.publisher) == ""
