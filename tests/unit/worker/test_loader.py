"""A plugin is imported from its own directory, checked, given its settings, and made."""

from __future__ import annotations

import logging
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, Field, field_validator

from somnus_plugins.errors import InvalidPlugin, PluginRaised, TemporaryError
from somnus_plugins.sdk import Plugin
from somnus_plugins.wire.methods import LoadOrder
from somnus_plugins.worker.loader import Loaded, assemble, load

from .serving import loaded_of, order_of

NUMBERS = count()
HEAD = "from somnus_plugins.sdk import Plugin, tool\n"
Loading = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def paths() -> Iterator[None]:
    before = list(sys.path), sys.pycache_prefix, sys.dont_write_bytecode
    yield
    sys.path[:], sys.pycache_prefix, sys.dont_write_bytecode = before


@pytest.fixture
def load_source(tmp_path: Path) -> Loading:
    """Load a plugin of one module with a name of its own; `{name}` in the source is that name."""

    def loading(source: str, attribute: str = "Notes", **changes: Any) -> Loaded:
        name = f"loaded_plugin_{next(NUMBERS)}"
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text(HEAD + textwrap.dedent(source).replace("{name}", name))
        facts = {
            "entry_module": name,
            "entry_attribute": attribute,
            "directory": str(tmp_path),
            "import_paths": (str(tmp_path), str(tmp_path / "src")),
            "cache": str(tmp_path / "cache"),
        }
        return load(order_of(**(facts | changes)))

    return loading


def test_a_plugin_is_imported_and_made(load_source: Loading) -> None:
    loaded = load_source("class Notes(Plugin): ...")

    assert loaded.plugin is not None
    assert type(loaded.plugin).__name__ == "Notes"
    assert loaded.announcement.setup_problem == ""
    assert len(loaded.announcement.fingerprint) == 64


def test_it_finds_itself_in_its_surroundings(load_source: Loading) -> None:
    plugin = load_source("class Notes(Plugin): ...").plugin

    assert plugin is not None
    assert (plugin.id, plugin.version, plugin.mount, plugin.base_path) == (
        "somnus/notes",
        "1.2.3",
        "notes",
        "/plugins/notes",
    )
    assert plugin.data == Path("/nowhere/data")
    assert plugin.cache.name == "cache"
    assert plugin.log is logging.getLogger("somnus.plugin.somnus.notes")


def test_the_announcement_tells_state_version_and_preparation(load_source: Loading) -> None:
    plain = load_source("class Notes(Plugin): ...").announcement
    full = load_source(
        """
        class Notes(Plugin):
            state_version = 4
            async def on_prepare(self): ...
        """
    ).announcement

    assert (plain.state_version, plain.wants_prepare) == (1, False)
    assert (full.state_version, full.wants_prepare) == (4, True)


def test_the_plugins_paths_come_before_those_of_the_base(load_source: Loading, tmp_path: Path) -> None:
    before = list(sys.path)

    load_source("class Notes(Plugin): ...")

    assert sys.path[:2] == [str(tmp_path), str(tmp_path / "src")]
    assert sys.path[2:] == before


def test_a_path_that_is_there_already_is_moved_to_the_front(load_source: Loading, tmp_path: Path) -> None:
    sys.path.append(str(tmp_path))

    load_source("class Notes(Plugin): ...")

    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[0] == str(tmp_path)


def test_a_sub_module_may_be_the_entry(tmp_path: Path) -> None:
    package = tmp_path / "src" / "deep_plugin"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "main.py").write_text(HEAD + "class Notes(Plugin): ...\n")

    loaded = load(
        order_of(
            entry_module="deep_plugin.main",
            directory=str(tmp_path),
            import_paths=(str(tmp_path), f"{tmp_path}/src"),
            cache=str(tmp_path),
        )
    )

    assert loaded.plugin is not None
    assert type(loaded.plugin).__module__ == "deep_plugin.main"


def test_bytecode_lies_in_the_plugins_cache_and_never_beside_its_code(load_source: Loading, tmp_path: Path) -> None:
    load_source("class Notes(Plugin): ...")

    assert list((tmp_path / "cache" / "bytecode").rglob("*.pyc"))
    assert not list(tmp_path.glob("loaded_plugin_*/__pycache__"))


def alone(module: str, directory: Path) -> LoadOrder:
    """An order for one module in one directory."""
    path = str(directory)
    return order_of(entry_module=module, directory=path, import_paths=(path,), cache=path)


# --- the entry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("", "found nothing"),
        ("Notes = 3", "found a int"),
        ("class Notes: ...", "Notes'>"),
        ("Notes = Plugin", "somnus_plugins.sdk.plugin.Plugin'>"),
        ("def Notes(): ...", "found a function"),
    ],
)
def test_an_entry_that_is_no_plugin_is_refused_with_what_was_found(
    load_source: Loading, source: str, found: str
) -> None:
    with pytest.raises(InvalidPlugin, match="allowed is a subclass of") as caught:
        load_source(source)

    assert found in caught.value.message
    assert "__init__.py" in caught.value.message
    assert "`entry`" in caught.value.remedy


def test_the_plugins_that_are_there_are_named(load_source: Loading) -> None:
    with pytest.raises(InvalidPlugin, match="there are Diary, Journal") as caught:
        load_source("class Journal(Plugin): ...\nclass Diary(Plugin): ...")

    assert ":Notes" in caught.value.message


def test_a_module_of_python_with_the_same_name_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text(HEAD + "class Notes(Plugin): ...\n")

    with pytest.raises(InvalidPlugin, match="entry module 'queue' was found in") as caught:
        load(
            order_of(entry_module="queue", directory=str(tmp_path), import_paths=(str(tmp_path),), cache=str(tmp_path))
        )

    assert "queue.py" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert "rename the plugin's package" in caught.value.remedy


def test_a_module_inside_the_interpreter_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlugin, match="'sys' was found in the interpreter itself"):
        load(alone("sys", tmp_path))
    assert sys.path[0] == str(tmp_path)


def test_a_missing_entry_module_is_a_matter_of_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlugin, match="there is no module 'gone_plugin'") as caught:
        load(
            order_of(
                entry_module="gone_plugin", directory=str(tmp_path), import_paths=(str(tmp_path),), cache=str(tmp_path)
            )
        )

    assert str(tmp_path) in caught.value.message
    assert "`entry`" in caught.value.remedy


def test_a_missing_dependency_is_a_matter_of_dependencies(load_source: Loading) -> None:
    with pytest.raises(InvalidPlugin, match="no module 'surely_not_installed'") as caught:
        load_source("import surely_not_installed.deeper")

    assert caught.value.data == {"class": "ModuleNotFoundError", "module": "surely_not_installed"}
    assert "`dependencies`" in caught.value.remedy


# --- what the author's code raises -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("raise ValueError('secret words')", "ValueError"),
        ("import sys; sys.exit('secret words')", "SystemExit"),
        ("raise KeyboardInterrupt('secret words')", "KeyboardInterrupt"),
        ("raise BaseException('secret words')", "BaseException"),
        ("1 / 0", "ZeroDivisionError"),
        ("from os import secret_words", "ImportError"),
    ],
)
def test_what_a_module_raises_is_told_as_class_file_and_line(
    load_source: Loading, statement: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PluginRaised) as caught:
        load_source(f"\n\n{statement}\n")

    assert caught.value.data["class"] == name
    assert caught.value.data["file"].endswith("__init__.py")
    assert caught.value.data["line"] == 4
    assert "secret" not in caught.value.message
    assert statement.split(";")[-1].strip() in caplog.text


def test_a_syntax_error_is_told_with_its_line(load_source: Loading) -> None:
    with pytest.raises(PluginRaised, match="SyntaxError in import of") as caught:
        load_source("x = 1\ndef broken(:\n")

    assert caught.value.data["line"] == 3
    assert caught.value.data["file"].endswith("__init__.py")


def test_the_innermost_line_of_the_authors_own_is_told(load_source: Loading, tmp_path: Path) -> None:
    (tmp_path / "inner_of_plugin.py").write_text("import json\ndef parse():\n    return json.loads('{')\n")

    with pytest.raises(PluginRaised) as caught:
        load_source("import inner_of_plugin\ninner_of_plugin.parse()")

    assert (caught.value.data["file"], caught.value.data["line"]) == ("inner_of_plugin.py", 3)
    assert caught.value.data["class"] == "JSONDecodeError"


def test_a_constructor_that_raises_is_named(load_source: Loading) -> None:
    with pytest.raises(PluginRaised, match=r"OSError in Notes\.__init__ \(.*line 4\)") as caught:
        load_source(
            """class Notes(Plugin):
                def __init__(self):
                    raise OSError("secret words")
            """
        )
    assert caught.value.data["line"] == 4


def test_an_error_that_an_author_means_to_be_read_is_passed_on(load_source: Loading) -> None:
    with pytest.raises(TemporaryError, match="the disk sleeps") as caught:
        load_source("from somnus_plugins.sdk import TemporaryError\nraise TemporaryError('the disk sleeps', 3)")

    assert caught.value.delay_s == 3


def test_a_decorator_that_refuses_is_heard_word_for_word(load_source: Loading) -> None:
    with pytest.raises(InvalidPlugin, match="'bad name' is not a name of a tool") as caught:
        load_source(
            """
            class Notes(Plugin):
                @tool(name="bad name")
                def search(self): ...
            """
        )
    assert caught.value.remedy


# --- settings --------------------------------------------------------------------------------------------------------


class Model(BaseModel):
    folder: str
    size: int = Field(1, ge=1, le=9)


@dataclass
class Data:
    folder: Path
    size: int = 1


class Struct(msgspec.Struct):
    folder: str
    size: int = 1


class WithModel(Plugin):
    """Settings as a pydantic model."""

    config: Model


class WithData(Plugin):
    """Settings as a dataclass."""

    config: Data


class WithStruct(Plugin):
    """Settings as a Struct."""

    config: Struct


class Heir(WithModel):
    """Settings of its base."""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (WithModel, Model(folder="/x", size=2)),
        (WithData, Data(Path("/x"), 2)),
        (WithStruct, Struct("/x", 2)),
        (Heir, Model(folder="/x", size=2)),
    ],
)
def test_settings_are_an_instance_of_the_authors_class(kind: type[Plugin], expected: Any) -> None:
    loaded = loaded_of(kind, folder="/x", size=2)

    assert loaded.plugin is not None
    assert loaded.plugin.config == expected
    assert loaded.announcement.setup_problem == ""


@pytest.mark.parametrize("kind", [WithModel, WithData, WithStruct, Heir])
def test_settings_that_do_not_fit_are_a_problem_and_no_instance(kind: type[Plugin]) -> None:
    missing = loaded_of(kind)
    wrong = loaded_of(kind, folder="/x", size="many")

    assert missing.plugin is wrong.plugin is None
    assert "folder" in missing.announcement.setup_problem
    assert "size" in wrong.announcement.setup_problem


def test_a_setup_problem_says_what_was_found_and_what_is_allowed() -> None:
    problem = loaded_of(WithModel, folder="/x", size=99).announcement.setup_problem

    assert problem == "$.size: found 99; allowed: less than or equal to 9"
    assert loaded_of(WithModel).announcement.setup_problem.startswith("$.folder: found nothing")


def test_a_plugin_without_settings_takes_none() -> None:
    class Bare(Plugin): ...

    plain, given = loaded_of(Bare), loaded_of(Bare, folder="/x")

    assert plain.plugin is not None
    assert plain.plugin.config is None
    assert given.plugin is None
    assert given.announcement.setup_problem == "the plugin has no settings; found folder"


class Raising(BaseModel):
    folder: str

    @field_validator("folder")
    @classmethod
    def fails(cls, folder: str) -> str:
        raise OSError("secret words")


def test_a_validator_that_raises_anything_else_is_told_as_its_class() -> None:
    class WithRaising(Plugin):
        config: Raising

    WithRaising.__annotations__["config"] = Raising
    with pytest.raises(PluginRaised, match="OSError in the settings") as caught:
        loaded_of(WithRaising, folder="x")
    assert "secret" not in caught.value.message


def test_an_annotation_that_does_not_exist_is_refused() -> None:
    class Lost(Plugin):
        config: Missing  # type: ignore[name-defined]  # noqa: F821  # the very mistake

    with pytest.raises(InvalidPlugin, match=r"Lost\.config: the annotation cannot be resolved") as caught:
        assemble(Lost, order_of())
    assert "before the plugin" in caught.value.remedy


def test_an_annotation_without_a_schema_is_refused() -> None:
    class Odd(Plugin):
        config: Loaded

    Odd.__annotations__["config"] = Iterator[Loaded] | object().__class__ | Plugin
    with pytest.raises(InvalidPlugin, match=r"Odd\.config: the annotation has no schema"):
        assemble(Odd, order_of())
    assert Odd.__annotations__["config"] is not Loaded
