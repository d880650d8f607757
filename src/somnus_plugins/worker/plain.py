"""Validators of annotations made of builtins only: written down here instead of being derived by pydantic.

They are the same validators; deriving one takes pydantic a hundred times as long, at the first call after every wake.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import CoreSchema, SchemaValidator, core_schema

__all__ = ["plain_arguments", "plain_value"]

SCALARS: Final[Mapping[Any, CoreSchema]] = {
    Any: core_schema.any_schema(),
    bool: core_schema.bool_schema(),
    bytes: core_schema.bytes_schema(),
    dict: core_schema.dict_schema(),
    float: core_schema.float_schema(),
    int: core_schema.int_schema(),
    list: core_schema.list_schema(),
    str: core_schema.str_schema(),
    type(None): core_schema.none_schema(),
    None: core_schema.none_schema(),
}


def plain_value(annotation: Any) -> SchemaValidator | None:
    """The validator of one annotation; None where it is more than builtins."""
    schema = _schema(annotation)
    return None if schema is None else SchemaValidator(schema)


def plain_arguments(parameters: Mapping[str, tuple[Any, Any]], unset: Any) -> SchemaValidator | None:
    """The validator of named arguments, which refuses others; None where one is more than builtins.

    Args:
        parameters: Name to annotation and default.
        unset: Stands for no default.
    """
    fields: dict[str, core_schema.TypedDictField] = {}
    for name, (annotation, default) in parameters.items():
        schema = _schema(annotation)
        if schema is None or (default is not unset and not isinstance(default, str | int | float | bytes | None)):
            return None
        if default is not unset:
            schema = core_schema.with_default_schema(schema, default=default)
        fields[name] = core_schema.typed_dict_field(schema, required=default is unset)
    return SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="forbid"))


def _schema(annotation: Any) -> CoreSchema | None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None:
        return SCALARS.get(annotation) if isinstance(annotation, type) or annotation in (Any, None) else None
    inner = [_schema(each) for each in arguments]
    if None in inner:
        return None
    if origin is dict and len(inner) == 2:
        return core_schema.dict_schema(inner[0], inner[1])
    if origin is list and len(inner) == 1:
        return core_schema.list_schema(inner[0])
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return core_schema.nullable_schema(inner[1 - arguments.index(type(None))] or core_schema.any_schema())
    return None
