"""Manifests for the tests: a smallest one, the full one of the contract, and what is wrong in others."""

from __future__ import annotations

import copy
import json
import tomllib
from typing import Any

import pytest

from somnus_plugins.errors import InvalidManifest
from somnus_plugins.trust.manifest import Manifest, parse_manifest
from somnus_plugins.trust.manifest.parser import manifest_from_tables

SMALLEST = """
[project]
name = "notes"
version = "0.1.0"

[tool.somnus]
type = "tool_integration"
entry = "notes:Notes"
api = ">=1,<2"
"""

FULL = """
[project]
name = "notes"
version = "0.1.0"
description = "Index a folder of documents and search it by meaning."
requires-python = ">=3.11"
dependencies = []

[tool.somnus]
publisher = "somnus"
type = "tool_integration"
entry = "notes:Notes"
api = ">=1,<2"
requires = ["somnus/embedder >=1.0"]
activation = ["on_call"]
sleep_after_s = 300
tags = ["search", "documents"]

[tool.somnus.permissions]
memory = "write"
share_memory = ["somnus/journal:read"]
files = { read = ["{config.folder}"], write = [] }
network = ["api.example.com", "{config.base_url}"]
commands = ["git"]
plugins = ["somnus/embedder"]
events = { publish = ["notes.*"], subscribe = ["memory.stored"] }
workspace = "read"
sessions = "read"
models = ["chat", "embed"]
agents = false
ui = false
consciousness = "read"
public_routes = false
background = false

[tool.somnus.permissions.secrets.EXAMPLE_TOKEN]
hosts = ["api.example.com"]
send = "Authorization: Bearer {}"

[tool.somnus.limits]
memory_mb = 256
cpus = 0.5
threads = 32
open_files = 128
disk_mb = 64
call_timeout_s = 30
concurrency = 16
recursion_depth = 10
result_mb = 16
upload_mb = 16

[tool.somnus.consciousness]
level_required = 0.0
coherence_required = 0.0
"""


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The tables of `below` with those of `above` laid over them."""
    result = copy.deepcopy(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = laid_over(result[name], value) if both else copy.deepcopy(value)
    return result


def smallest_with(toml: str) -> Manifest:
    """The smallest manifest with more lines laid over it."""
    return manifest_from_tables(laid_over(tomllib.loads(SMALLEST), tomllib.loads(toml)))


def with_value(path: str, value: Any) -> dict[str, Any]:
    """Tables of the smallest manifest with one value, at a dotted path."""
    tables: Any = value
    for name in reversed(path.split(".")):
        tables = {name: tables}
    return laid_over(tomllib.loads(SMALLEST), tables)


def accepted(path: str, value: Any) -> Manifest:
    """The smallest manifest with one value, which must be fine."""
    return manifest_from_tables(with_value(path, value))


def refused(path: str, value: Any) -> list[dict[str, str]]:
    """The problems of the smallest manifest with one value, which must be wrong."""
    with pytest.raises(InvalidManifest) as caught:
        manifest_from_tables(with_value(path, value))
    return list(caught.value.data["problems"])


def problems_of(text: bytes | str) -> list[dict[str, str]]:
    """The problems of a file's content, which must have some; they survive a way through JSON."""
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text)
    assert caught.value.message
    assert caught.value.remedy
    return list(json.loads(json.dumps(caught.value.to_record()))["data"]["problems"])
