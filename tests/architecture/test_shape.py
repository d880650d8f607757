"""The shape the code keeps: sizes, branches, types and docstrings of the source, habits of the tests."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import pytest

from tests.architecture.source_tree import Function, product, scripts, suite

FILE_LINES = 700
FUNCTION_LINES = 100
METHODS = 25

FUNCTIONS = [each for module in product() for each in module.functions]
TESTS = [each for module in suite() for each in module.functions if each.name.startswith("test_")]
MOCKS = frozenset({"mock", "pytest_mock", "pretend"})


def percentile(values: Iterable[int], part: float) -> int:
    """The smallest value that at least this part of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def longest(functions: Sequence[Function], size: Callable[[Function], int]) -> str:
    """The ten functions that push a percentile up, for the message of a failure."""
    return "\n".join(f"{size(each):4} {each.where} {each.name}" for each in sorted(functions, key=size)[:-11:-1])


def share(functions: Sequence[Function], holds: Callable[[Function], bool]) -> tuple[float, str]:
    """Per cent of the functions for which something holds, and the places where it does not."""
    failing = [f"{each.where} {each.name}" for each in functions if not holds(each)]
    return 100 * (1 - len(failing) / len(functions)), "\n".join(failing)


def test_no_file_is_longer_than_seven_hundred_lines() -> None:
    files = [*product(), *suite(), *scripts()]

    assert len(files) > 10
    assert [f"{each.shown} has {each.lines} lines" for each in files if each.lines > FILE_LINES] == []


def test_no_function_is_longer_than_a_hundred_lines() -> None:
    assert [f"{each.where} {each.name}" for each in FUNCTIONS if each.lines > FUNCTION_LINES] == []


@pytest.mark.parametrize(
    ("limit", "size"),
    [(44, lambda each: each.lines), (9, lambda each: each.branches)],
    ids=["fewer than 45 lines", "at most 9 branches"],
)
def test_nineteen_of_twenty_functions_are_short_and_plain(limit: int, size: Callable[[Function], int]) -> None:
    assert percentile(map(size, FUNCTIONS), 0.95) <= limit, longest(FUNCTIONS, size)


def test_no_class_has_more_than_twenty_five_methods() -> None:
    classes = [each for module in product() for each in module.classes]

    assert len(classes) > 50
    assert [f"{each.where} {each.name} has {each.methods}" for each in classes if each.methods > METHODS] == []


def test_no_public_class_name_has_two_homes() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for each in (each for module in product() for each in module.classes if not each.name.startswith("_")):
        homes[each.name].append(each.where)

    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_hardly_anything_is_caught_without_being_named_or_raised_again() -> None:
    swallowed = [place for module in product() for place in module.swallowed]
    thousands = max(1.0, sum(each.code_lines for each in product()) / 1000)

    assert len(swallowed) / thousands <= 1, "\n".join(swallowed)


def test_functions_are_typed() -> None:
    typed, places = share(FUNCTIONS, lambda each: each.typed)

    assert typed >= 99, places


def test_public_functions_say_what_they_do() -> None:
    documented, places = share([each for each in FUNCTIONS if each.public], lambda each: each.documented)

    assert documented >= 85, places


def test_every_module_says_what_it_is_for() -> None:
    modules = [each for each in [*product(), *scripts()] if each.code_lines]

    assert [each.shown for each in modules if not each.documented] == []


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "common", "base", "manager", "misc"])
def test_no_module_is_named_for_being_left_over(name: str) -> None:
    assert [each.shown for each in [*product(), *suite()] if name in each.path.stem.split("_")] == []


def test_nothing_prints_but_the_command_line() -> None:
    quiet = [each for each in product() if not each.name.startswith("somnus_plugins.cli")]

    assert [call.where for each in quiet for call in each.calls("print")] == []


# --- habits of the tests ---------------------------------------------------------------------------------------------


# To yield once, or to be a method that does not end by itself, is not to wait and hope.
HARMLESS_SLEEPS = re.compile(r"0|[1-9]\d{2,}")


def test_tests_wait_for_conditions_and_do_not_sleep() -> None:
    calls = [call for module in suite() for call in module.calls("sleep")]
    sleeps = [call.where for call in calls if not HARMLESS_SLEEPS.fullmatch(", ".join(call.arguments))]

    assert 100 * len(sleeps) / len(TESTS) <= 1, "\n".join(sleeps)


def test_tests_use_shipped_fakes_and_patch_nothing() -> None:
    imports = [each for module in suite() for each in module.imports]
    patches = [call for module in suite() for call in module.calls("monkeypatch.setattr")]

    assert [f"{each.importer}:{each.line}" for each in imports if MOCKS & set(each.target.split("."))] == []
    assert [call.where for call in patches if call.arguments[0] != "sys"] == []


def test_a_tests_name_is_a_sentence() -> None:
    words = [len(each.name.split("_")) - 1 for each in TESTS]

    assert percentile(words, 0.5) >= 6
    assert [f"{each.where} {each.name}" for each, count in zip(TESTS, words, strict=True) if count < 3] == []


def test_tests_are_short() -> None:
    assert percentile((each.lines for each in TESTS), 0.5) <= 15
    assert [f"{each.where} {each.name}" for each in TESTS if each.lines > 80] == []
