"""The OpenAPI document as a page of our own, for where no other host may be asked for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any, Final

import msgspec

__all__ = ["OperationEntry", "Reader", "Section", "sections", "type_name"]

METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
DEPTH_MAX: Final = 4
"""How deep arrays and alternatives are written out, and how many references in a row are followed."""
SHOWN_MAX: Final = 12
"""Keys of an object, alternatives and values that are written out; `…` stands for the others."""
NAME_MAX_CHARS: Final = 60
"""Of a name or a value within a type."""
TYPE_MAX_CHARS: Final = 800
TEXT_MAX_CHARS: Final = 2000
"""Of the meaning of a field."""
ROWS_MAX: Final = 200
"""Fields, and answers, of one operation."""
MORE: Final = "…"


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
    """The document, by tag: those that are described first, in their order, then the others.

    Takes time in proportion to the document, whatever refers to what in it.
    """
    described = {str(tag["name"]): str(tag.get("description") or "") for tag in document.get("tags", ())}
    found: dict[str, list[OperationEntry]] = {name: [] for name in described}
    reader = Reader(document)
    for path, item in _mapping(document.get("paths")).items():
        for method in METHODS:
            if isinstance(operation := _mapping(item).get(method), dict):
                tag = str((_items(operation.get("tags")) or ["other"])[0])
                found.setdefault(tag, []).append(reader.entry(path, method, operation))
    return [
        Section(name=name, description=described.get(name, ""), entries=tuple(entries))
        for name, entries in found.items()
        if entries
    ]


class Reader:
    """Reads operations and types. What is not shaped as OpenAPI has it is read as if it were not there.

    Args:
        document: Where references lead to.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._known: dict[str, str] = {}
        self._needed: dict[int, frozenset[str]] = {}

    def entry(self, path: str, method: str, operation: Mapping[str, Any]) -> OperationEntry:
        """One operation."""
        return OperationEntry(
            anchor=str(operation.get("operationId") or f"{method}{path}").replace(" ", "-"),
            method=method.upper(),
            path=path,
            summary=str(operation.get("summary") or ""),
            paragraphs=_paragraphs(str(operation.get("description") or "")),
            fields=tuple(islice(self._fields(operation), ROWS_MAX)),
            answers=tuple(islice(self._answers(operation), ROWS_MAX)),
        )

    def type_name(self, schema: Any) -> str:
        """A schema in a few words: `array of {path: string, next: Hit}`.

        What has a name is written out once, and called by its name inside of that.
        """
        return self._outer(schema, 0)

    def _fields(self, operation: Mapping[str, Any]) -> Iterator[Field]:
        for given in _items(operation.get("parameters")):
            parameter = self._resolved(given)
            schema = parameter.get("schema")
            yield Field(
                name=str(parameter.get("name", "")),
                place=str(parameter.get("in", "")),
                type=self.type_name(schema),
                required=bool(parameter.get("required")),
                description=_text(parameter.get("description") or self._resolved(schema).get("description")),
            )
        body = self._resolved(operation.get("requestBody"))
        for media_type, content in _mapping(body.get("content")).items():
            schema = self._resolved(_mapping(content).get("schema"))
            required = self._required(schema)
            for name, each in _mapping(schema.get("properties")).items():
                yield Field(
                    name=name,
                    place=media_type,
                    type=self.type_name(each),
                    required=name in required,
                    description=_text(self._resolved(each).get("description")),
                )

    def _answers(self, operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        for status, given in _mapping(operation.get("responses")).items():
            contents = _mapping(self._resolved(given).get("content"))
            for media_type, content in contents.items():
                yield str(status), media_type, self.type_name(_mapping(content).get("schema"))
            if not contents:
                yield str(status), "", "nothing"

    def _required(self, schema: Mapping[str, Any]) -> frozenset[str]:
        found = self._needed.get(id(schema))
        if found is None:
            found = frozenset(name for name in _items(schema.get("required")) if isinstance(name, str))
            self._needed[id(schema)] = found
        return found

    def _resolved(self, node: Any) -> Mapping[str, Any]:
        """What a reference leads to, within the document."""
        for _ in range(DEPTH_MAX):
            if (reference := _reference(node)) is None:
                break
            node = self._document
            for key in reference.removeprefix("#/").split("/"):
                node = _mapping(node).get(key)
        return {} if _reference(node) is not None else _mapping(node)

    def _outer(self, schema: Any, depth: int) -> str:
        """A type as it stands in a table: with the keys of its object."""
        reference = _reference(schema)
        if reference is None:
            return self._words(_mapping(schema), self._outer, depth)
        if reference not in self._known:
            self._known[reference] = _name(reference)
            self._known[reference] = _cut(self._words(self._resolved(schema), self._outer, depth), TYPE_MAX_CHARS)
        return self._known[reference]

    def _inner(self, schema: Any, depth: int) -> str:
        """A type within another."""
        reference = _reference(schema)
        return self._words(_mapping(schema), self._inner, depth) if reference is None else _name(reference)

    def _words(self, schema: Mapping[str, Any], within: Callable[[Any, int], str], depth: int) -> str:
        if depth > DEPTH_MAX or not schema:
            return "any"
        if options := _items(schema.get("anyOf")) or _items(schema.get("oneOf")):
            return _joined(" or ", dict.fromkeys(within(each, depth + 1) for each in options[:SHOWN_MAX]), options)
        if values := _items(schema.get("enum")):
            return _joined(" | ", map(_value, values[:SHOWN_MAX]), values)
        kind = schema.get("type", "any")
        if kind == "array":
            return f"array of {within(schema.get('items'), depth + 1)}"
        properties = _mapping(schema.get("properties"))
        if kind == "object" and properties and within == self._outer:
            shown = islice(properties.items(), SHOWN_MAX)
            keys = _joined(", ", (f"{_cut(name)}: {self._inner(each, depth + 1)}" for name, each in shown), properties)
            return f"{{{keys}}}"
        form = schema.get("format")
        words = _joined(" or ", map(str, kind[:SHOWN_MAX]), kind) if isinstance(kind, list) else str(kind)
        return f"{words} ({form})" if form else words


def type_name(document: Mapping[str, Any], schema: Any) -> str:
    """A schema of a document in a few words."""
    return Reader(document).type_name(schema)


def _mapping(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, dict) else {}


def _items(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _reference(node: Any) -> str | None:
    found = _mapping(node).get("$ref")
    return found if isinstance(found, str) else None


def _name(reference: str) -> str:
    return _cut(reference.rpartition("/")[2])


def _value(value: Any) -> str:
    return _cut(msgspec.json.encode(value).decode())


def _text(description: Any) -> str:
    return _cut(str(description or ""), TEXT_MAX_CHARS)


def _cut(text: str, most: int = NAME_MAX_CHARS) -> str:
    return text if len(text) <= most else text[:most] + MORE


def _joined(joint: str, shown: Iterable[str], of: Sized) -> str:
    return joint.join([*shown, MORE] if len(of) > SHOWN_MAX else shown)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
