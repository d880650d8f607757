"""A hash over what a plugin adds, as its author wrote it.

It has to be the same in every process, on every supported Python and with every version of pydantic and FastAPI, and
costs no schema. So objects are written as text by rules of this module, never by their own `repr` alone.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from somnus_plugins.sdk.plugin import Plugin
from somnus_plugins.worker.inventory import DeclaredReceiver, DeclaredRoute, Inventory

__all__ = ["fingerprint"]

ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
WORD: Final = re.compile(r"[A-Za-z_]\w*")
FIELD_FACTS: Final = (
    "default",
    "default_factory",
    "alias",
    "title",
    "description",
    "examples",
    "discriminator",
    "deprecated",
    "exclude",
    "json_schema_extra",
    "metadata",
)
"""What of pydantic's FieldInfo, and of FastAPI's `Query` and the like, an author writes."""
UNWRITTEN: Final = ("=None", "=-", "=[]", "={}", "=False")
"""Ends of facts that were left at their defaults: another version may have more of those."""
GIVEN: Final = frozenset(
    {"annotated_types", "fastapi", "msgspec", "pydantic", "pydantic_core", "somnus_plugins", "starlette"}
)
"""Packages whose classes no plugin's author wrote."""
FLAGS: Final = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
DEPTH_MAX: Final = 20
ROUTER_FACTS: Final = (
    "tags",
    "dependencies",
    "responses",
    "deprecated",
    "include_in_schema",
    "default_response_class",
    "generate_unique_id_function",
)
"""What an author gives to an APIRouter, or to `include_router`, for all of its routes."""
ROUTE_FACTS: Final = (
    "tags",
    "dependencies",
    "responses",
    "deprecated",
    "include_in_schema",
    "response_class",
    "generate_unique_id_function",
    "status_code",
    "summary",
    "response_description",
    "operation_id",
    "openapi_extra",
    "response_model",
    "response_model_include",
    "response_model_exclude",
    "response_model_by_alias",
    "response_model_exclude_unset",
    "response_model_exclude_defaults",
    "response_model_exclude_none",
)
"""What an author gives to one route of an APIRouter; the description is told apart from the docstring."""


@dataclasses.dataclass
class Records:
    """The classes and functions of authors that contributions name, each written once."""

    package: str
    """Top package of the plugin."""
    lines: list[str] = dataclasses.field(default_factory=list)
    _seen: dict[int, Any] = dataclasses.field(default_factory=dict)

    def takes(self, thing: Any) -> bool:
        """Whether it is new. It is kept, so that nothing else takes its identity."""
        new = id(thing) not in self._seen
        self._seen[id(thing)] = thing
        return new


def fingerprint(inventory: Inventory) -> str:
    """SHA-256, in hex, of everything the class declares.

    Args:
        inventory: Of the class.
    """
    return hashlib.sha256("\n".join(_lines(inventory)).encode("utf-8", "surrogatepass")).hexdigest()


def _lines(inventory: Inventory) -> Iterator[str]:
    records = Records(_top_package(inventory.kind))
    for tool in inventory.tools.values():
        made = tool.declaration
        flags = (made.title, made.read_only, made.idempotent, made.timeout_s)
        yield f"tool {made.name} {flags!r} {_function_text(tool.function, records)}"
    for route in inventory.routes:
        yield _route_text(route, records)
    if inventory.router is not None:
        yield from _router_lines(inventory.router, "", records)
    yield from (_receiver_text(each, records) for each in inventory.subscriptions)
    yield from (_receiver_text(each, records) for each in inventory.schedules)
    for each in inventory.kind.__mro__:
        settings = inspect.get_annotations(each).get("config")
        if settings is not None and each is not Plugin:
            yield f"config {_annotation_text(settings, _globals_of(each), records)}"
            break
    yield from sorted(records.lines)


def _route_text(route: DeclaredRoute, records: Records) -> str:
    made = route.declaration
    keywords = _value_text(made.keywords, records)
    return f"route {made.verb} {made.path} {keywords} {_function_text(route.function, records)}"


def _router_lines(router: Any, prefix: str, records: Records) -> Iterator[str]:
    yield f"router {prefix} {_facts_text(router, ROUTER_FACTS, records)}"
    yield from _router_route_lines(getattr(router, "routes", ()), prefix, records)


def _router_route_lines(routes: Iterable[Any], prefix: str, records: Records) -> Iterator[str]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            context = getattr(route, "include_context", None)
            below = prefix + str(getattr(context, "prefix", ""))
            yield f"included {below} {_facts_text(context, ROUTER_FACTS, records)}"
            yield from _router_lines(inner, below, records)
            continue
        endpoint = getattr(route, "endpoint", None)
        text = _function_text(endpoint, records) if isinstance(endpoint, types.FunctionType) else ""
        methods = ",".join(sorted(getattr(route, "methods", None) or ()))
        yield f"route of router {methods} {prefix}{getattr(route, 'path', '')} {getattr(route, 'name', '')} {text}"
        yield f"{_facts_text(route, ROUTE_FACTS, records)} {_document_text(getattr(route, 'description', None))!r}"
        yield from _router_route_lines(getattr(route, "callbacks", None) or (), f"{prefix} calls back ", records)


def _receiver_text(receiver: DeclaredReceiver, records: Records) -> str:
    return f"receiver {receiver.attribute} {_value_text(receiver.declaration, records)}"


def _facts_text(thing: Any, names: Iterable[str], records: Records) -> str:
    """What of these an author has given; what is left at a default of FastAPI's is not."""
    given = {name: value for name in names if _is_given(value := getattr(thing, name, None))}
    return _value_text(given, records)


def _is_given(value: Any) -> bool:
    return not (value is None or value in ([], {}) or type(value).__name__ == "DefaultPlaceholder")


def _function_text(function: types.FunctionType, records: Records) -> str:
    kind = function.__code__.co_flags & FLAGS
    returned = _annotation_text(inspect.signature(function).return_annotation, function.__globals__, records)
    return f"{kind} ({_parameters_text(function, records)}) -> {returned} {_document_text(function.__doc__)!r}"


def _parameters_text(function: types.FunctionType, records: Records) -> str:
    known = function.__globals__
    return "; ".join(
        f"{each.kind.name} {each.name}: {_annotation_text(each.annotation, known, records)} = "
        f"{_value_text(each.default, records)}"
        for each in inspect.signature(function).parameters.values()
    )


def _document_text(document: str | None) -> str:
    """The docstring as it is read; newer Pythons already take its indentation away when they compile it."""
    lines = inspect.cleandoc(document or "").splitlines()
    return "\n".join(line.rstrip() for line in lines)


# --- annotations -----------------------------------------------------------------------------------------------------


def _annotation_text(annotation: Any, known: Mapping[str, Any], records: Records) -> str:
    """An annotation as text; the classes of the author's own that it names are added to `records`."""
    if annotation is inspect.Parameter.empty:
        return "-"
    if isinstance(annotation, str):
        for word in dict.fromkeys(WORD.findall(annotation)):
            _record(known.get(word), records)
        return " ".join(annotation.split())
    for each in _classes_in(annotation):
        _record(each, records)
    return _type_text(annotation, records)


def _classes_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in typing.get_args(annotation):
        yield from _classes_in(each)


def _record(kind: Any, records: Records) -> None:
    """Note the fields of a class that an author wrote, and of those that these name in turn."""
    if not isinstance(kind, type) or not _is_authors(kind) or not records.takes(kind):
        return
    if issubclass(kind, enum.Enum):
        members = {name: member.value for name, member in kind.__members__.items()}
        records.lines.append(f"record {kind.__qualname__} {_value_text(members, records)}")
        return
    defaults = _defaults(kind)
    lines = [
        f"{name}: {_annotation_text(annotation, _globals_of(each), records)} = "
        f"{_value_text(defaults.get(name), records)}"
        for each in reversed(kind.__mro__)
        if _is_authors(each)
        for name, annotation in inspect.get_annotations(each).items()
    ]
    records.lines.append(f"record {kind.__qualname__} {'; '.join(lines)} {_own_document(kind)!r}")
    made: Any = vars(kind).get("__init__")
    if _top_package(kind) == records.package and not dataclasses.is_dataclass(kind):
        _record_function(made, records)


def _record_function(function: Any, records: Records) -> None:
    """Note the parameters of a function that an author wrote: FastAPI reads those of a dependency."""
    if isinstance(function, types.FunctionType) and _is_authors(function) and records.takes(function):
        records.lines.append(f"function {function.__qualname__} ({_parameters_text(function, records)})")


def _is_authors(thing: Any) -> bool:
    """Whether a class or function comes neither with Python nor with what every plugin is given."""
    top = _top_package(thing)
    return top not in GIVEN and (top == "__main__" or top not in sys.stdlib_module_names)


def _top_package(thing: Any) -> str:
    return str(getattr(thing, "__module__", "")).partition(".")[0]


def _own_document(kind: type) -> str:
    """The docstring of a record, not the one that is made from its signature, which Pythons write differently."""
    document = vars(kind).get("__doc__")
    return "" if document is None or document.startswith(f"{kind.__name__}(") else _document_text(document)


def _defaults(kind: Any) -> dict[str, Any]:
    if hasattr(kind, "__pydantic_fields__"):
        return dict(kind.__pydantic_fields__)
    if issubclass(kind, msgspec.Struct):
        names = kind.__struct_fields__[len(kind.__struct_fields__) - len(kind.__struct_defaults__) :]
        return dict(zip(names, kind.__struct_defaults__, strict=True))
    if dataclasses.is_dataclass(kind):
        return {each.name: (each.default, each.default_factory) for each in dataclasses.fields(kind)}
    return dict(getattr(kind, "_field_defaults", {}))


def _globals_of(kind: type) -> Mapping[str, Any]:
    return vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}


def _type_text(kind: Any, records: Records, depth: int = 0) -> str:
    """A type by its name, the same for `Optional[int]` and `int | None`, `List[int]` and `list[int]`."""
    if kind is None or kind is type(None):
        return "None"
    if kind is ...:
        return "..."
    if depth > DEPTH_MAX:
        return "…"
    deeper = depth + 1
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return f"[{', '.join(_type_text(each, records, deeper) for each in kind)}]"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union or origin is types.UnionType:
        return " | ".join(dict.fromkeys(_type_text(each, records, deeper) for each in arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(_value_text(each, records, deeper) for each in arguments)}]"
    if origin is typing.Annotated:
        metadata = ", ".join(_value_text(each, records, deeper) for each in arguments[1:])
        return f"Annotated[{_type_text(arguments[0], records, deeper)}, {metadata}]"
    if origin is not None:
        inner = ", ".join(_type_text(each, records, deeper) for each in arguments)
        return f"{_type_text(origin, records, deeper)}[{inner}]"
    if isinstance(kind, typing.ForwardRef):
        return kind.__forward_arg__
    if hasattr(kind, "__value__"):
        return f"{kind.__name__} = {_type_text(kind.__value__, records, deeper)}"
    return _name_text(kind)


def _name_text(kind: Any) -> str:
    """Top package and qualified name: modules inside a package move between its versions."""
    name = getattr(kind, "__qualname__", "") or getattr(kind, "__name__", "") or ADDRESS.sub("", repr(kind))
    top = _top_package(kind)
    return name if top in {"", "builtins", "typing", "typing_extensions"} else f"{top}.{name}"


# --- values ----------------------------------------------------------------------------------------------------------


def _value_text(value: Any, records: Records, depth: int = 0) -> str:
    if depth > DEPTH_MAX:
        return "…"
    deeper = depth + 1
    match value:
        case enum.Enum():
            return f"{_name_text(type(value))}.{value.name}"
        case None | bool() | int() | float() | str() | bytes():
            return repr(value)
        case dict() | types.MappingProxyType():
            parts = sorted(
                f"{_value_text(key, records, deeper)}: {_value_text(each, records, deeper)}"
                for key, each in value.items()
            )
            return "{" + ", ".join(parts) + "}"
        case list() | tuple():
            return "[" + ", ".join(_value_text(each, records, deeper) for each in value) + "]"
        case set() | frozenset():
            return "{" + ", ".join(sorted(_value_text(each, records, deeper) for each in value)) + "}"
        case types.FunctionType() | types.BuiltinFunctionType() | types.MethodType():
            _record_function(getattr(value, "__func__", value), records)
            return _name_text(value)
        case functools.partial():
            return f"partial{_value_text([value.func, value.args, value.keywords], records, deeper)}"
    if value is inspect.Parameter.empty or type(value).__qualname__ == "PydanticUndefinedType":
        return "-"
    if isinstance(value, type) or typing.get_origin(value) is not None:
        for each in _classes_in(value):
            _record(each, records)
        return _type_text(value, records, deeper)
    return _object_text(value, records, deeper)


def _object_text(value: Any, records: Records, depth: int) -> str:
    """An object by its facts where they are known, else by its `repr`, addresses taken out."""
    kind = type(value)
    name = "" if kind.__name__.startswith("_") else _name_text(kind)
    _record_function(vars(kind).get("__call__"), records)
    facts = _facts(value)
    if facts is None:
        plain = all("__repr__" not in vars(each) for each in kind.__mro__[:-1])
        return name if plain else ADDRESS.sub("", repr(value))
    written = [f"{key}={_value_text(facts[key], records, depth)}" for key in sorted(facts)]
    return f"{name}({', '.join(each for each in written if not each.endswith(UNWRITTEN))})"


def _facts(value: Any) -> dict[str, Any] | None:
    kind = type(value)
    names: Iterable[str] | None = None
    if hasattr(kind, "is_required") and hasattr(kind, "metadata"):
        names = FIELD_FACTS
    elif dataclasses.is_dataclass(kind):
        names = [each.name for each in dataclasses.fields(kind) if each.repr]
    elif isinstance(value, msgspec.Struct):
        names = kind.__struct_fields__
    elif kind.__module__.partition(".")[0] in {"pydantic", "pydantic_core"} and hasattr(value, "__dict__"):
        return dict(vars(value))
    return None if names is None else {name: getattr(value, name, None) for name in names}
