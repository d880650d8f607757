"""Adapters from the wire to a method with `@tool`, and back.

One is built at the first call of its tool: a wake builds no schema. A call then costs one decode, one validation, the
method, and one encode.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Final, NotRequired

import msgspec
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError
from typing_extensions import TypedDict

from somnus_plugins.errors import InvalidInput, InvalidPlugin, InvalidResult
from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.worker.annotations import call_parameters, resolved_hints
from somnus_plugins.worker.inventory import DeclaredTool
from somnus_plugins.worker.plain import plain_arguments, plain_value
from somnus_plugins.worker.problems import problem_text, problems
from somnus_plugins.worker.results import encode_result
from somnus_plugins.worker.schemas import json_schema

__all__ = ["ArgumentReader", "ResultWriter", "ToolAdapter"]

STREAMS: Final = frozenset(
    {
        collections.abc.AsyncGenerator,
        collections.abc.AsyncIterable,
        collections.abc.AsyncIterator,
        collections.abc.Generator,
        collections.abc.Iterable,
        collections.abc.Iterator,
    }
)
PLAIN: Final = frozenset({bool, bytes, dict, float, int, list, str, type(None)})
"""Classes that travel as they are: pydantic checks them, and need not write them anew."""
UNSET: Final = inspect.Parameter.empty

_decode = msgspec.msgpack.Decoder().decode


class ArgumentReader:
    """Reads the arguments of one tool.

    Args:
        tool: The method.
        hints: Its resolved annotations.
    """

    __slots__ = ("_fields", "_validate", "name", "names")

    def __init__(self, tool: DeclaredTool, hints: dict[str, Any]) -> None:
        self.name = tool.declaration.name
        injected = call_parameters(hints)
        given = [
            each for each in list(inspect.signature(tool.function).parameters.values())[1:] if each.name not in injected
        ]
        self.names = tuple(each.name for each in given)
        self._fields = {each.name: (hints.get(each.name, Any), each.default) for each in given}
        plain = plain_arguments(self._fields, UNSET)
        self._validate = (plain or self._derived().validator).validate_python

    def _derived(self) -> TypeAdapter[Any]:
        fields = {name: _field(annotation, default) for name, (annotation, default) in self._fields.items()}
        record = TypedDict(self.name, fields)  # type: ignore[misc]  # known at run time only
        record.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=False)  # type: ignore[attr-defined]  # read by pydantic
        return _adapter(record, f"tool {self.name}")

    def read(self, payload: msgspec.Raw) -> dict[str, Any]:
        """The arguments, validated, defaults filled in; a dict of its own for each call.

        Raises:
            InvalidInput: They do not fit; `data["problems"]` lists each with path, found and allowed.
        """
        try:
            given = _decode(payload)
            return self._validate({} if given is None else given)  # type: ignore[no-any-return]  # a dict, by its schema
        except ValidationError as error:
            found = problems(error, self.names)
        except msgspec.MsgspecError as error:
            found = [{"path": "$", "found": str(error), "allowed": "an object"}]
        raise InvalidInput(
            f"{self.name}: {problem_text(found)}",
            remedy=f"Arguments of {self.name}: {', '.join(self.names) or 'none'}.",
            data={"problems": found},
        )

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return {"type": "object", "properties": {}, **json_schema(self._derived(), "validation")}


class ResultWriter:
    """Writes the results of one tool, or the items of its stream.

    Args:
        name: The tool.
        annotation: Of the result or item; `UNSET` where the author gave none.
    """

    __slots__ = ("_annotation", "_name", "_serialize", "_validate")

    def __init__(self, name: str, annotation: Any) -> None:
        self._name = name
        self._annotation = annotation
        self._validate: Callable[[Any], Any] | None = None
        self._serialize: Callable[..., Any] | None = None
        if annotation is UNSET or annotation is Any:
            return
        if (plain := plain_value(annotation)) is not None:
            self._validate = plain.validate_python
            return
        adapter = _adapter(annotation, f"tool {name}")
        self._validate = adapter.validator.validate_python
        if not _is_plain(annotation):
            self._serialize = adapter.serializer.to_python

    def write(self, value: Any) -> msgspec.Raw:
        """One result as bytes.

        Raises:
            InvalidResult: It does not fit the annotation, or cannot be sent.
        """
        if self._validate is not None:
            try:
                value = self._validate(value)
                if self._serialize is not None:
                    value = self._serialize(value, by_alias=True, warnings=False)
            except ValidationError as error:
                found = problems(error)
                raise InvalidResult(
                    f"{self._name} returned what does not fit its annotation: {problem_text(found)}",
                    remedy="Return what the annotation promises, or change the annotation.",
                    data={"problems": found},
                ) from error
        return encode_result(value, self._name)

    def json_schema(self) -> dict[str, Any] | None:
        """JSON Schema of one result, or None where the author promised nothing."""
        if self._annotation is UNSET or self._annotation is Any:
            return None
        return json_schema(_adapter(self._annotation, f"tool {self._name}"), "serialization")


class ToolAdapter:
    """One tool, ready to be called.

    Args:
        tool: The method as declared.
        plugin: Whose method is called; None to describe it only.
    """

    __slots__ = (
        "call_parameters",
        "direct",
        "is_async",
        "method",
        "name",
        "plugin",
        "read",
        "reader",
        "streams",
        "write",
        "writer",
    )

    def __init__(self, tool: DeclaredTool, plugin: Plugin | None) -> None:
        function = tool.function
        self.name = tool.declaration.name
        self.plugin = plugin
        self.method: Callable[..., Any] = function if plugin is None else getattr(plugin, tool.attribute)
        hints = resolved_hints(function, f"tool {self.name}")
        self.call_parameters = call_parameters(hints)
        self.is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        annotation = hints.get("return", UNSET)
        item = _item(annotation)
        self.streams = generator or item is not None
        """Whether the result is a stream of items."""
        self.direct = inspect.iscoroutinefunction(function) and not self.streams
        """Whether one `await` of the method gives the result."""
        self.reader = ArgumentReader(tool, hints)
        self.writer = ResultWriter(self.name, (UNSET if item is None else item) if self.streams else annotation)
        self.read = self.reader.read
        self.write = self.writer.write


def _field(hint: Any, default: Any) -> Any:
    if default is not UNSET:
        hint = Annotated[hint, default if isinstance(default, FieldInfo) else Field(default=default)]
    fields = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, FieldInfo)]
    return hint if all(each.is_required() for each in fields) else NotRequired[hint]


def _adapter(annotation: Any, place: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except (PydanticUserError, SchemaError, NameError, TypeError) as error:
        raise InvalidPlugin(
            f"{place}: an annotation has no schema: {str(error).splitlines()[0]}",
            remedy="Annotate with builtins, dataclasses, TypedDicts, msgspec Structs or pydantic models.",
        ) from error


def _item(annotation: Any) -> Any:
    """What a stream of this annotation consists of; None where it is no stream."""
    origin = typing.get_origin(annotation) or annotation
    if not isinstance(origin, type) or origin not in STREAMS:
        return None
    arguments = typing.get_args(annotation)
    return arguments[0] if arguments else Any


def _is_plain(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin is None:
        return annotation is Any or (isinstance(annotation, type) and annotation in PLAIN)
    if origin not in {dict, list, typing.Union, types.UnionType}:
        return False
    return all(_is_plain(each) for each in typing.get_args(annotation))
