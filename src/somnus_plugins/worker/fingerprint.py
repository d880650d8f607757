"""A hash over what a plugin adds, as its author wrote it.

It has to be the same in every process, on every supported Python and with every version of pydantic and FastAPI, and
costs no schema. So objects are written as text by rules of this module, never by their own `repr` alone.
"""

from __future__ import annotations

import dataclasses
import enum
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
UNWRITTEN: Final = ("=None", "=-", "=[]", "=False")
"""Ends of facts that were left at their defaults: another version may have more of those."""
GIVEN: Final = frozenset(
    {"annotated_types", "fastapi", "msgspec", "pydantic", "pydantic_core", "somnus_plugins", "starlette"}
)
"""Packages whose classes no plugin's author wrote."""
FLAGS: Final = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
DEPTH_MAX: Final = 20


def fingerprint(inventory: Inventory) -> str:
    """SHA-256, in hex, of everything the class declares.

    Args:
        inventory: Of the class.
    """
    return hashlib.sha256("\n".join(_lines(inventory)).encode("utf-8", "surrogatepass")).hexdigest()


def _lines(inventory: Inventory) -> Iterator[str]:
    records: dict[str, str] = {}
    for tool in inventory.tools.values():
        made = tool.declaration
        flags = (made.title, made.read_only, made.idempotent, made.timeout_s)
        yield f"tool {made.name} {flags!r} {_function_text(tool.function, records)}"
    for route in inventory.routes:
        yield _route_text(route, records)
    if inventory.router is not None:
        yield from _router_lines(inventory.router, "", records)
    yield from map(_receiver_text, inventory.subscriptions)
    yield from map(_receiver_text, inventory.schedules)
    for each in inventory.kind.__mro__:
        settings = inspect.get_annotations(each).get("config")
        if settings is not None and each is not Plugin:
            yield f"config {_annotation_text(settings, _globals_of(each), records)}"
            break
    yield from (f"record {name} {text}" for name, text in sorted(records.items()))


def _route_text(route: DeclaredRoute, records: dict[str, str]) -> str:
    made = route.declaration
    keywords = _value_text(made.keywords, 0)
    return f"route {made.verb} {made.path} {keywords} {_function_text(route.function, records)}"


def _router_lines(router: Any, prefix: str, records: dict[str, str]) -> Iterator[str]:
    for route in getattr(router, "routes", ()):
        inner = getattr(route, "original_router", None)
        if inner is not None:
            context = getattr(route, "include_context", None)
            yield from _router_lines(inner, prefix + str(getattr(context, "prefix", "")), records)
            continue
        endpoint = getattr(route, "endpoint", None)
        text = _function_text(endpoint, records) if isinstance(endpoint, types.FunctionType) else ""
        methods = ",".join(sorted(getattr(route, "methods", None) or ()))
        yield f"router {methods} {prefix}{getattr(route, 'path', '')} {getattr(route, 'name', '')} {text}"


def _receiver_text(receiver: DeclaredReceiver) -> str:
    return f"receiver {receiver.attribute} {_value_text(receiver.declaration, 0)}"


def _function_text(function: types.FunctionType, records: dict[str, str]) -> str:
    known = function.__globals__
    signature = inspect.signature(function)
    parameters = [
        f"{each.kind.name} {each.name}: {_annotation_text(each.annotation, known, records)} = "
        f"{_value_text(each.default, 0)}"
        for each in signature.parameters.values()
    ]
    kind = function.__code__.co_flags & FLAGS
    returned = _annotation_text(signature.return_annotation, known, records)
    return f"{kind} ({'; '.join(parameters)}) -> {returned} {_document_text(function.__doc__)!r}"


def _document_text(document: str | None) -> str:
    """The docstring as it is read; newer Pythons already take its indentation away when they compile it."""
    lines = inspect.cleandoc(document or "").splitlines()
    return "\n".join(line.rstrip() for line in lines)


# --- annotations -----------------------------------------------------------------------------------------------------


def _annotation_text(annotation: Any, known: Mapping[str, Any], records: dict[str, str]) -> str:
    """An annotation as text; the classes of the author's own that it names are added to `records`."""
    if annotation is inspect.Parameter.empty:
        return "-"
    if isinstance(annotation, str):
        for word in dict.fromkeys(WORD.findall(annotation)):
            _record(known.get(word), records)
        return " ".join(annotation.split())
    for each in _classes_in(annotation):
        _record(each, records)
    return _type_text(annotation, 0)


def _classes_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in typing.get_args(annotation):
        yield from _classes_in(each)


def _record(kind: Any, records: dict[str, str]) -> None:
    """Note the fields of a class that an author wrote, and of those that these name in turn."""
    if not isinstance(kind, type) or not _is_authors(kind) or kind.__qualname__ in records:
        return
    if issubclass(kind, enum.Enum):
        records[kind.__qualname__] = _value_text({name: member.value for name, member in kind.__members__.items()}, 0)
        return
    records[kind.__qualname__] = ""
    defaults = _defaults(kind)
    lines = [
        f"{name}: {_annotation_text(annotation, _globals_of(each), records)} = {_value_text(defaults.get(name), 0)}"
        for each in reversed(kind.__mro__)
        if _is_authors(each)
        for name, annotation in inspect.get_annotations(each).items()
    ]
    records[kind.__qualname__] = f"{'; '.join(lines)} {_own_document(kind)!r}"


def _is_authors(kind: type) -> bool:
    """Whether a class comes neither with Python nor with what every plugin is given."""
    top = kind.__module__.partition(".")[0]
    return top not in GIVEN and (top == "__main__" or top not in sys.stdlib_module_names)


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


def _type_text(kind: Any, depth: int) -> str:
    """A type by its name, the same for `Optional[int]` and `int | None`, `List[int]` and `list[int]`."""
    if kind is None or kind is type(None):
        return "None"
    if kind is ...:
        return "..."
    if depth > DEPTH_MAX:
        return "…"
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return f"[{', '.join(_type_text(each, depth + 1) for each in kind)}]"
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union or origin is types.UnionType:
        return " | ".join(dict.fromkeys(_type_text(each, depth + 1) for each in arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(_value_text(each, depth + 1) for each in arguments)}]"
    if origin is typing.Annotated:
        metadata = ", ".join(_value_text(each, depth + 1) for each in arguments[1:])
        return f"Annotated[{_type_text(arguments[0], depth + 1)}, {metadata}]"
    if origin is not None:
        return f"{_type_text(origin, depth + 1)}[{', '.join(_type_text(each, depth + 1) for each in arguments)}]"
    if isinstance(kind, typing.ForwardRef):
        return kind.__forward_arg__
    if hasattr(kind, "__value__"):
        return f"{kind.__name__} = {_type_text(kind.__value__, depth + 1)}"
    return _name_text(kind)


def _name_text(kind: Any) -> str:
    """Top package and qualified name: modules inside a package move between its versions."""
    name = getattr(kind, "__qualname__", "") or getattr(kind, "__name__", "") or ADDRESS.sub("", repr(kind))
    top = str(getattr(kind, "__module__", "")).partition(".")[0]
    return name if top in {"", "builtins", "typing", "typing_extensions"} else f"{top}.{name}"


# --- values ----------------------------------------------------------------------------------------------------------


def _value_text(value: Any, depth: int) -> str:
    if depth > DEPTH_MAX:
        return "…"
    deeper = depth + 1
    match value:
        case enum.Enum():
            return f"{_name_text(type(value))}.{value.name}"
        case None | bool() | int() | float() | str() | bytes():
            return repr(value)
        case dict() | types.MappingProxyType():
            parts = sorted(f"{_value_text(key, deeper)}: {_value_text(each, deeper)}" for key, each in value.items())
            return "{" + ", ".join(parts) + "}"
        case list() | tuple():
            return "[" + ", ".join(_value_text(each, deeper) for each in value) + "]"
        case set() | frozenset():
            return "{" + ", ".join(sorted(_value_text(each, deeper) for each in value)) + "}"
        case types.FunctionType() | types.BuiltinFunctionType() | types.MethodType():
            return _name_text(value)
    if value is inspect.Parameter.empty or type(value).__qualname__ == "PydanticUndefinedType":
        return "-"
    if isinstance(value, type) or typing.get_origin(value) is not None:
        return _type_text(value, deeper)
    return _object_text(value, deeper)


def _object_text(value: Any, depth: int) -> str:
    """An object by its facts where they are known, else by its `repr`, addresses taken out."""
    kind = type(value)
    name = "" if kind.__name__.startswith("_") else _name_text(kind)
    facts = _facts(value)
    if facts is None:
        plain = all("__repr__" not in vars(each) for each in kind.__mro__[:-1])
        return name if plain else ADDRESS.sub("", repr(value))
    written = [f"{key}={_value_text(facts[key], depth)}" for key in sorted(facts)]
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
