"""What a shell offers while a person types: read from the home's files, without a host.

A shell may evaluate what it is offered, and the files were written by strangers: only names of the grammar pass, and
only plain words of a description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

__all__ = ["arguments", "plugins", "settings", "tools", "types"]

FILE_MAX_BYTES: Final = 4 * 1024 * 1024
"""Largest file that is read while a person waits for a word."""

HELP_MAX_CHARS: Final = 60
"""Longest description beside a word."""

_ID: Final = re.compile(r"[a-z0-9-]{1,39}/[a-z0-9-]{1,64}")
_MOUNT: Final = re.compile(r"[a-z0-9-]{1,64}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9 .,()-]+")

Offered = Iterator[tuple[str, str]]


def plugins(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Mounts of the installed plugins; ids once there is a slash."""
    pattern, key = (_ID, "id") if "/" in incomplete else (_MOUNT, "mount")
    return [
        (entry[key], _plain(f"{entry.get('id', '')} {entry.get('version', '')}"))
        for entry in _entries(context)
        if isinstance(entry.get(key), str) and pattern.fullmatch(entry[key])
    ]


def tools(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Tools of the plugin that was named before."""
    return [(each["name"], _plain(each.get("description", ""))) for each in _tools(context)]


def arguments(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """`key=` for the arguments of the tool that was named before."""
    named = context.params.get("tool")
    schemas = [each.get("input_schema") for each in _tools(context) if each["name"] == named]
    return [pair for schema in schemas for pair in _keys(schema)]


def settings(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """`KEY=` for the settings of the plugin that was named before."""
    return list(_keys(_contributions(context).get("config_schema")))


def types(context: typer.Context, incomplete: str) -> list[str]:
    """The plugin types that can be created."""
    from somnus_plugins.templates import KINDS

    return list(KINDS)


def _keys(schema: Any) -> Offered:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, each in properties.items() if isinstance(properties, dict) else ():
        if _NAME.fullmatch(name):
            yield f"{name}=", _plain(each.get("description", "") if isinstance(each, dict) else "")


def _tools(context: typer.Context) -> list[dict[str, Any]]:
    listed = _contributions(context).get("tools")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [each for each in found if isinstance(each.get("name"), str) and _NAME.fullmatch(each["name"])]


def _contributions(context: typer.Context) -> dict[str, Any]:
    named = context.params.get("plugin")
    for entry in _entries(context):
        names = (entry.get("id"), entry.get("mount"), str(entry.get("id", "")).rpartition("/")[2])
        if named in names and isinstance(entry.get("directory"), str):
            return _document(Path(entry["directory"]) / "contributions.json")
    return {}


def _entries(context: typer.Context) -> list[dict[str, Any]]:
    from somnus_plugins.host.home import find_home

    above = context.parent.params.get("home") if context.parent is not None else None
    named = context.params.get("home") or above
    listed = _document((Path(named) if named else find_home()) / "registry.json").get("plugins")
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _document(file: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where it is anything else. Nobody wants an error in place of a word."""
    try:
        if file.stat().st_size > FILE_MAX_BYTES:
            return {}
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(words: object) -> str:
    first = str(words).strip().partition("\n")[0]
    return " ".join(_NOT_PLAIN.sub(" ", first).split())[:HELP_MAX_CHARS]
