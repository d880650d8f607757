"""What a pattern of a permission covers."""

from __future__ import annotations

import pytest

from somnus_plugins.trust.manifest.coverage import event_covers, host_covers


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ("memory.stored", "memory.stored"),
        ("memory.*", "memory.stored"),
        ("memory.*", "memory.stored.twice"),
        ("memory.*", "memory.*"),
        ("*", "memory.stored"),
        ("*", "*"),
        ("*", "a"),
        ("*.stored", "memory.stored"),
        ("a.*.c", "a.b.c"),
        ("a.*.c", "a.*.c"),
        ("a.*.*", "a.b.c.d"),
        ("*.*", "a.b"),
    ],
)
def test_a_topic_pattern_covers_what_it_stands_for(granted: str, wanted: str) -> None:
    assert event_covers(granted, wanted)
    assert event_covers("*", wanted)


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ("memory.stored", "memory"),
        ("memory.stored", "memory.stored.twice"),
        ("memory.stored", "memory.*"),
        ("memory.*", "memory"),
        ("memory.*", "*"),
        ("memory.*", "memories.stored"),
        ("*.stored", "memory.gone"),
        ("*.stored", "a.b.stored"),
        ("*.stored", "*"),
        ("a.*.c", "a.b.d"),
        ("a.*.c", "a.*"),
        ("a.*.*", "a.b"),
        ("*.*", "a"),
    ],
)
def test_a_topic_pattern_covers_nothing_else(granted: str, wanted: str) -> None:
    assert not event_covers(granted, wanted)
    assert event_covers(wanted, wanted)


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ("example.com", "example.com"),
        ("example.com", "example.com:443"),
        ("example.com:443", "example.com"),
        ("example.com:8080", "example.com:8080"),
        ("*.example.com", "api.example.com"),
        ("*.example.com", "a.b.example.com:443"),
        ("*.example.com", "*.example.com"),
        ("*.example.com", "*.api.example.com"),
        ("*.example.com:8080", "api.example.com:8080"),
        ("*", "example.com"),
        ("*", "example.com:8080"),
        ("*", "*"),
        ("*", "{config.url}"),
        ("{config.url}", "{config.url}"),
        ("[::1]", "[::1]:443"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_a_host_pattern_covers_what_it_stands_for(granted: str, wanted: str) -> None:
    assert host_covers(granted, wanted)
    assert host_covers("*", wanted)


@pytest.mark.parametrize(
    ("granted", "wanted"),
    [
        ("example.com", "api.example.com"),
        ("example.com", "example.com:8080"),
        ("example.com", "example.org"),
        ("example.com", "*"),
        ("*.example.com", "example.com"),
        ("*.example.com", "evilexample.com"),
        ("*.example.com", "api.example.com:8080"),
        ("*.example.com", "*.com"),
        ("*.example.com", "*"),
        ("{config.url}", "example.com"),
        ("{config.url}", "{config.other}"),
        ("example.com", "{config.url}"),
        ("[::1]", "[::1]:80"),
        ("[::1]", "[::2]"),
    ],
)
def test_a_host_pattern_covers_nothing_else(granted: str, wanted: str) -> None:
    assert not host_covers(granted, wanted)
    assert host_covers(wanted, wanted)
