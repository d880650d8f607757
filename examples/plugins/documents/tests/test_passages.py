"""From text to passages."""

from __future__ import annotations

from documents.passages import PASSAGE_CHARS, Passage, split


def test_markdown_is_split_at_its_headings_which_stand_above_each_passage() -> None:
    title, passages = split("a.md", "# One\n\nfirst\n\n## Two ##\nsecond\n\n### Three\n\nthird\n\n## Four\n\nfourth\n")

    assert title == "One"
    assert [(each.heading, each.line, each.text) for each in passages] == [
        ("One", 3, "first"),
        ("One › Two", 6, "second"),
        ("One › Two › Three", 10, "third"),
        ("One › Four", 14, "fourth"),
    ]


def test_underlined_headings_count_and_rules_between_paragraphs_do_not() -> None:
    title, passages = split("a.md", "One\n===\n\nfirst\n\n---\n\nTwo\n---\nsecond\n")

    assert title == "One"
    assert [each.heading for each in passages] == ["One", "One › Two"]
    assert passages[0].text.startswith("first")


def test_what_looks_like_a_heading_in_code_or_in_front_matter_is_none() -> None:
    title, passages = split("notes_on-code.md", "---\ntitle: x\n---\n~~~\n# no\n\n## no\n~~~\n\nyes\n")

    assert title == "notes on code"
    assert passages == [Passage("", 4, "~~~\n# no\n\n## no\n~~~\n\nyes")]


def test_front_matter_that_never_ends_is_text() -> None:
    _, passages = split("a.md", "---\nonly a rule\n")

    assert [each.text for each in passages] == ["---\nonly a rule"]


def test_text_is_split_at_empty_lines_and_gathered_to_passages_of_some_length() -> None:
    paragraph = "word " * 100
    title, passages = split("list.txt", "\n\n".join([paragraph] * 5) + "\n# no heading\n")

    assert title == "list"
    assert [each.line for each in passages] == [1, 5, 9]
    assert all(len(each.text) <= PASSAGE_CHARS for each in passages)
    assert all(each.heading == "" for each in passages)


def test_an_empty_document_has_a_title_and_no_passages() -> None:
    assert split("empty.md", "") == ("empty", [])
    assert split("below/only-headings.md", "# A\n\n## B\n") == ("A", [])
