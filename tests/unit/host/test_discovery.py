"""What lies on disk is read, never run, never followed, and never hides another."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from somnus_plugins.errors import InvalidManifest, NotAPlugin
from somnus_plugins.host.discovery import MANIFEST_MAX_BYTES, read_directory, scan_paths, scan_ring
from tests.support.plugins import write_plugin


def ring_plugin(ring: Path, publisher: str, name: str, version: str) -> Path:
    """A plugin where a ring has it."""
    place = ring / publisher / name
    place.mkdir(parents=True, exist_ok=True)
    directory = write_plugin(
        place, name, version=version, prelude="raise SystemExit\n", somnus=f'publisher = "{publisher}"'
    )
    return directory.rename(place / version)


def test_a_plugin_is_read_and_not_run(tmp_path: Path) -> None:
    directory = write_plugin(tmp_path, "notes", "raise SystemExit('it was run')")

    found = read_directory(directory)

    assert (found.plugin, found.ring, found.error, found.contributions) == ("local/notes", "local", None, None)
    assert found.manifest is not None
    assert found.manifest.version == "0.1.0"


def test_what_is_no_plugin_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for directory in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotAPlugin, match=r"has no pyproject\.toml"):
            read_directory(directory)


def test_a_broken_plugin_is_listed_with_its_problem_and_hides_no_other(tmp_path: Path) -> None:
    write_plugin(tmp_path / "a", "good")
    for folder in ("a", "b"):
        broken = write_plugin(tmp_path / folder, "broken")
        (broken / "pyproject.toml").write_text("[tool.somnus\n")

    found = list(scan_paths([tmp_path / "a", tmp_path / "b", tmp_path / "missing"]))

    assert [each.error is None for each in found] == [False, True, False]
    assert len({each.plugin for each in found}) == 3
    assert all(isinstance(each.error, InvalidManifest) for each in found if each.manifest is None)


@pytest.mark.parametrize("name", ["pyproject.toml", "contributions.json"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "oversized", "unreadable", "loop", "device"])
def test_a_file_that_is_none_is_refused_at_once(tmp_path: Path, name: str, kind: str) -> None:
    file = write_plugin(tmp_path, "odd") / name
    file.unlink(missing_ok=True)
    match kind:
        case "link":
            (tmp_path / "real").write_text("[project]\nname = 'odd'\n")
            file.symlink_to(tmp_path / "real")
        case "loop":
            file.symlink_to(file.name)
        case "fifo":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "device":
            file.symlink_to("/dev/zero")
        case "oversized":
            with file.open("wb") as large:
                large.truncate(64 * MANIFEST_MAX_BYTES)
        case "unreadable":
            file.write_bytes(b"\xff\xfe\x00[")
    before = len(os.listdir("/proc/self/fd"))

    (found,) = scan_paths([tmp_path])

    assert isinstance(found.error, InvalidManifest)
    assert str(file) in str(found.error) + str(found.error.data) or kind == "unreadable"
    assert len(os.listdir("/proc/self/fd")) == before


def test_links_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    real = write_plugin(tmp_path / "elsewhere", "linked")
    ring = tmp_path / "ring"
    ring.mkdir()
    (ring / "linked").symlink_to(real)
    write_plugin(ring, ".hidden")

    assert list(scan_paths([ring])) == []
    (ring / "pub").symlink_to(tmp_path / "elsewhere")
    assert list(scan_ring(ring, "installed")) == []


def test_of_several_versions_the_newest_counts(tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "1.10rc1", "1.2"):
        ring_plugin(tmp_path, "acme", "notes", version)
    (tmp_path / "acme" / "notes" / "not-a-version").mkdir()

    (found,) = scan_ring(tmp_path, "installed")

    assert found.manifest is not None
    assert (found.plugin, found.manifest.version, found.ring) == ("acme/notes", "1.10", "installed")


def test_a_plugin_that_lies_where_another_belongs_is_none(tmp_path: Path) -> None:
    ring_plugin(tmp_path, "acme", "notes", "1.0")
    (tmp_path / "acme").rename(tmp_path / "trusted")

    (found,) = scan_ring(tmp_path, "community")

    assert found.manifest is None
    assert isinstance(found.error, InvalidManifest)
    assert "trusted/notes belongs, but its manifest says acme/notes" in str(found.error)


def test_broken_plugins_of_one_version_do_not_hide_each_other(tmp_path: Path) -> None:
    for publisher in ("one", "two"):
        directory = ring_plugin(tmp_path, publisher, "notes", "1.0")
        (directory / "pyproject.toml").write_text("")

    found = list(scan_ring(tmp_path, "installed"))

    assert len({each.plugin for each in found}) == 2
    assert all(each.error is not None for each in found)


def test_a_name_that_is_no_text_breaks_no_listing(tmp_path: Path) -> None:
    write_plugin(tmp_path, "good")
    write_plugin(tmp_path, "odd").rename(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff"))
    os.mkdir(os.fsencode(tmp_path) + b"/none\xfe")

    good, odd = scan_paths([tmp_path])

    assert (good.plugin, good.error) == ("local/good", None)
    assert odd.plugin == f"?{tmp_path}/odd\\xff"
    assert odd.manifest is None
    assert msgspec.json.decode(msgspec.json.encode([odd.plugin, str(odd.error)]))[0] == odd.plugin
    with pytest.raises(NotAPlugin) as none:
        read_directory(Path(os.fsdecode(os.fsencode(tmp_path) + b"/none\xfe")))
    assert msgspec.json.encode(str(none.value))


@pytest.mark.parametrize("name", ["pyproject.toml", "contributions.json"])
@pytest.mark.parametrize("kind", ["folder", "link", "oversized"])
def test_what_is_wrong_below_such_a_name_can_be_told(tmp_path: Path, name: str, kind: str) -> None:
    directory = write_plugin(tmp_path, "odd").rename(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff"))
    (directory / name).unlink(missing_ok=True)
    match kind:
        case "folder":
            (directory / name).mkdir()
        case "link":
            (directory / name).symlink_to("elsewhere")
        case "oversized":
            with (directory / name).open("wb") as large:
                large.truncate(64 * MANIFEST_MAX_BYTES)

    (found,) = scan_paths([tmp_path])

    assert found.error is not None
    assert b"odd" in msgspec.msgpack.encode(found.error.to_record())


def test_a_ring_folder_that_is_no_text_is_said_with_its_place(tmp_path: Path) -> None:
    ring_plugin(tmp_path, "acme", "notes", "1.0")
    (tmp_path / "acme").rename(os.fsdecode(os.fsencode(tmp_path) + b"/acme\xff"))

    (found,) = scan_ring(tmp_path, "installed")

    assert found.manifest is None
    assert msgspec.json.encode([found.plugin, str(found.error)])


def test_a_folder_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    write_plugin(tmp_path / "a", "good")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    found = list(scan_paths([loop, tmp_path / ("x" * 300), Path("nul\0"), tmp_path / "a"]))

    assert [each.plugin for each in found] == ["local/good"]
    assert found[0].error is None
