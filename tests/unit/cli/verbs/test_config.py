"""`config`: what is wrong with its words before any host is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.cli.ending import Ending

Somnus = Callable[..., Ending]


@pytest.mark.parametrize("word", ["folder", "=x", ""])
def test_a_word_that_is_no_pair_is_refused(somnus: Somnus, word: str) -> None:
    ended = somnus("config", "notes", word, "--json")

    assert ended.status == 2
    assert ended.error["message"] == f"{word!r}: allowed is KEY=VALUE"


def test_a_setting_has_one_value(somnus: Somnus) -> None:
    ended = somnus("config", "notes", "a=1", "a=2", "--json")

    assert ended.status == 2
    assert ended.error["message"] == "a: found two values; allowed is one"


def test_a_setting_is_set_or_unset(somnus: Somnus) -> None:
    ended = somnus("config", "notes", "a=1", "b=", "--unset", "a", "--unset", "c", "--json")

    assert ended.status == 2
    assert ended.error["message"] == "a: found a value and --unset; allowed is one of them"
