"""Values that are one string in the manifest and a record in the model."""

from __future__ import annotations

import pytest

from somnus_plugins.trust.manifest.terms import (
    Access,
    Activation,
    ActivationKind,
    EntryPoint,
    PluginRequirement,
    SecretHeader,
    SharedMemory,
    parse_event_pattern,
    parse_plugin_id,
    parse_range,
)
from somnus_plugins.trust.problems import Misfit


def test_an_entry_point_has_a_module_and_a_class() -> None:
    found = EntryPoint.parse("somnus_notes.plugin:Notes")
    assert (found.module, found.attribute) == ("somnus_notes.plugin", "Notes")
    assert str(found) == "somnus_notes.plugin:Notes"


@pytest.mark.parametrize(
    ("text", "kind", "event"),
    [
        ("on_call", ActivationKind.ON_CALL, ""),
        ("startup", ActivationKind.STARTUP, ""),
        ("event:memory.*", ActivationKind.EVENT, "memory.*"),
    ],
)
def test_an_activation_is_a_kind_and_perhaps_a_topic(text: str, kind: ActivationKind, event: str) -> None:
    found = Activation.parse(text)
    assert (found.kind, found.event) == (kind, event)
    assert str(found) == text


@pytest.mark.parametrize(
    ("requirement", "version", "accepted"),
    [
        ("somnus/embedder", "0.1", True),
        ("somnus/embedder >=1.0", "1.0", True),
        ("somnus/embedder >=1.0", "0.9", False),
        ("somnus/embedder >=1,<2", "2.0", False),
        ("somnus/embedder >=1,<2", "1.9.9", True),
        ("somnus/embedder >=1", "2.0a1", True),
        ("somnus/embedder >=2", "2.0a2", False),
        ("somnus/embedder ==1.*", "1.5", True),
    ],
)
def test_a_requirement_accepts_the_versions_of_its_range(requirement: str, version: str, accepted: bool) -> None:
    found = PluginRequirement.parse(requirement)
    assert str(found.plugin) == "somnus/embedder"
    assert found.accepts(version) is accepted


def test_a_requirement_is_written_with_its_range() -> None:
    assert str(PluginRequirement.parse("a/b")) == "a/b"
    assert str(PluginRequirement.parse("a/b   >= 1.0")) == "a/b >=1.0"
    assert PluginRequirement.parse("a/b >=1,<2") == PluginRequirement.parse("a/b <2, >=1")


def test_shared_memory_names_a_plugin_and_how_far() -> None:
    found = SharedMemory.parse("somnus/journal:write")
    assert (str(found.plugin), found.access) == ("somnus/journal", Access.WRITE)
    assert str(found) == "somnus/journal:write"


def test_a_secret_is_put_where_the_braces_are() -> None:
    found = SecretHeader.parse("Cookie: key={}; path=/")
    assert found.name == "Cookie"
    assert found.value("s3cret{}") == "key=s3cret{}; path=/"
    assert str(found) == "Cookie: key={}; path=/"


@pytest.mark.parametrize("access", list(Access))
def test_access_is_its_own_word(access: Access) -> None:
    assert access == access.value
    assert Access(access.value) is access


def test_parsers_say_what_is_allowed() -> None:
    with pytest.raises(Misfit, match="lower-case words"):
        parse_event_pattern("A")
    with pytest.raises(Misfit, match="publisher/name"):
        parse_plugin_id("a")
    with pytest.raises(Misfit) as caught:
        parse_range("1")
    assert ">=1.0" in caught.value.hint
