"""The grammars of the manifest's strings: what is read, what is refused, and what the author is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from somnus_plugins.trust.manifest import grammar
from somnus_plugins.trust.manifest.grammar import config_key
from somnus_plugins.trust.manifest.shapes import Text
from somnus_plugins.trust.problems import Misfit, Place, Problems

LABEL_63 = "a" * 63
ANYWHERE = Place(Problems("pyproject.toml"), "key")

GOOD: dict[str, list[str]] = {
    "NAME": ["notes", "Notes", "my_notes", "my.notes", "My-Notes", "a", "n2", "A" * 64],
    "PUBLISHER": ["somnus", "a", "local", "x-y-1", "p" * 39],
    "VERSION": ["1", "0.1.0", "1.0a1", "1!2.0", "2030.1", "1.0.post1", "1.0+local", "v1.2", "1.0-rc1"],
    "RANGE": [">=1", ">=1,<2", "~=1.4", "==1.*", "!=1.5,>=1", " >= 1 , < 2 "],
    "DEPENDENCY": [
        "numpy",
        "numpy>=2",
        "numpy[extra]>=2,<3; python_version >= '3.12'",
        "tool @ https://example.com/tool-1.whl",
    ],
    "SENTENCE": ["", "One sentence.", "two\nlines", "ä" * 512],
    "LABEL": ["Ada Lovelace", "ada@example.com"],
    "LINK": ["https://example.com", "http://localhost:8000/a?b#c"],
    "FILE_NAME": ["README.md", "docs/readme.rst"],
    "ENTRY": ["notes:Notes", "a.b.c:D", "_x:_Y2", "n1:N"],
    "ACTIVATION": ["on_call", "startup", "event:memory.stored", "event:*", "event:a.*"],
    "TAG": ["search", "a-b", "2", "x" * 32],
    "PLUGIN": ["somnus/embedder", "a/b"],
    "REQUIREMENT": ["somnus/embedder", "somnus/embedder >=1.0", "somnus/embedder >=1,<2", "a/b ==1.*"],
    "SHARED_MEMORY": ["somnus/journal:read", "somnus/journal:write"],
    "PATH": ["/", "/srv/notes", "/srv/my notes", "/srv/ä", "{config.folder}", "/srv/.hidden", "/a/..b"],
    "NETWORK": [
        "example.com",
        "api.example.com",
        "example.com:8443",
        "localhost",
        "localhost:1",
        "a:65535",
        "*.example.com",
        "*.example.com:8080",
        "*",
        "{config.base_url}",
        "{config._x2}",
        "xn--bcher-kva.example",
        "_service.example.com",
        "127.0.0.1",
        "10.0.0.1:8080",
        "[::1]",
        "[2001:db8::1]:8080",
        f"{LABEL_63}.com",
        "1password.com",
    ],
    "SECRET_HOST": ["example.com", "*.example.com", "{config.base_url}", "example.com:8443"],
    "COMMAND": ["git", "python3.12", "g++", "clang-format", "7z", "_x"],
    "TOPICS": ["memory.stored", "*", "memory.*", "*.stored", "a.*.c", "a_b.c-d", "a1"],
    "PUBLISHED_TOPICS": ["notes.*", "notes.added", "notes", "notes.*.done"],
    "MODEL": ["chat", "embed", "gpt-4o", "a_b"],
    "SECRET_NAME": ["TOKEN", "EXAMPLE_TOKEN", "A1", "A" * 64],
    "SECRET_SEND": ["Authorization: Bearer {}", "X-Api-Key: {}", "Cookie: a={}; b=c"],
}

BAD: dict[str, list[str]] = {
    "NAME": ["", "1notes", "-a", "a-", "n\u00f6tes", "my notes", "api", "API", "a/b", "a" * 65, "\u212aelvin"],
    "PUBLISHER": ["", "Somnus", "a_b", "host", "p" * 40, "a\n"],
    "VERSION": ["", "one", "1.0.x", "1..0", "1.0 beta x", "9" * 65, "../1"],
    "RANGE": ["", " ", "1.0", ">1.x", "=>1", ">=1;<2", "latest"],
    "DEPENDENCY": ["", "numpy=2", ">=2", "numpy; what", "a b", "x; " + "(" * 900, "n" * 1025],
    "SENTENCE": ["x" * 513],
    "LABEL": ["", "two\nlines", "x" * 257],
    "LINK": ["", "example.com", "javascript:alert(1)", "ftp://a", "https://a b", "https://"],
    "FILE_NAME": ["", "/etc/passwd", "a\\b"],
    "ENTRY": [
        "",
        "notes",
        "notes:",
        ":Notes",
        "notes:Notes:x",
        "notes.:N",
        "a b:C",
        "class:C",
        "a:if",
        "a:b.c",
        "a-b:C",
    ],
    "ACTIVATION": ["", "call", "startup:", "on_call:x", "event", "event:", "event:A", "event:a..b", "STARTUP"],
    "TAG": ["", "Search", "a b", "-a", "a--b", "x" * 33],
    "PLUGIN": ["", "embedder", "a/b/c", "A/b", "*", "a/*", "host/x"],
    "REQUIREMENT": ["", "embedder", "somnus/embedder>=1", "somnus/embedder 1.0", "somnus/embedder >=x", "a/b  c"],
    "SHARED_MEMORY": ["somnus/journal", "somnus/journal:", "somnus/journal:none", "journal:read", "a/b:READ"],
    "PATH": [
        "",
        ".",
        "notes",
        "./notes",
        "~",
        "~/notes",
        "/a/../b",
        "/a/./b",
        "/a//b",
        "//a",
        "/a/",
        "/a/*",
        "/a?",
        "/a[b]",
        "/a\x00b",
        "/a\nb",
        "{config.folder}/x",
        "{config.}",
        "{config.a.b}",
        "{env.HOME}",
        "C:\\notes",
        "/" + "a" * 1024,
    ],
    "NETWORK": [
        "",
        "https://example.com",
        "example.com/path",
        "example.com?x",
        "Example.com",
        "b\u00fccher.example",
        "example.com.",
        ".example.com",
        "a..b",
        "-a.com",
        "a-.com",
        f"{LABEL_63}a.com",
        "a b.com",
        "user@example.com",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:080",
        "example.com:https",
        "example.com:1:2",
        "*.com",
        "*.",
        "**.example.com",
        "a.*.com",
        "*example.com",
        "*:8080",
        "127.1",
        "0x7f.0.0.1",
        "010.0.0.1",
        "256.1.1.1",
        "1.2.3",
        "2130706433",
        "::1",
        "[::1",
        "[::1]8080",
        "[::1]:",
        "[127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "{config.}",
        "{config.base-url}",
        "{config.a}:80",
        "example.com\n",
        "\x1b[2J",
        ".".join(["a" * 60] * 5),
    ],
    "SECRET_HOST": ["", "*", "https://example.com"],
    "COMMAND": ["", "/usr/bin/git", "git status", "../git", "-rf", "a;b", "a\n", "$x", "x" * 65],
    "TOPICS": ["", "Memory.stored", "a.", ".a", "a..b", "a.b*", "**", "a b", "1a", "a.\u00e4"],
    "PUBLISHED_TOPICS": ["*", "*.added", "system.dreaming", "memory.stored", "memory", "workspace.*", "Notes.x"],
    "MODEL": ["", "Chat", "a.b", "a b", "*"],
    "SECRET_NAME": ["", "token", "1A", "_A", "A-B", "A" * 65],
    "SECRET_SEND": [
        "",
        "{}",
        "Authorization: Bearer",
        "Authorization:{}",
        "A: {} {}",
        "A B: {}",
        "A: {}\r\nX: y",
        "A: \u00e4 {}",
        "Host: {}",
        "content-length: {}",
        "Transfer-Encoding: {}",
        "Connection: {}",
    ],
}


def named(name: str) -> Text:
    shape = getattr(grammar, name)
    assert isinstance(shape, Text)
    return shape


def pairs(table: dict[str, list[str]]) -> list[Any]:
    return [
        pytest.param(name, text, id=f"{name}-{index}")
        for name, texts in table.items()
        for index, text in enumerate(texts)
    ]


def test_every_grammar_has_good_and_bad_samples() -> None:
    shapes = {name for name, value in vars(grammar).items() if isinstance(value, Text)}
    assert shapes == set(GOOD) == set(BAD)
    assert all(named(name).allowed for name in shapes)


@pytest.mark.parametrize(("name", "text"), pairs(GOOD))
def test_what_the_grammar_allows_is_read_and_is_fine_for_editors_too(name: str, text: str) -> None:
    shape = named(name)
    value = shape.read(text, ANYWHERE)
    schema = shape.schema()
    assert re.search(schema["pattern"], text), "an editor would mark it"
    assert len(text) <= schema["maxLength"]
    assert shape.read(shape.write(value), ANYWHERE) == value


@pytest.mark.parametrize(("name", "text"), pairs(BAD))
def test_what_the_grammar_does_not_allow_is_refused(name: str, text: str) -> None:
    with pytest.raises(Misfit) as caught:
        named(name).read(text, ANYWHERE)
    assert caught.value.allowed or named(name).allowed
    ANYWHERE.refuse(text, caught.value)
    said = ANYWHERE.problems.found.pop()
    assert (said.hint + said.found + said.allowed).isprintable()


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [None, 1, True, 0.5, [], ["x"], {}])
def test_nothing_but_a_string_is_a_string(name: str, value: Any) -> None:
    with pytest.raises(Misfit) as caught:
        named(name).read(value, ANYWHERE)
    assert caught.value.allowed == named(name).allowed


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("NETWORK", "https://example.com/x", "without scheme"),
        ("NETWORK", "example.com/x", "without a path"),
        ("NETWORK", "EXAMPLE.com", "lower case: example.com"),
        ("NETWORK", "b\u00fccher.example", "ASCII form xn--bcher-kva.example"),
        ("NETWORK", "\u3002.example", "ASCII form"),
        ("NETWORK", "example.com.", "without the dot"),
        ("NETWORK", "*.com", "at least two words"),
        ("NETWORK", "127.1", "four decimal numbers"),
        ("NETWORK", "[0:0::1]", "the usual form is ::1"),
        ("NETWORK", "::1", "[address]"),
        ("PATH", "~/notes", "{config.folder}"),
        ("PATH", "/a/*", "everything below"),
        ("PATH", "/a/../b", "without '.', '..'"),
        ("ENTRY", "notes.Notes", "':' between"),
        ("ACTIVATION", "event", "event:NAME"),
        ("SHARED_MEMORY", "a/b", "publisher/name:read"),
        ("SECRET_SEND", "A: b", "exactly one {}"),
        ("SECRET_SEND", "Host: {}", "belongs to the connection"),
        ("PUBLISHED_TOPICS", "system.up", "begin with the plugin's name"),
        ("TOPICS", "Memory.Stored", "lower case"),
        ("RANGE", "1.0", ">=1.0"),
        ("NAME", "api", "reserved"),
        ("PLUGIN", "embedder", "no '/'"),
    ],
)
def test_the_hint_says_what_was_probably_meant(name: str, text: str, hint: str) -> None:
    with pytest.raises(Misfit) as caught:
        named(name).read(text, ANYWHERE)
    assert hint in caught.value.hint or hint in caught.value.allowed
    assert len(caught.value.hint) < 300


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("NAME", "My_Notes.App", "my-notes-app"),
        ("VERSION", "v1.0.0-RC1", "1.0.0rc1"),
        ("VERSION", "01.2", "1.2"),
        ("NETWORK", "example.com", "example.com"),
    ],
)
def test_what_has_several_spellings_is_kept_in_one(name: str, text: str, value: str) -> None:
    assert named(name).read(text, ANYWHERE) == value
    assert named(name).read(value, ANYWHERE) == value


@pytest.mark.parametrize(
    ("entry", "key"),
    [("{config.folder}", "folder"), ("{config.a_1}", "a_1"), ("/srv", ""), ("{config.a}/b", ""), ("*", ""), ("", "")],
)
def test_a_setting_that_is_a_grant_is_recognised(entry: str, key: str) -> None:
    assert config_key(entry) == key
    assert bool(config_key(entry)) is entry.endswith("}")
