"""The repository's text: about the product only, and whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, product, repository_files, scripts, suite

# Written so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.~}/-])/(work|root)/")
REGISTRY = re.compile(r"\b(pypi\.org|pythonhosted[.]org|npmjs[.](com|org)|crates[.]io|anaconda[.]org)", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")
BINARY = frozenset({".png", ".ico", ".gif", ".woff2", ".somnus"})


def texts() -> dict[Path, str]:
    files = (path for path in repository_files() if path.suffix not in BINARY and path.name != "LICENSE")
    return {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in files}


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [(MACHINE_PATH, f"see {Path('/', 'work', 'a')}"), (REGISTRY, "https://" + "pypi" + ".org/simple")],
    ids=["paths of one machine", "hosts of package registries"],
)
def test_no_file_names_a_machine_or_a_registry(pattern: re.Pattern[str], hit: str) -> None:
    found = [f"{path}: {match[0]}" for path, text in texts().items() for match in pattern.finditer(text)]

    assert pattern.search(hit)
    assert found == []


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    comments = [each for module in [*product(), *suite(), *scripts()] for each in module.comments]

    assert UNFINISHED.search("TO" + "DO: later")
    assert [f"{each.where} {each.text}" for each in comments if UNFINISHED.search(each.text)] == []


def test_text_files_end_with_one_newline_and_hold_no_tabs_or_trailing_blanks() -> None:
    ragged = [str(path) for path, text in texts().items() if text and text != text.rstrip("\n") + "\n"]
    blanks = [str(path) for path, text in texts().items() if re.search(r"[ \t]+$", text, re.MULTILINE)]

    assert ragged == []
    assert blanks == []


def test_news_fragments_have_a_kind_and_a_sentence() -> None:
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    kinds = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "changelog.d" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    sentence = re.compile(r"\S[^#]+[.!]\n")

    assert kinds == {"added", "changed", "fixed", "removed", "security"}
    assert [path.name for path in fragments if path.name.split(".")[1:] not in [[kind, "md"] for kind in kinds]] == []
    assert [path.name for path in fragments if not sentence.fullmatch(path.read_text(encoding="utf-8"))] == []


# --- links -----------------------------------------------------------------------------------------------------------


def anchors(markdown: str) -> set[str]:
    """The anchors that a renderer makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(page: Path, markdown: str) -> list[str]:
    """Links of a page, below a root, that lead to no file or no heading."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL)
    targets = [match["target"] or match["image"] for match in LINK.finditer(prose)]
    found = []
    for target in targets:
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / name) if name else page
        known = anchors(file.read_text(encoding="utf-8")) if file.suffix == ".md" and file.is_file() else set()
        if not file.exists() or (anchor and anchor not in known):
            found.append(target)
    return found


def test_links_between_pages_lead_somewhere() -> None:
    pages = [path for path in repository_files() if path.suffix == ".md"]
    broken = [f"{page}: {link}" for page in pages for link in broken_links(page, page.read_text(encoding="utf-8"))]

    assert len(pages) >= 8
    assert broken == []


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A heading, with `code`\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("# Here\n", encoding="utf-8")
    good = "[a](other.md) [b](other.md#a-heading-with-code) [c](#here) [d](https://example.org/x) `[e](no.md)`"

    assert broken_links(page, good) == []
    assert broken_links(page, "[a](gone.md) [b](other.md#gone) ![c](no.png)") == ["gone.md", "other.md#gone", "no.png"]
