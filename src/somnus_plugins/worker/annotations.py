"""Annotations of an author's code: resolved, and made readable for pydantic where it does not know a type."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator, Mapping
from types import FunctionType, SimpleNamespace
from typing import Any, Final

import msgspec

from somnus_plugins.errors import InvalidPlugin
from somnus_plugins.sdk.context import Call

__all__ = ["LENT", "STRUCT", "call_parameters", "lend_schemas", "resolved_hints", "resolved_setting", "without_none"]

STRUCT: Final = "x-msgspec-struct"
"""Key of a mark in a JSON Schema that `schemas` replaces by the schema msgspec makes of that class. Its value is a key
of `LENT`, because FastAPI copies schemas and would not copy a class."""
LENT: Final[dict[str, Any]] = {}
"""The Structs that pydantic has met, by their `repr`."""
HOOK: Final = "__get_pydantic_core_schema__"
BYTES: Final = (bytes, bytearray, memoryview)


def resolved_hints(function: FunctionType, place: str) -> dict[str, Any]:
    """The annotations of a function as objects, `Annotated` kept, pydantic prepared for all of them.

    Args:
        function: The author's function.
        place: What it is, for the error: `tool search`.

    Raises:
        InvalidPlugin: A name in an annotation does not exist at run time.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        for hint in hints.values():
            lend_schemas(hint)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise InvalidPlugin(
            f"{place}: an annotation cannot be resolved: {error}",
            remedy="Import what annotations name at run time, at the top of the module and not below TYPE_CHECKING.",
        ) from error
    return hints


def resolved_setting(kind: type, attribute: str) -> Any:
    """The annotation that a class or its nearest base gives to one attribute, or None where there is none.

    Raises:
        InvalidPlugin: It names something that does not exist at run time.
    """
    for each in kind.__mro__:
        annotation = vars(each).get("__annotations__", {}).get(attribute)
        if annotation is not None:
            break
    else:
        return None
    shim = SimpleNamespace(__annotations__={attribute: annotation})
    try:
        found = typing.get_type_hints(shim, vars(sys.modules[each.__module__]), dict(vars(each)), include_extras=True)
        lend_schemas(found[attribute])
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise InvalidPlugin(
            f"{each.__name__}.{attribute}: the annotation cannot be resolved: {error}",
            remedy="Define the class of the settings at the top of the module, before the plugin.",
        ) from error
    return found[attribute]


def without_none(annotation: Any) -> Any:
    """`X` for `X | None`, anything else as it is."""
    arguments = [each for each in typing.get_args(annotation) if each is not type(None)]
    return arguments[0] if _is_union(annotation) and len(arguments) == 1 else annotation


def call_parameters(hints: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the parameters that take the `Call`."""
    return tuple(name for name, hint in hints.items() if name != "return" and without_none(hint) is Call)


def lend_schemas(annotation: Any) -> None:
    """Give every type below an annotation that pydantic cannot read a method that lets it.

    These are msgspec Structs, and `typing.TypedDict` before Python 3.12.
    """
    for kind in _types_below(annotation, set()):
        if hasattr(kind, HOOK):
            continue
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            setattr(kind, HOOK, classmethod(_struct_schema))
        elif sys.version_info < (3, 12) and type(kind) is typing._TypedDictMeta:  # type: ignore[attr-defined]  # no public name
            setattr(kind, HOOK, classmethod(_typed_dict_schema))


def _types_below(annotation: Any, seen: set[int]) -> Iterator[Any]:
    annotation = getattr(annotation, "__value__", annotation)
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        arguments = arguments[:1]
    if origin is typing.Literal:
        return
    for each in (origin, *arguments):
        if each is not None and not isinstance(each, str):
            yield from _types_below(each, seen)
    if isinstance(annotation, type):
        yield annotation
        if not issubclass(annotation, msgspec.Struct) and _has_fields(annotation):
            for each in typing.get_type_hints(annotation, include_extras=True).values():
                yield from _types_below(each, seen)


def _has_fields(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) or hasattr(kind, "_field_defaults")


def _is_union(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return origin is typing.Union or getattr(origin, "__name__", "") == "UnionType"


def _struct_schema(kind: type[msgspec.Struct], source: Any, handler: Any) -> Any:
    from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        try:
            return msgspec.convert(value, source, builtin_types=BYTES)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    def write(value: Any) -> Any:
        return msgspec.to_builtins(value, builtin_types=BYTES)

    LENT[repr(source)] = source
    mark = WithJsonSchema({STRUCT: repr(source)})
    return handler.generate_schema(typing.Annotated[Any, PlainValidator(read), PlainSerializer(write), mark])


def _typed_dict_schema(kind: Any, source: Any, handler: Any) -> Any:
    from typing_extensions import TypedDict

    fields = typing.get_type_hints(kind, include_extras=True)
    for name in kind.__optional_keys__:
        if typing.get_origin(fields[name]) not in {typing.Required, typing.NotRequired}:
            fields[name] = typing.NotRequired[fields[name]]
    twin = TypedDict(kind.__name__, fields)  # type: ignore[misc]  # its name and fields are known at run time only
    twin.__doc__, twin.__module__ = kind.__doc__, kind.__module__
    configuration: Any = getattr(kind, "__pydantic_config__", None)
    if configuration is not None:
        twin.__pydantic_config__ = configuration  # type: ignore[attr-defined]  # read by pydantic
    return handler.generate_schema(twin)
