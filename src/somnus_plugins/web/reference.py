"""The OpenAPI document as a page of our own, for where no other host may be asked for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

__all__ = ["OperationEntry", "Section", "sections", "type_name"]

METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
DEPTH_MAX: Final = 4
"""How deep a type is written out."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter, or one key of a body."""

    name: str
    place: str
    type: str
    required: bool
    description: str


class OperationEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One operation."""

    anchor: str
    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    fields: tuple[Field, ...]
    answers: tuple[tuple[str, str, str], ...]
    """Status, media type, type."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """All operations of one tag."""

    name: str
    description: str
    entries: tuple[OperationEntry, ...]


def sections(document: Mapping[str, Any]) -> list[Section]:
    """The document, by tag: those that are described first, in their order, then the others."""
    described = {str(tag["name"]): str(tag.get("description") or "") for tag in document.get("tags", ())}
    found: dict[str, list[OperationEntry]] = {name: [] for name in described}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if isinstance(item, dict) and isinstance(operation := item.get(method), dict):
                tag = str((operation.get("tags") or ["other"])[0])
                found.setdefault(tag, []).append(_entry(document, path, method, operation))
    return [
        Section(name=name, description=described.get(name, ""), entries=tuple(entries))
        for name, entries in found.items()
        if entries
    ]


def _entry(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> OperationEntry:
    return OperationEntry(
        anchor=str(operation.get("operationId") or f"{method}{path}").replace(" ", "-"),
        method=method.upper(),
        path=path,
        summary=str(operation.get("summary") or ""),
        paragraphs=_paragraphs(str(operation.get("description") or "")),
        fields=tuple(_fields(document, operation)),
        answers=tuple(_answers(document, operation)),
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def _fields(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Field]:
    for given in operation.get("parameters", ()):
        parameter = _resolved(document, given)
        schema = parameter.get("schema", {})
        yield Field(
            name=str(parameter.get("name", "")),
            place=str(parameter.get("in", "")),
            type=type_name(document, schema),
            required=bool(parameter.get("required")),
            description=str(parameter.get("description") or _resolved(document, schema).get("description") or ""),
        )
    body = _resolved(document, operation.get("requestBody", {}))
    for media_type, content in body.get("content", {}).items():
        schema = _resolved(document, content.get("schema", {}))
        required = schema.get("required", ())
        for name, each in schema.get("properties", {}).items():
            yield Field(
                name=name,
                place=media_type,
                type=type_name(document, each),
                required=name in required,
                description=str(_resolved(document, each).get("description") or ""),
            )


def _answers(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for status, given in operation.get("responses", {}).items():
        contents = _resolved(document, given).get("content", {})
        for media_type, content in contents.items():
            yield str(status), media_type, type_name(document, content.get("schema", {}))
        if not contents:
            yield str(status), "", "nothing"


def _resolved(document: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    """What a reference leads to, within the document."""
    for _ in range(DEPTH_MAX):
        if not isinstance(node, dict) or not isinstance(reference := node.get("$ref"), str):
            break
        node = document
        for key in reference.removeprefix("#/").split("/"):
            node = node.get(key, {}) if isinstance(node, dict) else {}
    return node if isinstance(node, dict) else {}


def type_name(document: Mapping[str, Any], schema: Any, depth: int = 0) -> str:
    """A schema in a few words: `array of {path: string, score: number}`."""
    found = _resolved(document, schema)
    if depth > DEPTH_MAX or not found:
        return "any"
    if isinstance(options := found.get("anyOf") or found.get("oneOf"), list):
        return " or ".join(dict.fromkeys(type_name(document, each, depth + 1) for each in options))
    if isinstance(values := found.get("enum"), list):
        return " | ".join(msgspec.json.encode(value).decode() for value in values)
    kind = found.get("type", "any")
    if kind == "array":
        return f"array of {type_name(document, found.get('items', {}), depth + 1)}"
    if kind == "object" and isinstance(properties := found.get("properties"), dict) and properties:
        inner = ", ".join(f"{name}: {type_name(document, each, depth + 1)}" for name, each in properties.items())
        return f"{{{inner}}}"
    form = found.get("format")
    words = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    return f"{words} ({form})" if form else words
