"""Shapes of values: each reads a value of TOML, writes it back, and describes itself as JSON Schema.

A field of the model names its shape, so that parser, schema and reference cannot disagree. A shape that cannot read
a value raises `Misfit`; a shape that holds others notes their misfits and goes on, so that all are found at once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol

from somnus_plugins.trust.problems import Misfit, Place, nearest, words

__all__ = ["Choice", "Flag", "Keyed", "ListOf", "Number", "Shape", "Table", "TableOf", "Text", "key", "keys_of"]

LIST_MAX_ITEMS: Final = 64
"""Entries of one list. A person must be able to read a permission before granting it."""

TEXT_MAX_CHARS: Final = 256
"""Longest text where a grammar names no other limit: long enough for a host name, which ends at 253."""


class Shape(Protocol):
    """What a value must look like."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""

    def read(self, value: object, place: Place) -> Any:
        """The value as the model keeps it; raises `Misfit` or notes problems at the place."""

    def write(self, value: Any) -> Any:
        """What `read` would read as this value: JSON-compatible."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of the values that are read."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string with a grammar.

    Args:
        allowed: The grammar in words.
        pattern: The grammar for editors, as a whole match. Decides alone where there is no `parse`.
        parse: The value of a string; raises `Misfit`.
        max_chars: Longest string that is looked at.
    """

    allowed: str
    pattern: str
    parse: Callable[[str], Any] | None = None
    max_chars: int = TEXT_MAX_CHARS

    def read(self, value: object, place: Place) -> Any:
        """The parsed string."""
        if not isinstance(value, str):
            raise Misfit(self.allowed)
        if len(value) > self.max_chars:
            raise Misfit(f"at most {self.max_chars} characters", found=f"{len(value)} characters")
        if self.parse is not None:
            return self.parse(value)
        if not re.fullmatch(self.pattern, value):
            raise Misfit(self.allowed)
        return value

    def write(self, value: Any) -> str:
        """The string that parses to the value."""
        return str(value)

    def schema(self) -> dict[str, Any]:
        """A string with a pattern."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": self.max_chars}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; `among` leaves some members of the enum out."""

    kind: type[StrEnum]
    among: tuple[StrEnum, ...] = ()

    @property
    def names(self) -> list[str]:
        """The words, in the enum's order."""
        return [each.value for each in self.among or self.kind]

    @property
    def allowed(self) -> str:
        """The words."""
        return words(self.names)

    def read(self, value: object, place: Place) -> StrEnum:
        """The member of the enum."""
        if not isinstance(value, str):
            raise Misfit(self.allowed)
        if value not in self.names:
            near = nearest(value, self.names)
            raise Misfit(self.allowed, hint=f"the nearest is {near}" if near else "")
        return self.kind(value)

    def write(self, value: StrEnum) -> str:
        """The word."""
        return value.value

    def schema(self) -> dict[str, Any]:
        """An enum."""
        return {"enum": self.names}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    allowed: ClassVar[str] = "true or false"

    def read(self, value: object, place: Place) -> bool:
        """The truth value; nothing else is taken for one."""
        if not isinstance(value, bool):
            raise Misfit(hint="write it without quotes" if value in ("true", "false") else "")
        return value

    def write(self, value: bool) -> bool:  # noqa: FBT001 - the value itself, not a switch
        """The value."""
        return value

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number within a range, both ends included; `whole` takes integers only."""

    low: float
    high: float
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The range."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:.15g} to {self.high:.15g}"

    def read(self, value: object, place: Place) -> int | float:
        """The number; an integer where the author wrote one."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            raise Misfit(hint="write it without quotes" if isinstance(value, str) else "")
        if not self.low <= value <= self.high:  # never true of nan
            raise Misfit
        return value

    def write(self, value: float) -> float:
        """The number."""
        return value

    def schema(self) -> dict[str, Any]:
        """A number with its ends."""
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of distinct values of one shape; a tuple in the model."""

    item: Shape
    at_least: int = 0

    @property
    def allowed(self) -> str:
        """The items' grammar."""
        return f"a list; each entry: {self.item.allowed}"

    def read(self, value: object, place: Place) -> tuple[Any, ...]:
        """The values that fit; the others are noted."""
        if not isinstance(value, list):
            raise Misfit(hint="put it into [ ]" if isinstance(value, str) else "")
        if not self.at_least <= len(value) <= LIST_MAX_ITEMS:
            raise Misfit(f"a list of {self.at_least} to {LIST_MAX_ITEMS} entries")
        found: list[Any] = []
        for index, entry in enumerate(value):
            below = place.at(index)
            try:
                read = self.item.read(entry, below)
                if read in found:
                    raise Misfit("each entry once", hint="remove the repetition")
                found.append(read)
            except Misfit as misfit:
                below.refuse(entry, misfit, self.item.allowed)
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> list[Any]:
        """The entries, written."""
        return [self.item.write(each) for each in value]

    def schema(self) -> dict[str, Any]:
        """An array."""
        schema = {"type": "array", "items": self.item.schema(), "maxItems": LIST_MAX_ITEMS, "uniqueItems": True}
        return schema | ({"minItems": self.at_least} if self.at_least else {})


class Table:
    """Base of the records that a table of the manifest is read into: dataclasses whose fields are made by `key`."""

    __slots__ = ()

    unread_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys that are allowed and mean nothing to this package."""

    def faults(self) -> Iterable[tuple[str, Misfit]]:
        """What is wrong between the values of a table whose values are each right: key and misfit."""
        return ()


@dataclass(frozen=True, slots=True)
class TableOf:
    """A table that is read into a record."""

    kind: type[Table]

    @property
    def allowed(self) -> str:
        """The keys."""
        return f"a table with {', '.join(keys_of(self.kind))}"

    def read(self, value: object, place: Place, **given: Any) -> Any:
        """The record, or None where a key without default is missing; all problems are noted.

        Args:
            value: The table.
            place: Where it stands.
            given: Fields that are no keys of the table.
        """
        if not isinstance(value, dict):
            raise Misfit(hint=f"write it as a table: [{place.key}]")
        keys, before, complete = keys_of(self.kind), place.problems.total, None not in given.values()
        known = keys.keys() | self.kind.unread_keys
        for name in value:
            if name not in known:
                place.refuse_unknown(name, known)
        fields = dict(given)
        for name, spec in keys.items():
            shape, below = spec.metadata["shape"], place.at(name)
            if name not in value:
                if is_required(spec):
                    below.refuse_missing(shape.allowed)
                    complete = False
                continue
            try:
                fields[spec.name] = shape.read(value[name], below)
            except Misfit as misfit:
                below.refuse(value[name], misfit, shape.allowed)
                complete = complete and not is_required(spec)
        if not complete:
            return None
        record = self.kind(**fields)
        if place.problems.total == before:
            for name, fault in record.faults():
                (place.at(name) if name else place).refuse(value.get(name), fault)
        return record

    def write(self, value: Table) -> dict[str, Any]:
        """The table with every key that has a value, defaults included."""
        pairs = ((name, spec, getattr(value, spec.name)) for name, spec in keys_of(self.kind).items())
        return {name: spec.metadata["shape"].write(each) for name, spec, each in pairs if each is not None}

    def schema(self) -> dict[str, Any]:
        """A reference: the table's own schema is a definition."""
        return {"$ref": f"#/$defs/{self.kind.__name__}"}


@dataclass(frozen=True, slots=True)
class Keyed:
    """A table whose keys the author chooses; a tuple of what `build` makes of each key and value.

    Args:
        name: Shape of the keys.
        item: Shape of the values.
        build: Makes the model's entry.
        split: Takes it apart again: key and value.
    """

    name: Text
    item: Shape
    build: Callable[[str, Any], Any]
    split: Callable[[Any], tuple[str, Any]]

    @property
    def allowed(self) -> str:
        """Keys and values."""
        return f"a table; keys: {self.name.allowed}; values: {self.item.allowed}"

    def read(self, value: object, place: Place) -> tuple[Any, ...]:
        """The entries that fit, in the author's order; the others are noted."""
        if not isinstance(value, dict):
            raise Misfit
        if len(value) > LIST_MAX_ITEMS:
            raise Misfit(f"at most {LIST_MAX_ITEMS} keys")
        found = []
        for name, entry in value.items():
            shape: Shape = self.name
            below, suspect = place.at(name), name
            try:
                self.name.read(name, below)
                suspect, shape = entry, self.item
                found.append(self.build(name, self.item.read(entry, below)))
            except Misfit as misfit:
                below.refuse(suspect, misfit, shape.allowed)
        return tuple(found)

    def write(self, value: tuple[Any, ...]) -> dict[str, Any]:
        """The table."""
        return {name: self.item.write(entry) for name, entry in map(self.split, value)}

    def schema(self) -> dict[str, Any]:
        """An object with named properties."""
        names = {"pattern": self.name.schema()["pattern"]}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}


def key(shape: Shape, default: Any = dataclasses.MISSING, *, name: str = "") -> Any:
    """A field of a `Table`.

    Args:
        shape: What its value looks like.
        default: Immutable; without it the key is required.
        name: In the file, where that is no Python name.
    """
    metadata: Mapping[str, Any] = {"shape": shape, "name": name}
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


def keys_of(kind: type[Table]) -> dict[str, dataclasses.Field[Any]]:
    """Name in the file → field, in the order of the model."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # every Table is a dataclass
    return {each.metadata["name"] or each.name: each for each in fields if "shape" in each.metadata}


def is_required(spec: dataclasses.Field[Any]) -> bool:
    """Whether the key has no default."""
    return spec.default is dataclasses.MISSING
