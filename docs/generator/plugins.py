"""The pages for whoever writes plugins: manifest, SDK, and what passes between a plugin's process and the host."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from docs.generator.markdown import (
    attribute_docs,
    attribute_types,
    block,
    code,
    fields,
    flowed,
    page,
    prose,
    signature,
    summary,
    table,
)

from somnus_plugins import sdk
from somnus_plugins.errors import SomnusError
from somnus_plugins.trust.manifest import PluginType, manifest_reference
from somnus_plugins.trust.manifest.lints import LINTS, Lint, Sample
from somnus_plugins.trust.manifest.schema import ManifestKey
from somnus_plugins.wire import frames, http, methods
from somnus_plugins.wire.codec import HOST_READS, WORKER_READS
from somnus_plugins.wire.contributions import Contributions, Route, Schedule, Subscription, Tool

__all__ = ["manifest_page", "sdk_page", "wire_page"]

# --- manifest --------------------------------------------------------------------------------------------------------

OPTIONAL: Final = "tool.somnus.optional_permissions."


def manifest_page() -> str:
    """Every key of the manifest, and every rule about manifests that are well-formed."""
    keys = [each for each in manifest_reference() if not each.path.startswith(OPTIONAL)]
    tables: dict[str, list[ManifestKey]] = {}
    for each in keys:
        tables.setdefault(_table_of(each.path), []).append(each)
    sections = (f"### `[{name}]`\n\n{_keys(rows)}" for name, rows in tables.items())
    return page(
        "Manifest",
        MANIFEST_INTRODUCTION.format(types=", ".join(code(each.value) for each in PluginType)),
        "## Keys",
        *sections,
        "`[tool.somnus.optional_permissions]` takes the keys of `[tool.somnus.permissions]`.",
        "## Rules",
        RULES_INTRODUCTION,
        *map(_lint, LINTS),
    )


def _table_of(path: str) -> str:
    """The table that a key is written in; `files.read` and the like are written within their parent's line."""
    for name in ("tool.somnus.permissions.secrets.NAME", "tool.somnus.permissions"):
        if path.startswith(f"{name}."):
            return name
    return path.rpartition(".")[0]


def _keys(rows: Sequence[ManifestKey]) -> str:
    here = _table_of(rows[0].path)
    return table(
        ["key", "allowed", "default", "meaning"],
        (
            (code(each.path.removeprefix(f"{here}.")), each.allowed, _manifest_default(each), each.description)
            for each in rows
        ),
    )


def _manifest_default(key: ManifestKey) -> str:
    if key.required:
        return "required"
    return "" if key.default is None else code(json.dumps(key.default))


def _lint(lint: Lint) -> str:
    parts = [
        f"### `{lint.id}`",
        f"*{lint.severity.value}*: {lint.message} {lint.remedy}",
        *_sample("Found", lint.bad),
        *_sample("Fine", lint.good),
    ]
    return "\n\n".join(parts)


def _sample(word: str, sample: Sample) -> Iterator[str]:
    facts = "; ".join(_facts(sample))
    with_facts = f", with {facts}" if facts else ""
    yield f"{word}{with_facts}:" if sample.toml else f"{word}{with_facts or ', the smallest manifest'}."
    if sample.toml:
        yield block(sample.toml, "toml")


def _facts(sample: Sample) -> Iterator[str]:
    facts = sample.facts
    if facts.files is not None:
        yield f"the files {', '.join(code(each) for each in sorted(facts.files)) or 'none'}"
    if facts.python_version:
        yield f"Python {facts.python_version}"
    if (adds := facts.contributions) is not None:
        named = [
            *(f"tool {code(each.name)}" for each in adds.tools),
            *(f"route {code(each.path)}" for each in adds.routes),
        ]
        named += [f"subscription to {code(each.pattern)}" for each in adds.subscriptions]
        named += [f"setting {code(each)}" for each in (adds.config_schema or {}).get("properties", {})]
        yield f"the plugin's {', '.join(named) or 'empty contributions'}"


MANIFEST_INTRODUCTION: Final = """\
The manifest is a plugin's `pyproject.toml`: the standard `[project]` and `[tool.somnus]`. Unknown keys are errors that
name the key and the nearest known one; every error gives file, key path, what was found and what is allowed. The type
is one of {types}: the shelf a plugin stands on, not a limit of what it may add.

The smallest manifest:

```toml
[project]
name = "notes"
version = "0.1.0"
requires-python = ">=3.11"

[tool.somnus]
type = "tool_integration"
entry = "notes:Notes"
api = ">=1,<2"

[tool.somnus.permissions]
```

Permissions are declared, checked for their form, shown before an installation and part of what a person agrees to. At
confinement level `none` the kernel does not enforce them; `events.subscribe`, `public_routes` and `background` are
enforced by the host. Of the limits, `memory_mb` (private writable memory), `open_files`, `call_timeout_s`,
`concurrency`, `result_mb` and `upload_mb` hold; half of `threads` run methods without `async`; `cpus`, `disk_mb` and
`recursion_depth` are read and do not hold yet. Of all of them the host's own ceiling wins."""

RULES_INTRODUCTION: Final = """\
`somnus-plugins check` holds a manifest that is well-formed against these rules. An *error* means that the plugin cannot
install, start, or do what it says; a *warning*, that it works and somebody may regret it. The samples are laid over a
smallest manifest and run by the tests."""

# --- SDK -------------------------------------------------------------------------------------------------------------


def sdk_page() -> str:
    """Every public name of `somnus_plugins.sdk`."""
    found = {name: getattr(sdk, name) for name in sdk.__all__}
    raised = {name: each for name, each in found.items() if isinstance(each, type) and issubclass(each, SomnusError)}
    classes = {name: each for name, each in found.items() if isinstance(each, type) and name not in raised}
    decorators = {name: each for name, each in found.items() if name not in raised and name not in classes}
    return page(
        "SDK",
        SDK_INTRODUCTION,
        "## Classes",
        *(described_class(each, name) for name, each in classes.items()),
        "## Decorators",
        *(described(each, f"@{name}") for name, each in decorators.items()),
        "## Errors",
        SDK_ERRORS,
        table(["class", "code", "meaning"], ((code(n), code(e.code), summary(e.__doc__)) for n, e in raised.items())),
    )


def described(function: Any, title: str, level: int = 3, name: str = "") -> str:
    """A function: heading, signature, docstring."""
    return "\n\n".join(
        [f"{'#' * level} `{title}`", block(signature(function, name), "python"), prose(function.__doc__)]
    )


def described_class(kind: type, name: str, *, bases: Iterable[type] = ()) -> str:
    """A class: docstring, attributes, public methods of its own and of some bases."""
    parts = [f"### `{name}`", prose(kind.__doc__)]
    if issubclass(kind, msgspec.Struct):
        return "\n\n".join([*parts, fields(kind)])
    if "__init__" in vars(kind) and "Args:" in (kind.__doc__ or ""):
        parts.insert(1, block(signature(kind.__init__, name).replace("def ", "", 1).partition(" -> ")[0], "python"))
    types, docs = attribute_types(kind), attribute_docs(kind)
    shown = [each for each in types if not each.startswith("_") and each in docs]
    if shown:
        rows = ((code(each), code(types[each]), docs[each]) for each in shown)
        parts.append(table(["attribute", "type", "meaning"], rows))
    members = {key: each for owner in (*bases, kind) for key, each in vars(owner).items() if not key.startswith("_")}
    properties = {key: each for key, each in members.items() if isinstance(each, property)}
    if properties:
        rows = ((code(key), code(_result(each)), flowed(summary(each.__doc__))) for key, each in properties.items())
        parts.append(table(["property", "type", "meaning"], rows))
    functions = {key: inspect.unwrap(getattr(each, "__func__", each)) for key, each in members.items()}
    parts += [described(each, f"{name}.{key}", 4, key) for key, each in functions.items() if inspect.isfunction(each)]
    return "\n\n".join(parts)


def _result(found: property) -> str:
    return str(inspect.signature(found.fget).return_annotation) if found.fget is not None else ""


SDK_INTRODUCTION: Final = """\
`from somnus_plugins.sdk import …`: everything that a plugin's code imports. [The manual for authors](../authors.md)
shows how the parts are used."""

SDK_ERRORS: Final = """\
`ToolError`, `TemporaryError` and `PermanentError` are raised by authors, and their text reaches the caller word for
word. The others are what a caller of a plugin may catch; all of them are kinds of `PluginError`. Exit statuses and HTTP
statuses stand in [Errors](errors.md)."""

# --- wire ------------------------------------------------------------------------------------------------------------

Record = type[msgspec.Struct]
RECORDS: Final[tuple[Record, ...]] = (
    methods.Assignment,
    methods.LoadOrder,
    methods.Announcement,
    methods.HttpRequest,
    methods.HttpHead,
    methods.HttpResponse,
    methods.Occurrence,
)
ADDED: Final[tuple[Record, ...]] = (Contributions, Tool, Route, Subscription, Schedule)
SOCKET: Final[tuple[Record, ...]] = typing.get_args(http.SocketMessage)


def wire_page() -> str:
    """Methods of both sides, frames, and the records that they carry."""
    kinds: tuple[Record, ...] = typing.get_args(frames.Frame)
    host_reads, worker_reads = typing.get_args(HOST_READS.type), typing.get_args(WORKER_READS.type)
    directions = {
        each: " and ".join(
            filter(None, ("to the worker" * (each in worker_reads), "to the host" * (each in host_reads)))
        )
        for each in kinds
    }
    worker = ((code(name), meaning) for name, meaning in methods.WORKER_METHODS.items())
    host = ((code(name), permission or "none") for name, permission in methods.HOST_METHODS.items())
    return page(
        "Wire",
        WIRE_INTRODUCTION,
        "## Methods of a worker",
        "What the host may ask a plugin's process.",
        table(["method", "does"], worker),
        "## Methods of the host",
        "What a plugin's process may ask the host. A method that is not in the table does not exist.",
        table(["method", "permission"], host) if methods.HOST_METHODS else "There is none yet.",
        "## Frames",
        *(_frame(each, directions[each]) for each in kinds),
        "## Header",
        flowed(frames.Header.__doc__),
        fields(frames.Header),
        "## Records",
        *map(_record, RECORDS),
        "## Messages of a WebSocket",
        flowed(http.__doc__),
        *map(_record, SOCKET),
        "## Contributions",
        flowed(inspect.getmodule(Contributions).__doc__),
        *map(_record, ADDED),
    )


def _frame(kind: Record, direction: str) -> str:
    tag = kind.__struct_config__.tag
    return f"### `{kind.__name__}`\n\nType {tag}, {direction}. {flowed(kind.__doc__)}\n\n{fields(kind)}"


def _record(kind: Record) -> str:
    return f"### `{kind.__name__}`\n\n{flowed(kind.__doc__)}\n\n{fields(kind)}"


WIRE_INTRODUCTION: Final = """\
What passes between the host and a plugin's process. Authors need none of this: it is here for whoever debugs, reviews
or rebuilds one of the sides.

A frame is its length (32 bit, big endian) and a msgpack array whose first element is its type. The length is held
against a limit before memory is taken. A frame that is malformed, too long, unknown, or of a call that is not open is a
*strike*; more than `wire.strikes_max` strikes end the connection, and with it the process. The host chooses odd ids for
its calls, the worker even ones. Items of a stream cost credit, counted in bytes; a reader gives it back as it reads.
A frame above `wire.inline_max_bytes` travels in shared memory that the host has made."""
