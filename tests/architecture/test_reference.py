"""The reference pages: written from the code, complete, and the same as what the code would write now."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import subprocess
import sys
import typing
from pathlib import Path

import msgspec
import pytest
import typer.main
from docs import generate
from docs.generator.markdown import prose, signature, table, type_name

import somnus_plugins
from somnus_plugins import errors, sdk, testing
from somnus_plugins.cli.application import VERBS, application
from somnus_plugins.host import views
from somnus_plugins.host.administration import Administration
from somnus_plugins.host.lifecycle import TRANSITIONS, State, Word
from somnus_plugins.host.operations import OPERATIONS
from somnus_plugins.settings import Settings
from somnus_plugins.trust.manifest import manifest_reference
from somnus_plugins.trust.manifest.lints import LINTS
from somnus_plugins.web import inbound, outbound
from somnus_plugins.web.gates import WAYS, Area
from somnus_plugins.wire import frames
from somnus_plugins.wire.methods import HOST_METHODS, WORKER_METHODS
from tests.architecture.source_tree import ROOT, product

REFERENCE = ROOT / "docs" / "reference"


def text_of(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


def headings(page: str) -> list[str]:
    """The headings of a page, without their signs."""
    return [each.strip("`") for each in re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)]


def cells(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page by their first cell."""
    lines = text_of(page).splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    return {row[0]: row for row in rows}


def test_every_generated_page_is_what_the_code_would_write_now() -> None:
    assert set(generate.PAGES) == {each.name for each in REFERENCE.glob("*.md")}
    assert generate.outdated() == [], "run `make docs`"


def test_a_page_that_was_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    pages = {name: page() for name, page in generate.PAGES.items()}
    first, *rest = pages
    for name in rest:
        (tmp_path / name).write_text(pages[name].rstrip() + "\n", encoding="utf-8")
    (tmp_path / first).write_text(pages[first] + "a word more\n", encoding="utf-8")

    assert generate.outdated(tmp_path) == [tmp_path / first]
    generate.write(tmp_path)
    assert generate.outdated(tmp_path) == []


def test_every_setting_stands_in_the_manual_with_its_default_and_its_reason() -> None:
    rows = cells("settings.md")
    hints = typing.get_type_hints(Settings)
    names = {
        f"{g.name}.{each.name}" for g in dataclasses.fields(Settings) for each in dataclasses.fields(hints[g.name])
    }

    assert set(rows) == names
    assert [name for name, row in rows.items() if len(row) != 5 or not row[1] or len(row[4].split()) < 3] == []
    assert [name for name, row in rows.items() if row[3] != f"SOMNUS_{name.upper().replace('.', '__')}"] == []


def test_every_error_stands_in_the_manual_with_its_exit_status_and_its_http_status() -> None:
    rows = cells("errors.md")
    expected = {
        each.code: [each.__name__, each.__bases__[0].__name__, str(each.exit_code), str(each.http_status)]
        for each in errors.error_classes()
        if each.__module__ == errors.__name__
    }

    assert {code: row[1:5] for code, row in rows.items()} == expected
    assert all(row[5].endswith(".") for row in rows.values())


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    lines = [line for line in inspect.cleandoc(errors.__doc__ or "").splitlines() if re.match(r" {4}[│├└S ]", line)]
    above: dict[int, str] = {-1: "Exception"}
    drawn = []
    for line in lines:
        branch, name, code = re.match(r" {4}([│├└─ ]*)(\w+) +(\w+)", line).groups()  # type: ignore[union-attr]  # a line that does not match is a failure
        depth = len(branch) // 4
        above[depth] = name
        drawn.append((name, above[depth - 1], code))

    assert len(drawn) > 30
    assert drawn == [(each.__name__, each.__bases__[0].__name__, each.code) for each in generate.product_errors()]


def test_every_error_of_the_product_stands_in_the_one_tree() -> None:
    tree = {each.__name__ for each in generate.product_errors()}
    elsewhere = [
        f"{each.where} {each.name}"
        for module in product()
        if module.name != errors.__name__
        for each in module.classes
        if not each.name.startswith("_") and set(each.bases) & (tree | {"Exception", "BaseException"})
    ]

    assert elsewhere == []


# --- what each page must hold ----------------------------------------------------------------------------------------


def test_every_verb_stands_in_the_manual_with_its_words_and_its_json() -> None:
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", text_of("cli.md"), re.MULTILINE | re.DOTALL))

    assert [name for name in sections if name in VERBS] == list(VERBS)
    for verb, command in typer.main.get_command(application()).commands.items():  # type: ignore[attr-defined]  # it has verbs, so it is a group
        own = [each for each in command.params if each.rich_help_panel != "Everywhere"]
        words = [each.metavar if each.param_type_name == "argument" else each.opts[0] for each in own]
        assert [word for word in words if f"| `{word}" not in sections[verb]] == []
        assert "With `--json`: " in sections[verb]


@pytest.mark.parametrize("status", ["0", "1", "2", "3", "130"])
def test_every_exit_status_stands_in_the_manual(status: str) -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", text_of("cli.md"), re.MULTILINE)

    assert status in dict(rows)
    assert {str(each.exit_code) for each in errors.error_classes()} <= set(dict(rows))


def test_every_way_into_the_host_stands_in_the_manual_with_who_passes() -> None:
    prefixes = {Area.PAGE: "", Area.PLUGINS: "/plugins", Area.API: "/api/v1"}
    rows = re.findall(r"^\| (\w+) \| `(/\S*)` \| (\w+) \|(.*)\|$", text_of("http.md"), re.MULTILINE)

    assert [(method.replace("any", "*"), path, gate) for method, path, gate, _ in rows] == [
        (each.method, prefixes[each.area] + each.path, each.gate.value) for each in WAYS
    ]
    assert all(rest.rpartition("|")[2].strip() for *_, rest in rows)


def test_every_header_that_is_dropped_stands_in_the_manual() -> None:
    page = text_of("http.md")
    dropped = {*inbound.DROPPED, *inbound.DROPPED_PREFIXES, *outbound.DROPPED, *outbound.DROPPED_PREFIXES}

    assert [each for each in dropped if f"`{each.decode()}`" not in page] == []
    assert all(f"`{name.decode()}: {value.decode()}`" in page for name, value in outbound.ADDED)


def test_every_operation_stands_in_the_manual_with_its_arguments() -> None:
    found = re.split(r"^## ", text_of("operations.md"), flags=re.MULTILINE)
    sections = {each.partition("\n")[0]: each for each in found}

    assert [name for name in sections if name in OPERATIONS] == list(OPERATIONS)
    for name, operation in OPERATIONS.items():
        fields = [each.name for each in msgspec.structs.fields(operation.arguments)]
        assert [field for field in fields if f"| `{field}` |" not in sections[name]] == []
        assert operation.summary in sections[name]


def test_every_record_for_people_and_programs_stands_in_the_manual() -> None:
    records = [each for each in vars(views).values() if inspect.isclass(each) and each.__module__ == views.__name__]

    assert len(records) == 5
    assert [each.__name__ for each in records if each.__name__ not in headings("operations.md")] == []


def test_every_method_and_frame_of_the_wire_stands_in_the_manual() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text_of("wire.md").partition("## Frames")[0], re.MULTILINE))
    kinds = [each.__name__ for each in typing.get_args(frames.Frame)]

    assert {name: rows[name] for name in WORKER_METHODS if name not in HOST_METHODS} == {
        name: meaning for name, meaning in WORKER_METHODS.items() if name not in HOST_METHODS
    }
    assert {*WORKER_METHODS, *HOST_METHODS} == set(rows) - {"method"}
    assert [name for name in headings("wire.md") if name in kinds] == kinds


def test_every_public_name_of_the_sdk_stands_in_the_manual() -> None:
    named = {*(each.lstrip("@") for each in headings("sdk.md")), *cells("sdk.md")}
    methods = [name for name, each in vars(sdk.Plugin).items() if inspect.isfunction(each) and not name.startswith("_")]

    assert set(sdk.__all__) <= named
    assert {f"Plugin.{name}" for name in methods} <= named


def test_the_public_face_stands_in_the_manual() -> None:
    named, rows = headings("python.md"), cells("python.md")
    members = {**vars(Administration), **vars(somnus_plugins.PluginHost)}
    methods = [name for name, each in members.items() if inspect.isfunction(each) and not name.startswith("_")]

    assert set(somnus_plugins.__all__) <= set(rows)
    assert [name for name in methods if f"PluginHost.{name}" not in named] == []
    assert [name for name in testing.__all__ if name not in text_of("python.md")] == []


def test_every_state_stands_in_the_manual_with_its_word_and_its_steps() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| (yes)? *\| (\S.+) \|$", text_of("states.md"), re.MULTILINE)
    steps = dict(re.findall(r"^\| `(\w+)` \| (`.+`) \|$", text_of("states.md"), re.MULTILINE))

    assert [(name, word, held == "yes") for name, word, held, _ in rows] == [
        (each.value, each.word.value, each.held) for each in State
    ]
    assert {name: set(re.findall(r"\w+", to)) for name, to in steps.items()} == {
        each.value: {to.value for to in after} for each, after in TRANSITIONS.items()
    }
    assert all(f"*{each.value}*" in text_of("states.md") for each in Word)


def test_every_held_state_has_a_way_out_in_the_manual_for_operators() -> None:
    manual = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    section = manual.partition("## Held plugins")[2].partition("\n## ")[0]

    assert [each.value for each in State if each.held and f"| `{each.value}` |" not in section] == []
    assert len(re.findall(r"^\| `", section, re.MULTILINE)) == sum(each.held for each in State)


def test_every_key_of_the_manifest_stands_in_the_manual() -> None:
    rows = cells("manifest.md")
    keys = [each for each in manifest_reference() if ".optional_permissions." not in each.path]
    shown = {each.path.rpartition(".")[2]: each for each in keys if not re.search(r"files\.|events\.", each.path)}

    assert [name for name in shown if name not in rows] == []
    assert {"files.read", "files.write", "events.publish", "events.subscribe"} <= set(rows)
    assert all(each.description in text_of("manifest.md") for each in keys)


def test_every_rule_about_manifests_stands_in_the_manual_with_its_samples() -> None:
    page = text_of("manifest.md")

    assert [each for each in headings("manifest.md") if re.fullmatch(r"[a-z]+(-[a-z]+)+", each)] == [
        each.id for each in LINTS
    ]
    for lint in LINTS:
        assert f"*{lint.severity.value}*: {lint.message} {lint.remedy}" in page
        assert all(sample.toml.rstrip() in page for sample in (lint.bad, lint.good))


# --- the writing itself ----------------------------------------------------------------------------------------------


def test_pages_do_not_depend_on_hash_seed_or_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "COLUMNS": "40", "SOMNUS_HOME": str(tmp_path)}
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


def test_a_docstring_becomes_markdown() -> None:
    sections = """Call it.

        Args:
            name: Its name,
                in any spelling.

        Raises:
            No: Never.
    """
    example = """Call it.

        run()

    Then wait.
    """

    assert prose(sections) == "Call it.\n\n*Args*\n\n- `name`: Its name, in any spelling.\n\n*Raises*\n\n- `No`: Never."
    assert prose(example) == "Call it.\n\n```python\nrun()\n```\n\nThen wait."


def test_a_function_is_written_as_its_author_wrote_it() -> None:
    async def call(self: object, name: str, *, limit: int | None = None, **more: object) -> list[str]:
        return [name]

    assert signature(call) == "async def call(name: str, *, limit: int | None = None, **more: object) -> list[str]"
    assert signature(call, "x" * 60).count("\n") == 5


def test_types_lose_their_modules_and_bars_are_escaped() -> None:
    assert type_name(list[views.PluginView]) == "list[PluginView]"
    assert type_name(dict[str, typing.Any] | None) == "dict[str, Any] | None"
    assert table(["a"], [["x | y"]]) == "| a |\n| --- |\n| x &#124; y |"
