"""What a person sees of something that takes time."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from somnus_plugins.cli.activity import Activity

pytestmark = pytest.mark.anyio


def watched() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=80, color_system=None), file


async def test_what_is_quick_shows_nothing() -> None:
    console, file = watched()

    with Activity(console, "looking"):
        await asyncio.sleep(0)

    assert file.getvalue() == ""
    assert console.is_terminal


async def test_progress_is_shown_with_its_share_and_goes_without_a_trace() -> None:
    console, file = watched()

    with Activity(console, "notes ingest") as activity:
        activity.advance(1, 4, "reading \x1b[2J[red]")

    shown = file.getvalue()
    assert "reading \\x1b[2J[red]" in shown
    assert "25%" in shown
    assert shown.endswith("\x1b[2K")


async def test_progress_without_a_total_has_no_share() -> None:
    console, file = watched()

    with Activity(console, "notes ingest") as activity:
        activity.advance(3, None, "")

    assert "notes ingest" in file.getvalue()
    assert "%" not in file.getvalue()


async def test_without_a_terminal_nothing_is_shown() -> None:
    file = io.StringIO()

    with Activity(Console(file=file), "looking") as activity:
        activity.advance(1, 2, "reading")

    assert file.getvalue() == ""


async def test_it_makes_room_and_comes_back() -> None:
    console, file = watched()

    with Activity(console, "looking") as activity:
        activity.advance(1, 2, "one")
        activity.pause()
        quiet = file.tell()
        console.file.write("an item\n")
        activity.advance(2, 2, "two")

    assert file.getvalue()[quiet:].startswith("an item\n")
    assert "two" in file.getvalue()[quiet:]
