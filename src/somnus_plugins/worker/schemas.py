"""JSON Schemas (2020-12) from pydantic's type adapters, with those of msgspec Structs put in their places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from somnus_plugins.worker.annotations import LENT, STRUCT

__all__ = ["json_schema", "place_structs"]


class SilentSchema(GenerateJsonSchema):
    """Leaves out what JSON Schema cannot say, such as a default that is no JSON value, without a warning."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012  # pydantic declares it so
        "skipped-choice",
        "non-serializable-default",
    }


def json_schema(adapter: TypeAdapter[Any], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    """The schema of what may be given (`validation`) or what is answered (`serialization`).

    Raises:
        pydantic.errors.PydanticUserError: A type has no JSON Schema.
        TypeError: A field of a Struct has none.
    """
    document = adapter.json_schema(mode=mode, schema_generator=SilentSchema)
    return place_structs(document, "#/$defs/{name}", ("$defs",))


def place_structs(document: dict[str, Any], reference: str, home: tuple[str, ...]) -> dict[str, Any]:
    """Replace each mark of a Struct in a document.

    Args:
        document: Changed in place.
        reference: How a definition is referred to, with `{name}`.
        home: Keys that lead to where definitions stand.
    """
    marks = list(_marks(document))
    if not marks:
        return document
    structs = [LENT[mark[STRUCT]] for mark in marks]
    schemas, definitions = msgspec.json.schema_components(structs, ref_template=reference)
    place = document
    for key in home:
        place = place.setdefault(key, {})
    place |= {name: schema for name, schema in definitions.items() if name not in place}
    for mark, schema in zip(marks, schemas, strict=True):
        del mark[STRUCT]
        mark.update(schema)
    return document


def _marks(node: Any) -> Iterator[dict[str, Any]]:
    match node:
        case dict():
            if STRUCT in node:
                yield node
            for each in node.values():
                yield from _marks(each)
        case list():
            for each in node:
                yield from _marks(each)
