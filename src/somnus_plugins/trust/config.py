"""A plugin's own settings and a tool's arguments, against the schemas that the plugin announced.

The plugin's class in its own process has the last word. These rules answer without starting it: what is still
missing, what a word of the command line means, which key was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from somnus_plugins.errors import InvalidConfig, InvalidInput
from somnus_plugins.trust.json_schema import (
    Schema,
    allowed_values,
    check_value,
    convert_text,
    properties,
    required_keys,
    resolve,
)
from somnus_plugins.trust.problems import Misfit, Place, Problems

__all__ = ["check", "convert", "convert_arguments", "missing"]

SETTINGS: Final = "settings"
"""What stands for a file's name in problems of settings."""

ARGUMENTS: Final = "arguments"
"""What stands for a file's name in problems of arguments."""

SETTINGS_REMEDY: Final = "Correct the value; `somnus-plugins config ID` shows every setting of the plugin."
ARGUMENTS_REMEDY: Final = "Correct the arguments; `somnus-plugins info ID` shows every tool with its arguments."


def missing(schema: Schema | None, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings without a default that have no value yet, in the schema's order. Not empty means `needs_setup`.

    Args:
        schema: `config_schema` of the contributions; None where the plugin has no settings.
        values: What is set.
    """
    return () if schema is None else tuple(name for name in required_keys(schema, schema) if name not in values)


def convert(schema: Schema | None, key: str, text: str) -> Any:
    """The value that `KEY=VALUE` on the command line means.

    Raises:
        InvalidConfig: There is no such setting, or the text is no value of it; says which values are.
    """
    problems = Problems(SETTINGS)
    value = _converted(schema or {}, key, text, Place(problems))
    if not problems.found:
        check_value(properties(schema or {}, schema or {}).get(key), schema or {}, value, Place(problems, key))
    problems.raise_any(InvalidConfig, SETTINGS_REMEDY)
    return value


def check(schema: Schema | None, values: Mapping[str, Any]) -> None:
    """Check the values that are set; `missing` says which are not.

    Raises:
        InvalidConfig: `data["problems"]` lists unknown keys and every value that cannot fit.
    """
    root: Schema = schema or {}
    problems = Problems(SETTINGS)
    place, known = Place(problems), properties(root, root)
    for key, value in values.items():
        if key in known:
            check_value(known[key], root, value, place.at(key))
        elif not _is_open(root):
            place.refuse_unknown(key, known)
    problems.raise_any(InvalidConfig, SETTINGS_REMEDY)


def convert_arguments(input_schema: Schema, pairs: Iterable[str]) -> dict[str, Any]:
    """The arguments that `key=value` words of the command line mean. A list may be given entry by entry.

    Raises:
        InvalidInput: A word is not `key=value`, a key is unknown, repeated or missing, or a value does not fit; says
            which key and what is allowed.
    """
    problems = Problems(ARGUMENTS)
    place, known = Place(problems), properties(input_schema, input_schema)
    found: dict[str, Any] = {}
    given: set[str] = set()
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            place.refuse(pair, Misfit("key=value", hint="put a '=' between the argument's name and its value"))
            continue
        given.add(key)
        before = problems.total
        value = _converted(input_schema, key, text, place)
        if problems.total > before:
            continue
        if isinstance(value, list) and isinstance(found.get(key), list):
            found[key] += value
        elif key in found:
            place.at(key).refuse(text, Misfit("each argument once"))
        else:
            found[key] = value
    for key, value in found.items():
        if key in known:
            check_value(known[key], input_schema, value, place.at(key))
    for key in required_keys(input_schema, input_schema):
        if key not in given:
            place.at(key).refuse_missing(allowed_values(known.get(key), input_schema))
    problems.raise_any(InvalidInput, ARGUMENTS_REMEDY)
    return found


def _converted(schema: Schema, key: str, text: str, place: Place) -> Any:
    known = properties(schema, schema)
    if key not in known and not _is_open(schema):
        place.refuse_unknown(key, known)
        return None
    try:
        return convert_text(known.get(key, resolve(schema, schema).get("additionalProperties")), schema, text)
    except Misfit as misfit:
        place.at(key).refuse(text, misfit)
        return None


def _is_open(schema: Schema) -> bool:
    """Whether the author said that other keys are welcome. Silence is no welcome: it would hide a typing error."""
    others = resolve(schema, schema).get("additionalProperties")
    return others is True or isinstance(others, Mapping)
