"""From what a method returned to the bytes that travel."""

from __future__ import annotations

import dataclasses
import datetime
from collections import deque
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, Final

import msgspec

from somnus_plugins.errors import InvalidResult

__all__ = ["encode_result"]

BYTES: Final = (bytes, bytearray, memoryview)
WRITTEN_AS: Final[tuple[tuple[Any, Any], ...]] = (
    ((PurePath, IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), str),
    (deque, list),
    (Mapping, dict),
)
TIMESTAMPS: Final = (b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff")
"""How msgpack begins a timestamp. msgspec writes an aware datetime so, where a schema promises text."""
LEVELS_MAX: Final = 1_000
"""Deepest level at which the culprit is looked for: each costs as much as all below it."""
FAILURES: Final = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


def _foreign(value: Any) -> Any:
    if hasattr(type(value), "__pydantic_fields__"):
        return value.__pydantic_serializer__.to_python(value, by_alias=True)
    for kinds, written in WRITTEN_AS:
        if isinstance(value, kinds):
            return written(value)
    if type(value).__module__.partition(".")[0] in {"pydantic", "pydantic_core"}:
        return str(value)
    raise TypeError(type(value).__name__)


_encode = msgspec.msgpack.Encoder(enc_hook=_foreign).encode


def encode_result(value: Any, place: str) -> msgspec.Raw:
    """A result as msgpack of null, numbers, text, bytes, lists and dicts; everything else becomes one of these.

    Args:
        value: What the author's method returned, or one item of it.
        place: The method, for the error.

    Raises:
        InvalidResult: Something in it cannot be sent; the message names its path and its type.
    """
    try:
        data = _encode(value)
        if b"\xff" in data and any(mark in data for mark in TIMESTAMPS):
            data = _encode(msgspec.to_builtins(value, builtin_types=BYTES, enc_hook=_foreign))
    except FAILURES as error:
        path, culprit = _culprit(value)
        raise InvalidResult(
            f"{place} returned what cannot be sent: {path}: {culprit}",
            remedy="Return builtins, dataclasses, TypedDicts, msgspec Structs or pydantic models.",
            data={"path": path, "found": culprit},
        ) from error
    return msgspec.Raw(data)


def _culprit(value: Any) -> tuple[str, str]:
    """Path and description of the innermost thing that cannot be sent."""
    path, above = "$", {id(value)}
    while len(above) <= LEVELS_MAX:
        found = next(((step, child) for step, child in _children(value) if not _sendable(child)), None)
        if found is None:
            return path, _description(value)
        step, child = found
        path += step
        if id(child) in above:
            return path, f"a {type(child).__name__} that holds itself"
        above.add(id(child))
        value = child
    return path, f"a {type(value).__name__} below {LEVELS_MAX:,} levels"


def _sendable(value: Any) -> bool:
    try:
        _encode(value)
    except FAILURES:
        return False
    return True


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield f" key {key!r}" if not _sendable(key) else "", key
            yield f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]", child
    elif isinstance(value, list | tuple | set | frozenset | deque):
        yield from ((f"[{index}]", child) for index, child in enumerate(value))
    else:
        yield from ((f".{name}", getattr(value, name, None)) for name in _field_names(type(value)))


def _field_names(kind: type) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind))
    return tuple(getattr(kind, "__struct_fields__", ()) or getattr(kind, "__pydantic_fields__", ()))


def _description(value: Any) -> str:
    match value:
        case int():
            return "int beyond 64 bits"
        case str():
            return "text with half of a surrogate pair"
        case datetime.datetime():
            return "datetime out of range"
    return type(value).__name__
