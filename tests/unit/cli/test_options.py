"""Words as numbers, and the options that all verbs have."""

from __future__ import annotations

import inspect

import pytest

from somnus_plugins.cli.options import number, verb
from somnus_plugins.cli.scene import Scene
from somnus_plugins.errors import UsageError


def greet(scene: Scene, name: str, loud: bool = False) -> None:
    """Greet somebody."""


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("0.5", 0.5), ("1e3", 1000.0)])
def test_a_word_becomes_the_number_it_means(text: str, value: float) -> None:
    assert number(text, "--timeout", "seconds", above=0) == value
    assert number("7", "--lines", "lines", above=-1, whole=True) == 7


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf", "1e999", "１０x"])
def test_a_word_that_means_no_allowed_number_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        number(text, "--timeout", "seconds, more than 0", above=0)

    assert caught.value.message == f"--timeout: found {text!r}; allowed is seconds, more than 0"


def test_a_fraction_is_no_whole_number() -> None:
    with pytest.raises(UsageError, match="allowed is a whole number"):
        number("1.5", "-n", "a whole number", above=0, whole=True)

    assert number("1.5", "-n", "a number", above=0) == 1.5


def test_a_verb_gets_the_shared_options_after_its_own() -> None:
    parameters = inspect.signature(verb(greet)).parameters

    assert list(parameters) == ["name", "loud", "context", "home", "json", "help"]
    assert verb(greet).__doc__ == "Greet somebody."
    assert "scene" not in verb(greet).__annotations__
