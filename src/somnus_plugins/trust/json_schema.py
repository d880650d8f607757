"""JSON Schema as far as a plugin's settings and arguments need it: reading a word of the command line as a value, and
finding what does not fit.

The schemas come from plugins and count as hostile: references may go round in circles, depth and work are bounded,
regular expressions of a schema are never run. What goes unchecked here is checked by the plugin's own classes in its
own process; this is for answers that come at once and say what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from somnus_plugins.trust.problems import Misfit, Place, describe, words

__all__ = [
    "Schema",
    "allowed_values",
    "check_value",
    "convert_text",
    "properties",
    "required_keys",
    "resolve",
    "variants",
]

Schema = Mapping[str, Any]

REFERENCES_MAX: Final = 32
"""References that are followed one after the other. More is a circle, or a joke."""

VARIANTS_MAX: Final = 32
"""Alternatives of one value that are looked at."""

CHECK_STEPS_MAX: Final = 20_000
"""Comparisons of one check, after which the rest counts as fitting: alternatives within alternatives grow fast."""

DEPTH_MAX: Final = 32
"""Levels of a value that are checked."""

TEXT_MAX_CHARS: Final = 1024 * 1024
"""Longest word of a command line that is read as a value."""

_COMBINATIONS: Final = ("anyOf", "oneOf")
_INTEGER: Final = re.compile("[+-]?[0-9]{1,64}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,64}(\.[0-9]{0,64})?|\.[0-9]{1,64})([eE][+-]?[0-9]{1,4})?")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list, tuple),
    "object": (dict,),
}
_FORMATS: Final[Mapping[str, str]] = {
    "date": "a date such as 2030-12-31",
    "date-time": "a date and time such as 2030-12-31T12:00:00Z",
    "directory-path": "a folder",
    "duration": "a duration such as PT15M",
    "email": "an e-mail address",
    "file-path": "a file",
    "path": "a path",
    "time": "a time such as 12:00:00",
    "uri": "a URL",
    "uuid": "a UUID",
}


_ANYTHING: Final = "any JSON value"
_PLAIN: Final[Mapping[str, str]] = {"boolean": "true or false", "object": "a JSON object", "null": "null"}
_ENDS: Final[Mapping[str, str]] = {
    "minimum": "from",
    "exclusiveMinimum": "more than",
    "maximum": "to",
    "exclusiveMaximum": "less than",
}


def resolve(schema: object, root: Schema) -> Schema:
    """The schema with its references followed; empty, which fits everything, where they lead nowhere."""
    for _ in range(REFERENCES_MAX):
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            only = schema.get("allOf")
            if not (isinstance(only, list) and len(only) == 1 and "type" not in schema):
                return schema
            reference, target = "", only[0]
        else:
            target = _pointed(reference, root)
        beside = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        schema = {**target, **beside} if isinstance(target, Mapping) else {}
    return {}


def _pointed(reference: str, root: Schema) -> object:
    if reference.partition("/")[0] != "#":
        return None
    found: object = root
    for step in reference.split("/")[1:REFERENCES_MAX]:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def variants(schema: object, root: Schema) -> list[Schema]:
    """The alternatives of a schema, each without `anyOf`, `oneOf` or a list of types; at least one."""
    waiting: list[object] = [schema]
    found: list[Schema] = []
    for _ in range(2 * VARIANTS_MAX):
        if not waiting or len(found) == VARIANTS_MAX:
            break
        each = resolve(waiting.pop(0), root)
        name = next((name for name in _COMBINATIONS if isinstance(each.get(name), list)), None)
        kinds = each.get("type")
        if name is not None:
            beside = {key: value for key, value in each.items() if key in ("title", "description", "writeOnly")}
            waiting = [{**beside, **one} if isinstance(one, Mapping) else one for one in each[name]] + waiting
        elif isinstance(kinds, list):
            waiting = [{**each, "type": kind} for kind in kinds] + waiting
        else:
            found.append(each)
    return found or [{}]


def properties(schema: Schema, root: Schema) -> Schema:
    """Key → schema of an object's known keys."""
    found = resolve(schema, root).get("properties")
    return found if isinstance(found, Mapping) else {}


def required_keys(schema: Schema, root: Schema) -> tuple[str, ...]:
    """Keys of an object that must be there and have no default, in the schema's order."""
    required, known = resolve(schema, root).get("required"), properties(schema, root)
    listed = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return tuple(name for name in listed if "default" not in resolve(known.get(name), root))


def allowed_values(schema: object, root: Schema) -> str:
    """What fits, in words."""
    return words(list(dict.fromkeys(_allowed(each, root) for each in variants(schema, root))))


def _allowed(schema: Schema, root: Schema) -> str:
    if "const" in schema:
        return describe(schema["const"])
    if isinstance(schema.get("enum"), list):
        return words([describe(each) for each in schema["enum"][:VARIANTS_MAX]]) or "nothing"
    match schema.get("type"):
        case "integer" | "number":
            return _allowed_number(schema)
        case "string":
            form = schema.get("format")
            return _FORMATS.get(form, "text") if isinstance(form, str) else "text"
        case "array":
            item = resolve(schema.get("items"), root)
            return f"a list; each entry: {_allowed(item, {})}" if isinstance(item.get("type"), str) else "a list"
        case str() as kind:
            return _PLAIN.get(kind, _ANYTHING)
    return _ANYTHING


def _allowed_number(schema: Schema) -> str:
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    ends = [f"{text} {schema[name]}" for name, text in _ENDS.items() if _is_number(schema.get(name))]
    return " ".join([kind, *ends])


def is_hidden(schema: object, root: Schema) -> bool:
    """Whether values must not be shown: a password, an API key."""
    return any(each.get("writeOnly") is True or each.get("format") == "password" for each in variants(schema, root))


def convert_text(schema: object, root: Schema, text: str) -> Any:
    """The value that a word of the command line means where the schema applies.

    Tried in this order, as far as the schema allows them: the words of an enum, `null`, whole number, number, true or
    false (also yes, no, on, off), list (JSON, or separated by commas), object (JSON), text. Without a type: JSON if it
    is JSON, else text.

    Raises:
        Misfit: It means nothing that the schema allows; `allowed` says what it does allow.
    """
    if len(text) > TEXT_MAX_CHARS:
        raise Misfit(f"at most {TEXT_MAX_CHARS} characters", found=f"{len(text)} characters")
    found = variants(schema, root)
    for kind in ("enum", "null", "integer", "number", "boolean", "array", "object", "string", ""):
        for each in found:
            if kind == _kind(each):
                try:
                    return _READERS[kind](each, root, text)
                except Misfit:
                    continue
    raise Misfit(allowed_values(schema, root), found="a hidden value" if is_hidden(schema, root) else "")


def _kind(schema: Schema) -> str:
    if "const" in schema or isinstance(schema.get("enum"), list):
        return "enum"
    kind = schema.get("type")
    return kind if isinstance(kind, str) and kind in _TYPES else ""


def _read_enum(schema: Schema, root: Schema, text: str) -> Any:
    for each in [schema["const"]] if "const" in schema else schema["enum"]:
        if text == (each if isinstance(each, str) else _json_text(each)):
            return each
    raise Misfit


def _read_null(schema: Schema, root: Schema, text: str) -> None:
    if text != "null":
        raise Misfit


def _read_integer(schema: Schema, root: Schema, text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**64:  # what the wire carries
        raise Misfit
    return int(text)


def _read_number(schema: Schema, root: Schema, text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise Misfit
    return float(text)


def _read_boolean(schema: Schema, root: Schema, text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise Misfit
    return text.lower() in _TRUE


def _read_array(schema: Schema, root: Schema, text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        found = _json(text)
        if isinstance(found, list):
            return found
        raise Misfit
    return [convert_text(schema.get("items"), root, part.strip()) for part in text.split(",") if part.strip()]


def _read_object(schema: Schema, root: Schema, text: str) -> dict[str, Any]:
    found = _json(text)
    if not isinstance(found, dict):
        raise Misfit
    return found


def _read_string(schema: Schema, root: Schema, text: str) -> str:
    return text


def _read_anything(schema: Schema, root: Schema, text: str) -> Any:
    try:
        return _json(text)
    except Misfit:
        return text


_READERS: Final = {
    "enum": _read_enum,
    "null": _read_null,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "array": _read_array,
    "object": _read_object,
    "string": _read_string,
    "": _read_anything,
}


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode("utf-8"))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Misfit from error


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def check_value(schema: object, root: Schema, value: Any, place: Place) -> None:
    """Note at the place what does not fit: types, enums, ranges, lengths, required and unknown keys.

    Args:
        schema: What the value must fit.
        root: Document that references point into.
        value: JSON-compatible.
        place: Where the value stands.
    """
    check = _Check(root)
    for key, found, allowed in check.faults(schema, value, (), DEPTH_MAX):
        place.at(*key).refuse(found, Misfit(allowed, found="a hidden value" if check.hidden(schema, key) else ""))


class _Check:
    """One walk over a value, with its budget of steps."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.steps = CHECK_STEPS_MAX

    def hidden(self, schema: object, key: tuple[str | int, ...]) -> bool:
        """Whether the value at this key must not be quoted; a key beside the schema's own hides nothing."""
        for step in key:
            if is_hidden(schema, self.root):
                return True
            found = resolve(schema, self.root)
            schema = properties(found, self.root).get(step) if isinstance(step, str) else found.get("items")
        return is_hidden(schema, self.root)

    def faults(self, schema: object, value: Any, key: tuple[str | int, ...], depth: int) -> Iterator[Fault]:
        """Key, value and what is allowed, of everything that does not fit. Of alternatives, one must fit."""
        self.steps -= 1
        if self.steps < 0 or depth == 0:
            return
        found = variants(schema, self.root)
        fitting = [each for each in found if _has_type(each, value)]
        if not fitting:
            yield key, value, allowed_values(schema, self.root)
            return
        first: list[Fault] = []
        for each in fitting:
            faults = list(self._one(each, value, key, depth))
            if not faults:
                return
            first = first or faults
        yield from first

    def _one(self, schema: Schema, value: Any, key: tuple[str | int, ...], depth: int) -> Iterator[Fault]:
        options = [schema["const"]] if "const" in schema else schema.get("enum")
        if (isinstance(options, list) and not any(_same(each, value) for each in options)) or not _in_range(
            schema, value
        ):
            yield key, value, _allowed(schema, self.root)
        elif isinstance(value, str | list | tuple):
            yield from _size_faults(schema, value, key)
            if not isinstance(value, str):
                for index, entry in enumerate(value):
                    yield from self.faults(schema.get("items"), entry, (*key, index), depth - 1)
        elif isinstance(value, dict):
            yield from self._object(schema, value, key, depth)

    def _object(self, schema: Schema, value: dict[str, Any], key: tuple[str | int, ...], depth: int) -> Iterator[Fault]:
        known, others = properties(schema, self.root), schema.get("additionalProperties")
        for name in required_keys(schema, self.root):
            if name not in value:
                yield (*key, name), None, f"{allowed_values(known.get(name), self.root)}; this key is required"
        for name, entry in value.items():
            if name in known:
                yield from self.faults(known[name], entry, (*key, name), depth - 1)
            elif others is False:
                yield (*key, name), entry, f"the keys {', '.join(sorted(known))}"
            elif isinstance(others, Mapping):
                yield from self.faults(others, entry, (*key, name), depth - 1)


Fault = tuple[tuple[str | int, ...], Any, str]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_type(schema: Schema, value: Any) -> bool:
    kinds = _TYPES.get(schema["type"]) if isinstance(schema.get("type"), str) else None
    if kinds is None:
        return True
    if isinstance(value, bool):
        return bool in kinds
    whole = int in kinds and isinstance(value, float) and value.is_integer()
    return isinstance(value, kinds) or whole


def _same(option: Any, value: Any) -> bool:
    return bool(option == value) and isinstance(option, bool) == isinstance(value, bool)


def _in_range(schema: Schema, value: Any) -> bool:
    if not _is_number(value):
        return True
    bounds = {name: schema[name] for name in _BOUNDS if _is_number(schema.get(name))}
    return all(_BOUNDS[name](value, bound) for name, bound in bounds.items())


_BOUNDS: Final = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
}


def _size_faults(schema: Schema, value: Any, key: tuple[str | int, ...]) -> Iterator[Fault]:
    unit, kind = ("characters", "Length") if isinstance(value, str) else ("entries", "Items")
    low, high = schema.get(f"min{kind}"), schema.get(f"max{kind}")
    if isinstance(low, int) and len(value) < low:
        yield key, value, f"at least {low} {unit}"
    if isinstance(high, int) and len(value) > high:
        yield key, value, f"at most {high} {unit}"
