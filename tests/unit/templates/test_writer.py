"""Writing a plugin from a template: names, places, and what is written."""

from __future__ import annotations

import ast
import stat
from pathlib import Path

import pytest

from somnus_plugins.errors import UsageError
from somnus_plugins.templates import KINDS, write_plugin
from somnus_plugins.testing import PluginFactory
from somnus_plugins.trust.manifest import PluginType, parse_manifest
from somnus_plugins.trust.manifest.lints import PluginFacts, run_lints

EVERY = [(kind, minimal) for kind in KINDS for minimal in (False, True)]
NAMES = [
    ("MyPlugin", "my-plugin", "my_plugin:MyPlugin"),
    ("HTTP probe 2", "http-probe-2", "http_probe_2:HttpProbe2"),
    ("notes", "notes", "notes:Notes"),
    ("Plugin", "plugin", "plugin:PluginPlugin"),
    ("bookmark", "bookmark", "bookmark:BookmarkPlugin"),
    ("class", "class", "class_plugin:Class"),
    ("none", "none", "none:NonePlugin"),
    ("json", "json", "json_plugin:Json"),
    ("tests", "tests", "tests_plugin:Tests"),
    ("fastapi", "fastapi", "fastapi_plugin:Fastapi"),
]


def files_of(directory: Path) -> frozenset[str]:
    """Every file below, with `/`."""
    return frozenset(str(each.relative_to(directory)) for each in directory.rglob("*") if each.is_file())


@pytest.mark.parametrize(("kind", "minimal"), EVERY)
def test_what_is_written_is_a_plugin_without_a_finding(tmp_path: Path, kind: str, minimal: bool) -> None:
    created = write_plugin(tmp_path / "new", "MyPlugin", kind, publisher="ada", minimal=minimal)
    manifest = parse_manifest((created.directory / "pyproject.toml").read_bytes())

    assert str(manifest.id) == "ada/my-plugin"
    assert (manifest.type, str(manifest.entry)) == (PluginType(kind), "my_plugin:MyPlugin")
    assert run_lints(manifest, PluginFacts(files=files_of(created.directory))) == ()
    assert manifest.permissions == type(manifest.permissions)()


@pytest.mark.parametrize(("kind", "minimal"), EVERY)
def test_every_file_is_named_whole_and_without_a_trace_of_the_template(
    tmp_path: Path, kind: str, minimal: bool
) -> None:
    created = write_plugin(tmp_path / "new", "MyPlugin", kind, minimal=minimal)
    texts = {file: (created.directory / file).read_text() for file in created.files}

    assert files_of(created.directory) == {str(file) for file in created.files}
    assert list(created.files) == sorted(created.files)
    assert {"README.md", "icon.svg", "pyproject.toml", "tests/test_my_plugin.py"} <= set(map(str, created.files))
    assert [file for file, text in texts.items() if "{%" in text or "__package__" in text or ".j2" in text] == []
    assert [file for file, text in texts.items() if text != text.rstrip() + "\n"] == []


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "minimal"), EVERY)
async def test_what_is_written_starts_and_adds_what_its_type_stands_for(
    tmp_path: Path, plugin_factory: PluginFactory, kind: str, minimal: bool
) -> None:
    created = write_plugin(tmp_path / "new", "MyPlugin", kind, minimal=minimal)
    async with plugin_factory(directory=created.directory) as plugin:
        facts = PluginFacts(files=files_of(created.directory), contributions=plugin.contributions)

        assert run_lints(plugin.manifest, facts) == ()
        assert plugin.contributions.tools or plugin.contributions.routes


@pytest.mark.parametrize(("text", "name", "entry"), NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_text_becomes_names_that_no_other_package_or_class_has(
    tmp_path: Path, kind: str, text: str, name: str, entry: str
) -> None:
    created = write_plugin(tmp_path / "new", text, kind)
    manifest = parse_manifest((created.directory / "pyproject.toml").read_bytes())
    module = ast.parse((created.directory / manifest.entry.module / "__init__.py").read_text())
    classes = [node.name for node in module.body if isinstance(node, ast.ClassDef)]

    assert (created.name, manifest.name, str(manifest.entry)) == (name, name, entry)
    assert manifest.entry.attribute in classes


def test_a_new_directory_is_made_with_its_parents_and_nothing_beside_it(tmp_path: Path) -> None:
    created = write_plugin(tmp_path / "a" / "b", "notes", KINDS[0])

    assert created.directory == tmp_path / "a" / "b"
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["b"]
    assert stat.S_IMODE(created.directory.stat().st_mode) & 0o500 == 0o500
    assert stat.S_IMODE(created.directory.stat().st_mode) == stat.S_IMODE((tmp_path / "a").stat().st_mode)


def test_an_empty_directory_stays_the_same_one(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    inode = here.stat().st_ino
    created = write_plugin(here, "notes", KINDS[0])

    assert here.stat().st_ino == inode
    assert files_of(here) == {str(file) for file in created.files}


@pytest.mark.parametrize(
    ("name", "kind", "publisher", "says"),
    [
        ("!!!", KINDS[0], "local", "no plugin name can be made"),
        ("docs", KINDS[0], "local", "reserved"),
        ("notes", "creative_engine", "local", "available are api_extension, tool_integration"),
        ("notes", "nonsense", "local", "available are api_extension, tool_integration"),
        ("notes", KINDS[0], "Ada!", "publisher"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    tmp_path: Path, name: str, kind: str, publisher: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        write_plugin(tmp_path / "new", name, kind, publisher=publisher)

    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"mine-{number}").write_text("mine")
    file = tmp_path / "mine-0"

    with pytest.raises(UsageError, match="mine-0, mine-1, mine-2 …"):
        write_plugin(tmp_path, "notes", KINDS[0])
    with pytest.raises(UsageError, match="is a file"):
        write_plugin(file, "notes", KINDS[0])
    assert len(list(tmp_path.iterdir())) == 5
    assert file.read_text() == "mine"


def test_a_directory_that_cannot_be_written_to_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(OSError, match="file"):
        write_plugin(tmp_path / "file" / "below", "notes", KINDS[0])
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
