"""Which plugins need which."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from somnus_plugins.errors import NotReady
from somnus_plugins.host.order import dependency_order, unmet
from somnus_plugins.trust.manifest import Manifest, parse_manifest


@dataclass(frozen=True)
class Needy:
    """A plugin that is only its manifest."""

    manifest: Manifest

    @property
    def id(self) -> str:
        return str(self.manifest.id)


def needy(name: str, *requires: str, version: str = "1.0") -> Needy:
    text = (
        f'[project]\nname = "{name}"\nversion = "{version}"\n[tool.somnus]\ntype = "tool_integration"\n'
        f'entry = "a:B"\napi = ">=1"\nrequires = {[f"local/{each}" for each in requires]}\n'
    )
    return Needy(parse_manifest(text.encode(), str(Path("pyproject.toml"))))


def served(*plugins: Needy) -> dict[str, Needy]:
    return {each.id: each for each in plugins}


def test_plugins_come_after_those_they_need() -> None:
    plugins = [needy("a", "b", "c"), needy("b", "d"), needy("c", "d"), needy("d"), needy("e", "elsewhere")]

    names = [each.id for each in dependency_order(plugins)]

    assert names == ["local/d", "local/b", "local/c", "local/a", "local/e"]
    assert unmet(plugins[0], served(*plugins)) is None


def test_plugins_in_a_circle_are_all_there_once() -> None:
    circle = [needy("a", "b"), needy("b", "c"), needy("c", "a")]

    assert sorted(each.id for each in dependency_order(circle)) == ["local/a", "local/b", "local/c"]
    problem = unmet(circle[0], served(*circle))
    assert isinstance(problem, NotReady)
    assert "circle: local/a → local/b → local/c → local/a" in str(problem)


def test_a_circle_further_down_is_named_too() -> None:
    plugins = [needy("a", "b"), needy("b", "c"), needy("c", "b")]

    assert "local/a → local/b → local/c → local/b" in str(unmet(plugins[0], served(*plugins)))
    assert [each.id for each in dependency_order(plugins)][-1] == "local/a"


@pytest.mark.parametrize(
    ("plugins", "words"),
    [
        ([needy("a", "b")], "local/b is not installed or not enabled: local/a → local/b"),
        ([needy("a", "b"), needy("b", "c")], "local/c is not installed or not enabled: local/a → local/b → local/c"),
        ([needy("a", "b >=2"), needy("b")], "local/b 1.0 is installed, >=2 is needed: local/a → local/b"),
    ],
)
def test_what_is_missing_is_named_with_its_chain(plugins: list[Needy], words: str) -> None:
    problem = unmet(plugins[0], served(*plugins))

    assert words in str(problem)
    assert problem is not None
    assert "local/" in problem.remedy


def test_a_pre_release_fits_a_range_that_it_lies_in() -> None:
    assert unmet(needy("a", "b >=2"), served(needy("b", version="2.1rc1"))) is None
    assert unmet(needy("a", "b >=2"), served(needy("b", version="2.0rc1"))) is not None


def test_long_chains_and_wide_lattices_are_quick() -> None:
    chain = [needy(f"p{number}", f"p{number + 1}") for number in range(3_000)] + [needy("p3000")]
    layers = [needy(f"l{layer}{side}", f"l{layer + 1}a", f"l{layer + 1}b") for layer in range(40) for side in "ab"] + [
        needy("l40a"),
        needy("l40b"),
    ]

    assert unmet(chain[0], served(*chain)) is None
    assert dependency_order(chain)[0].id == "local/p3000"
    assert unmet(layers[0], served(*layers)) is None
    assert len(dependency_order(layers)) == 82


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_any_graph_without_a_circle_is_ordered(order: list[int], edges: set[tuple[int, int]]) -> None:
    down = {(max(edge), min(edge)) for edge in edges if edge[0] != edge[1]}
    plugins = [needy(f"p{each}", *(f"p{low}" for high, low in sorted(down) if high == each)) for each in order]

    place = {each.id: number for number, each in enumerate(dependency_order(plugins))}

    assert len(place) == 6
    assert all(place[f"local/p{low}"] < place[f"local/p{high}"] for high, low in down)
    assert all(unmet(each, served(*plugins)) is None for each in plugins)
