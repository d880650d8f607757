"""Who may import whom: the source against floors.toml, and the check against sources that break it."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path

import pytest

from tests.architecture.floors import Floors, circles
from tests.architecture.source_tree import ROOT, Module, product, read_package

FLOORS = Floors.read(ROOT / "floors.toml")


def test_no_import_of_the_product_breaks_a_floor() -> None:
    faults = FLOORS.faults(product())

    assert faults == [], "\n".join(faults)


def test_no_modules_of_the_product_import_each_other_in_a_circle() -> None:
    assert list(circles(product())) == []


def test_every_room_on_a_floor_has_modules() -> None:
    assert FLOORS.empty_rooms(product()) == []


def test_every_rule_says_why() -> None:
    assert len(FLOORS.reasons) > 10
    assert all(len(reason.split()) >= 3 for reason in FLOORS.reasons)


def test_every_dependency_has_its_rooms_and_its_weighing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {line.split(">")[0].split(";")[0].strip() for line in project["dependencies"]}
    weighed = (ROOT / "docs" / "adr" / "0002-dependencies.md").read_text(encoding="utf-8")

    assert {each.name for each in FLOORS.libraries if not each.optional} == declared
    assert [name for name in declared if f"| `{name}` |" not in weighed] == []


def test_an_optional_library_is_no_dependency_and_stays_in_its_rooms() -> None:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    development = " ".join(tables["dependency-groups"]["dev"])
    optional = [each for each in FLOORS.libraries if each.optional]

    assert [each.name for each in optional] == ["pytest"]
    assert all(each.rooms and each.name in development for each in optional)


# --- the check itself ------------------------------------------------------------------------------------------------

RULES = """
    [[floor]]
    rooms = ["errors"]
    reason = "everyone raises"

    [[floor]]
    rooms = ["wire", "trust"]
    reason = "both sides and the rules"

    [[floor]]
    rooms = ["wire.peer"]
    reason = "a room inside a room"

    [[floor]]
    rooms = ["host"]
    reason = "brings together"

    [[floor]]
    rooms = ["__init__"]
    reason = "the face"

    [[never]]
    room = "host"
    imports = ["trust"]
    reason = "Said so."

    [[library]]
    name = "msgspec"
    imports = ["msgspec"]
    rooms = ["wire"]
    reason = "Only the codec."
"""


@pytest.fixture
def rules(tmp_path: Path) -> Floors:
    file = tmp_path / "floors.toml"
    file.write_text(textwrap.dedent(RULES), encoding="utf-8")
    return Floors.read(file)


def shop(folder: Path, sources: dict[str, str]) -> list[Module]:
    """A package that stands on every floor of `RULES`, with the given files in it."""
    rooms = dict.fromkeys(["__init__", "errors", "wire/__init__", "wire/peer", "trust/__init__", "host/__init__"], "")
    for name, source in {**rooms, **sources}.items():
        file = folder / "shop" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return list(read_package(folder / "shop"))


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("host/doors", "from shop.wire import peer\nimport shop.errors"),
        ("wire/peer", "from . import frames\nfrom ..errors import Boom"),
        ("wire/codec", "import struct\nimport msgspec.msgpack"),
        ("errors", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from numpy import ndarray"),
        ("trust/rules", "from shop.trust import other"),
    ],
)
def test_an_import_from_a_lower_floor_passes(rules: Floors, tmp_path: Path, room: str, source: str) -> None:
    modules = shop(tmp_path, {room: source})

    assert len(next(each for each in modules if each.path.match(f"{room}.py")).imports) >= 1
    assert rules.faults(modules) == []


@pytest.mark.parametrize(
    ("room", "source", "fault"),
    [
        ("errors", "import shop.host", "errors.py:1 imports shop.host (load): host stands above errors"),
        (
            "errors",
            "def f():\n    from shop import host",
            "errors.py:2 imports shop.host (lazy): host stands above errors",
        ),
        (
            "errors",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.host import Host",
            "errors.py:3 imports shop.host (typing): host stands above errors",
        ),
        (
            "errors",
            "from .wire.peer import Peer",
            "errors.py:1 imports shop.wire.peer (load): wire.peer stands above errors",
        ),
        ("trust/a", "import shop.wire", "a.py:1 imports shop.wire (load): trust and wire are neighbours on one floor"),
        ("wire/a", "from . import peer", "a.py:1 imports shop.wire.peer (load): wire.peer stands above wire"),
        ("host/a", "import shop.trust", "a.py:1 imports shop.trust (load): host never imports trust. Said so."),
        (
            "host/a",
            "class A:\n    async def f(self):\n        import msgspec",
            "a.py:3 imports msgspec (lazy), which only wire may. Only the codec.",
        ),
        ("wire/a", "import numpy.linalg", "a.py:1 imports numpy, which no library of floors.toml brings"),
        ("attic", "", "attic.py stands on no floor: give its room a place in floors.toml"),
    ],
)
def test_an_import_that_breaks_a_floor_is_named_with_its_place(
    rules: Floors, tmp_path: Path, room: str, source: str, fault: str
) -> None:
    assert rules.faults(shop(tmp_path, {room: source})) == [fault]


@pytest.mark.parametrize("inner", ["from shop import errors", "def f():\n    import shop.errors"])
def test_modules_that_need_each_other_to_run_are_a_circle(tmp_path: Path, inner: str) -> None:
    modules = shop(
        tmp_path, {"errors": "import shop.wire", "wire/__init__": "import shop.wire.peer", "wire/peer": inner}
    )

    assert list(circles(modules)) == ["shop.errors ⇄ shop.wire ⇄ shop.wire.peer"]


def test_a_circle_for_the_type_checker_only_is_none(tmp_path: Path) -> None:
    modules = shop(
        tmp_path, {"errors": "import shop.wire", "wire/__init__": "if TYPE_CHECKING:\n    import shop.errors"}
    )

    assert list(circles(modules)) == []
    assert [each.kind for module in modules for each in module.imports] == ["load", "typing"]


def test_a_room_without_modules_is_named(rules: Floors, tmp_path: Path) -> None:
    assert rules.empty_rooms(shop(tmp_path, {})) == []
    assert rules.empty_rooms(shop(tmp_path / "2", {})[:1]) == ["errors", "host", "trust", "wire", "wire.peer"]


def test_folders_that_are_no_packages_hold_no_modules(tmp_path: Path) -> None:
    modules = shop(tmp_path, {"templates/api/{{ name }}": "not python {{ }}", "host/doors": ""})

    assert "shop.host.doors" in [each.name for each in modules]
    assert not any("templates" in each.name for each in modules)
