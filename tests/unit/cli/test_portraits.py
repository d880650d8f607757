"""How plugins and plans look to a person."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from somnus_plugins.cli import portraits
from somnus_plugins.host.views import PermissionLine, Plan, PluginDetail, PluginView

SCHEMA = {
    "type": "object",
    "required": ["folder"],
    "properties": {
        "folder": {"type": "string", "description": "What is indexed."},
        "limit": {"type": "integer", "default": 5, "minimum": 1},
        "password": {"type": "string", "format": "password"},
    },
}
VIEW = PluginView(
    id="somnus/notes",
    mount="n",
    version="1.2",
    description="Finds notes.",
    type="tool_integration",
    ring="local",
    state="active",
    word="running",
    reason="",
    desired="enabled",
    generation=3,
    sandbox_level="none",
    trust="local",
    tools=("search",),
    routes=1,
)
DETAIL = PluginDetail(
    plugin=VIEW,
    directory="/plugins/notes",
    manifest={"tool": {"somnus": {"permissions": {"memory": "write", "agents": False, "files": {"read": []}}}}},
    contributions={
        "tools": [
            {
                "name": "search",
                "description": "Find notes by meaning.\nMore.",
                "streams": True,
                "input_schema": {
                    "required": ["query"],
                    "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "default": 5}},
                },
            }
        ],
        "routes": [{"path": "/search", "methods": ["GET"]}, {"path": "/live", "websocket": True}],
        "subscriptions": [{"pattern": "memory.*", "method": "remember"}],
        "schedules": [{"method": "tick", "every_s": 900.0}, {"method": "wake", "cron": "0 7 * * *"}],
        "config_schema": SCHEMA,
    },
    config={"password": "hunter2"},
    unset=("folder",),
    limits={"memory_mb": 256.0, "threads": 32.0, "call_timeout_s": 30.0, "concurrency": 16.0},
    pid=77,
    starts=1,
    calls=2,
    running=1,
    waiting=0,
    idle_s=65.0,
    strikes={"unknown": 2},
)
PLAN = Plan(
    id="somnus/notes",
    mount="n",
    ring="local",
    directory="/plugins/notes",
    version="1.2",
    replaces="1.1",
    description="Finds notes.",
    trust="local",
    sandbox_level="none",
    permissions=(
        PermissionLine(key="memory", value="write"),
        PermissionLine(key="files", value='{"read":["{config.folder}","/b"],"write":[]}'),
        PermissionLine(key="ui", value="true"),
        PermissionLine(key="network", value='["*"]', optional=True),
    ),
    adds=("added tool search", "removed route GET /old", "changed settings limit: default"),
    warnings=("warning: tests: There are no tests.",),
    unset=("folder",),
    fingerprint="f",
    content="c",
    hash="h",
)


def shown(show: Any, *given: Any, width: int = 80) -> str:
    file = io.StringIO()
    show(Console(file=file, width=width, markup=False, highlight=False), *given)
    return file.getvalue()


@pytest.mark.parametrize(
    "said",
    [
        "n 1.2  running",
        "Finds notes.",
        "id           somnus/notes",
        "process      77, last used 1 min ago",
        "used         2 calls, 1 start, 1 running, 0 waiting",
        "strikes      unknown 2",
        "search query=<text> [limit=<a whole number>]  streams",
        "Find notes by meaning.",
        "GET /plugins/n/search",
        "WEBSOCKET /plugins/n/live",
        "on memory.*",
        "every 900 s",
        "at 0 7 * * *",
        "memory = write",
        "folder    needs a value  What is indexed. (text)",
        'password  "••••••"',
    ],
)
def test_everything_about_a_plugin_is_shown(said: str) -> None:
    text = shown(portraits.show_detail, DETAIL)

    assert said in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_a_plugin_may_not_do_is_not_listed() -> None:
    text = shown(portraits.show_detail, DETAIL)

    assert "agents" not in text
    assert "files" not in text
    assert "hunter2" not in text


def test_a_plugin_that_adds_nothing_has_no_empty_sections() -> None:
    bare = msgspec.structs.replace(DETAIL, contributions={}, manifest={}, pid=None, starts=0, strikes={})

    text = shown(portraits.show_detail, bare)

    assert [word for word in ("Tools", "Routes", "May", "Settings", "process", "used") if word in text] == []
    assert "somnus/notes" in text


def test_a_narrow_terminal_gets_everything_too() -> None:
    text = shown(portraits.show_detail, DETAIL, width=44)

    assert max(map(len, text.splitlines())) <= 44
    assert "needs a value" in text


def test_a_plugin_s_words_are_only_words() -> None:
    hostile = msgspec.structs.replace(VIEW, description="\x1b[2J[red]x", reason="line\nbreak\x07", word="failed")

    text = shown(portraits.show_detail, msgspec.structs.replace(DETAIL, plugin=hostile))

    assert "\\x1b[2J[red]x" in text
    assert "line break\\x07" in text
    assert "\x1b" not in text


def test_a_plan_says_what_changes_and_what_it_may_do() -> None:
    lines = [" ".join(line.split()) for line in shown(portraits.show_plan, PLAN).splitlines()]

    assert lines[0] == "somnus/notes as n: update 1.1 → 1.2"
    assert "may memory = write" in lines
    assert "files.read = {config.folder}, /b" in lines
    assert "ui" in lines
    assert "network = * (when it asks)" in lines
    assert "needs a value for folder" in lines
    assert lines[-4:] == [
        "+ tool search",
        "- route GET /old",
        "~ settings limit: default",
        "warning: tests: There are no tests.",
    ]


@pytest.mark.parametrize(
    ("before", "said"), [("", "install 1.2"), ("1.2", "install 1.2 again"), ("1", "update 1 → 1.2")]
)
def test_a_plan_says_whether_it_installs_or_updates(before: str, said: str) -> None:
    first = shown(portraits.show_plan, msgspec.structs.replace(PLAN, replaces=before)).splitlines()[0]

    assert first == f"somnus/notes as n: {said}"
    assert first.isprintable()


def test_a_plan_without_permissions_says_nothing_may_be_done() -> None:
    text = shown(portraits.show_plan, msgspec.structs.replace(PLAN, permissions=(), adds=(), warnings=(), unset=()))

    assert "may          nothing" in text
    assert "needs" not in text


def test_values_that_must_not_be_shown_are_masked() -> None:
    masked = portraits.masked(SCHEMA, {"password": "hunter2", "folder": "/x", "unknown": 1})

    assert masked == {"password": portraits.HIDDEN, "folder": "/x", "unknown": 1}
    assert portraits.masked(None, {"a": 1}) == {"a": 1}


def test_settings_show_value_default_or_need() -> None:
    lines = [line.split() for line in shown(portraits.show_settings, SCHEMA, {"limit": 7}).splitlines()]

    assert lines[0] == ["setting", "value", "about"]
    assert lines[1][:4] == ["folder", "needs", "a", "value"]
    assert lines[2][:2] == ["limit", "7"]
    assert lines[3][:2] == ["password", "null"]


@pytest.mark.parametrize(("tools", "routes", "said"), [(0, 0, []), (1, 0, ["1 tool"]), (2, 1, ["2 tools", "1 route"])])
def test_the_size_of_a_plugin_is_what_it_adds(tools: int, routes: int, said: list[str]) -> None:
    assert portraits.sizes(tools, routes) == said
    assert len(portraits.sizes(tools, routes)) == bool(tools) + bool(routes)


def test_the_confinement_level_is_said_plainly() -> None:
    assert portraits.confinement("none") == "confinement none: plugins can read and change what you can"
    assert portraits.confinement("full") == "confinement full"
