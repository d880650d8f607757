"""The hash of a plan stands for all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from somnus_plugins.errors import ConsentRequired, InvalidManifest, NameTaken, PlanChanged, PluginRaised, UsageError
from somnus_plugins.host.home import Home
from somnus_plugins.host.installer import Installer
from somnus_plugins.host.registry import Registry
from somnus_plugins.runtime.nursery import Nursery
from tests.support.plugins import short_settings, write_plugin

pytestmark = pytest.mark.anyio

CODE = "class Main(Plugin):\n    @tool\n    async def go(self, a: int = 1) -> int:\n        'Go.'\n        return a\n"


@dataclass
class Workshop:
    """An installer with a registry, and the folder it works in."""

    root: Path
    registry: Registry
    installer: Installer


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def nursery(anyio_backend: str) -> AsyncIterator[Nursery]:
    opened = Nursery(short_settings())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def workshop(tmp_path: Path, nursery: Nursery) -> Workshop:
    home = Home(tmp_path / "home")
    registry = Registry(home.registry)
    return Workshop(tmp_path, registry, Installer(home, registry, nursery, short_settings()))


async def test_the_same_directory_gives_the_same_plan(workshop: Workshop) -> None:
    directory = write_plugin(workshop.root, "notes", CODE)

    one, two = [await workshop.installer.plan(directory) for _ in range(2)]

    assert one == two
    assert (len(one.hash), len(one.content)) == (64, 64)
    assert one.adds == ("added tool go",)
    assert not (directory / "contributions.json").exists()
    assert workshop.registry.entries() == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0.1.1"},
        {"code": CODE.replace("Go.", "Go!")},
        {"code": CODE.replace("a: int = 1", "a: int = 2")},
        {"somnus": "tags = ['x']"},
        {"somnus": "[tool.somnus.permissions]\nnetwork = ['example.com']"},
        {"somnus": "[tool.somnus.limits]\nmemory_mb = 512"},
    ],
    ids=lambda change: next(iter(change.values())).splitlines()[0][:30],
)
async def test_whatever_changes_changes_the_hash(workshop: Workshop, change: dict[str, Any]) -> None:
    before = await workshop.installer.plan(write_plugin(workshop.root, "notes", CODE))
    after = await workshop.installer.plan(write_plugin(workshop.root, "notes", **({"code": CODE} | change)))

    assert after.hash != before.hash
    with pytest.raises(PlanChanged, match="local/notes has changed"):
        await workshop.installer.apply(before)
    assert workshop.registry.entries() == []
    assert (await workshop.installer.apply(after)).plan == after.hash


async def test_a_plan_that_was_edited_on_the_way_is_not_applied(workshop: Workshop) -> None:
    plan = await workshop.installer.plan(write_plugin(workshop.root, "notes", CODE))

    for forged in ({"mount": "other"}, {"version": "9.9"}, {"permissions": ()}, {"fingerprint": "0" * 64}):
        if any(getattr(plan, key) != value for key, value in forged.items()):
            with pytest.raises(PlanChanged):
                await workshop.installer.apply(msgspec.structs.replace(plan, hash="0" * 64, **forged))
    with pytest.raises(ConsentRequired) as raised:
        await workshop.installer.apply(plan, "0" * 64)

    assert raised.value.data["plan"]["hash"] == plan.hash
    assert workshop.registry.entries() == []
    assert (await workshop.installer.apply(plan, plan.hash)).mount == "notes"


async def test_what_is_installed_is_part_of_the_plan(workshop: Workshop) -> None:
    directory = write_plugin(workshop.root, "notes", CODE)
    first = await workshop.installer.plan(directory)
    await workshop.installer.apply(first)
    again = await workshop.installer.plan(directory)

    assert (again.replaces, again.adds) == ("0.1.0", ())
    assert again.hash != first.hash
    assert (await workshop.installer.apply(again)).generation == 2
    rival = write_plugin(workshop.root, "rival", CODE)
    with pytest.raises(NameTaken):
        await workshop.installer.plan(rival, "notes")
    with pytest.raises(UsageError, match="not a mount"):
        await workshop.installer.plan(rival, "../x")


async def test_what_cannot_be_read_or_loaded_is_no_plan(workshop: Workshop) -> None:
    broken = write_plugin(workshop.root, "broken", CODE)
    (broken / "pyproject.toml").write_text("[project")
    raising = write_plugin(workshop.root, "raising", "1/0\n")

    with pytest.raises(InvalidManifest):
        await workshop.installer.plan(broken)
    with pytest.raises(PluginRaised, match="ZeroDivisionError"):
        await workshop.installer.plan(raising)
    assert workshop.registry.entries() == []


async def test_another_mount_is_told_and_part_of_what_is_agreed_to(workshop: Workshop) -> None:
    directory = write_plugin(workshop.root, "notes", CODE)
    await workshop.installer.apply(await workshop.installer.plan(directory))
    same, moved = await workshop.installer.plan(directory), await workshop.installer.plan(directory, "n2")

    assert (same.adds, moved.adds) == ((), ("changed mount notes → n2",))
    assert moved.hash != same.hash
    assert (await workshop.installer.apply(moved)).mount == "n2"
