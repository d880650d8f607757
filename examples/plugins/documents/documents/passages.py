"""From the text of a document to the passages that are searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

PASSAGE_CHARS = 1_200
"""About this long is a passage: a snippet shows where in it the words are, and a ranking of longer ones says less."""

HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
MARKDOWN = frozenset({".md", ".markdown", ".mdown"})


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that stands below one heading."""

    heading: str
    """The headings above it, outermost first, joined by ` › `; empty where there are none."""
    line: int
    """Where it begins, counted from 1."""
    text: str


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, a code block or a heading."""

    line: int
    text: str
    level: int = 0
    """1 to 6 for a heading."""


def split(path: str, text: str) -> tuple[str, list[Passage]]:
    """Title and passages of a document.

    Args:
        path: Its path: the ending says whether it is Markdown, the name is the title of a document without one.
        text: Its content.
    """
    file = PurePosixPath(path)
    blocks = list(_markdown(text) if file.suffix.lower() in MARKDOWN else _paragraphs(text))
    title = next((block.text for block in blocks if block.level == 1), "")
    return title or file.stem.replace("_", " ").replace("-", " "), list(_passages(blocks))


def _passages(blocks: list[_Block]) -> Iterator[Passage]:
    headings: list[tuple[int, str]] = []
    gathered: list[_Block] = []
    for block in blocks:
        size = sum(len(each.text) for each in gathered)
        if gathered and (block.level or size + len(block.text) > PASSAGE_CHARS):
            yield _joined(headings, gathered)
            gathered = []
        if block.level:
            headings = [each for each in headings if each[0] < block.level] + [(block.level, block.text)]
        else:
            gathered.append(block)
    if gathered:
        yield _joined(headings, gathered)


def _joined(headings: list[tuple[int, str]], blocks: list[_Block]) -> Passage:
    return Passage(" › ".join(text for _, text in headings), blocks[0].line, "\n\n".join(each.text for each in blocks))


def _paragraphs(text: str) -> Iterator[_Block]:
    """Blocks of plain text: what stands between empty lines."""
    waiting: list[tuple[int, str]] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            waiting.append((number, line))
        else:
            yield from _taken(waiting)


def _markdown(text: str) -> Iterator[_Block]:
    """Blocks of Markdown: headings of both kinds, fenced code in one piece, and paragraphs."""
    lines = text.splitlines()
    start, fence = _after_front_matter(lines), ""
    waiting: list[tuple[int, str]] = []
    for number, line in enumerate([*lines[start:], ""], start + 1):
        mark, heading = FENCE.match(line), HEADING.fullmatch(line)
        if fence or mark:
            waiting.append((number, line))
            fence = "" if fence and line.strip().startswith(fence) else fence or (mark[1] if mark else "")
        elif heading:
            yield from _taken(waiting)
            yield _Block(number, heading[2], len(heading[1]))
        elif len(waiting) == 1 and UNDERLINE.fullmatch(line):
            (block,) = _taken(waiting)
            yield _Block(block.line, block.text.strip(), 1 if "=" in line else 2)
        elif line.strip():
            waiting.append((number, line))
        else:
            yield from _taken(waiting)
    yield from _taken(waiting)


def _taken(waiting: list[tuple[int, str]]) -> list[_Block]:
    """The lines that have been gathered as one block, or none; they are gathered no longer."""
    blocks = [_Block(waiting[0][0], "\n".join(line for _, line in waiting))] if waiting else []
    waiting.clear()
    return blocks


def _after_front_matter(lines: list[str]) -> int:
    """How many lines at the beginning are metadata between two lines of `---`."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    ends = (number for number, line in enumerate(lines[1:], 2) if line.rstrip() == "---")
    return next(ends, 0)
