"""What a plugin is told of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from somnus_plugins.web.login import person


@dataclass
class Account:
    username: str
    email: str = "a@example.org"


@dataclass
class Numbered:
    id: int
    username: str = "ann"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, None),
        ("ann", "ann"),
        (Account("ann"), "ann"),
        (Numbered(7), "7"),
        ({"sub": "s-1", "email": "a@example.org"}, "s-1"),
        ({"email": "a@example.org"}, "a@example.org"),
        (object(), None),
        (42, None),
    ],
)
def test_a_person_is_a_name_and_never_the_object(found: Any, told: str | None) -> None:
    assert person(found) == told
    assert person(found) is None or isinstance(person(found), str)
