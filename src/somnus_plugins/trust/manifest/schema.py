"""The manifest's grammar for others: JSON Schema for editors, rows for the reference page."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from somnus_plugins.trust.manifest import model
from somnus_plugins.trust.manifest.model import Manifest, ProjectTable
from somnus_plugins.trust.manifest.shapes import Keyed, Shape, Table, TableOf, is_required, keys_of

__all__ = ["ManifestKey", "manifest_reference", "manifest_schema"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class ManifestKey:
    """One key, as the reference shows it."""

    path: str
    """Dotted, from the top of the file."""
    allowed: str
    """The values, in words."""
    default: Any
    """JSON-compatible; None where there is none."""
    required: bool
    """Whether the key must be there."""
    description: str
    """What it means."""


def manifest_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `[tool.somnus]`, with a description for every key."""
    kinds = dict.fromkeys(_kinds(Manifest))
    schema = _table_schema(Manifest) | {"$defs": {each.__name__: _table_schema(each) for each in kinds}}
    return {"$schema": DIALECT, "title": "[tool.somnus]"} | schema


def manifest_reference() -> tuple[ManifestKey, ...]:
    """Every key of `[project]` and `[tool.somnus]` that is read, in the order of the model."""
    return (*_rows(ProjectTable, "project"), *_rows(Manifest, "tool.somnus"))


def _table_schema(kind: type[Table]) -> dict[str, Any]:
    keys = keys_of(kind)
    return {
        "type": "object",
        "description": _summary(kind),
        "properties": {
            name: spec.metadata["shape"].schema()
            | {"description": _documentation()[kind.__name__][spec.name]}
            | ({} if (default := _default(spec)) is None else {"default": default})
            for name, spec in keys.items()
        },
        "required": [name for name, spec in keys.items() if is_required(spec)],
        "additionalProperties": False,
    }


def _kinds(kind: type[Table]) -> Iterator[type[Table]]:
    for spec in keys_of(kind).values():
        shape = spec.metadata["shape"]
        below = shape.item if isinstance(shape, Keyed) else shape
        if isinstance(below, TableOf):
            yield below.kind
            yield from _kinds(below.kind)


def _rows(kind: type[Table], path: str) -> Iterator[ManifestKey]:
    for name, spec in keys_of(kind).items():
        shape: Shape = spec.metadata["shape"]
        below = shape.item if isinstance(shape, Keyed) else shape
        place = f"{path}.{name}"
        description = _documentation()[kind.__name__][spec.name]
        yield ManifestKey(place, shape.allowed, _default(spec), is_required(spec), description)
        if isinstance(below, TableOf):
            yield from _rows(below.kind, f"{place}.NAME" if isinstance(shape, Keyed) else place)


def _default(spec: dataclasses.Field[Any]) -> Any:
    """What a missing key means; None where that is nothing, an error, or said by the keys of the table itself."""
    shape: Shape = spec.metadata["shape"]
    if is_required(spec) or spec.default is None or isinstance(shape, TableOf):
        return None
    return shape.write(spec.default)


def _summary(kind: type[Table]) -> str:
    return " ".join((kind.__doc__ or "").split())


@functools.cache
def _documentation() -> dict[str, dict[str, str]]:
    """Class → field → the string below it in the model's source."""
    return {
        node.name: {
            ast.unparse(field.target): " ".join(str(text.value.value).split())
            for field, text in itertools.pairwise(node.body)
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        }
        for node in ast.parse(inspect.getsource(model)).body
        if isinstance(node, ast.ClassDef)
    }
