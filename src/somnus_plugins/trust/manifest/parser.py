"""Reading a manifest: bytes in, a `Manifest` or all of its problems out."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from somnus_plugins.errors import InvalidManifest
from somnus_plugins.trust.manifest.model import Manifest, ProjectTable
from somnus_plugins.trust.manifest.shapes import TableOf
from somnus_plugins.trust.problems import Misfit, Place, Problems

__all__ = ["MANIFEST_FILE", "MANIFEST_MAX_BYTES", "manifest_from_tables", "parse_manifest"]

MANIFEST_FILE: Final = "pyproject.toml"

MANIFEST_MAX_BYTES: Final = 256 * 1024
"""Largest manifest, in bytes. A hundred times a long one; bounds what parsing a hostile one costs."""

TOP_KEYS: Final = ("build-system", "dependency-groups", "project", "tool")
"""Tables of a pyproject.toml: PEP 518, 621 and 735."""

REMEDY: Final = "Correct the manifest; docs/reference/manifest.md describes every key."

KEY_MAX_SEGMENTS: Final = 32
"""Names of one dotted key. The standard parser's time grows with their square: a hundred thousand take minutes."""

NESTING_MAX_LEVELS: Final = 32
"""Brackets within brackets. The standard parser recurses once for each."""

_TOKEN: Final = re.compile(
    r"""
    (?P<word> "{3} (?:[^"\\] | \\[\s\S] | "(?!""))*+ "{3,5}
            | '{3} (?:[^'] | '(?!''))*+ '{3,5}
            | (?!"{3}) " (?:[^"\\\n] | \\.)*+ "
            | (?!'{3}) ' [^'\n]*+ '
            | [A-Za-z0-9_-]++ )
    | (?P<dot> \.)
    | (?P<open> [\[{])
    | (?P<close> [\]}])
    | (?P<stray> ["'])
    | (?P<blank> [ \t]++)
    | (?P<other> \#[^\n]*+ | [^A-Za-z0-9_.\[\]{}"' \t\#-]++)
    """,
    re.VERBOSE,
)
_TOML_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


def parse_manifest(text: bytes | str, file: str = MANIFEST_FILE) -> Manifest:
    """The manifest that the file's content says.

    Args:
        text: The content; UTF-8 where it is bytes. Any content is safe.
        file: Its name, for messages.

    Raises:
        InvalidManifest: `data["problems"]` lists every problem with file, key, found, allowed and perhaps a hint.
    """
    problems = Problems(file)
    tables = _toml(text, Place(problems))
    problems.raise_any(InvalidManifest, REMEDY)
    return manifest_from_tables(tables, file)


def manifest_from_tables(tables: dict[str, Any], file: str = MANIFEST_FILE) -> Manifest:
    """The manifest that the tables of an already parsed TOML document say.

    Raises:
        InvalidManifest: As `parse_manifest`.
    """
    problems = Problems(file)
    top = Place(problems)
    for name in tables:
        if name not in TOP_KEYS:
            top.refuse_unknown(name, TOP_KEYS)
    project = _read(tables, top, TableOf(ProjectTable), ("project",))
    found: Manifest | None = _read(tables, top, TableOf(Manifest), ("tool", "somnus"), project=project)
    problems.raise_any(InvalidManifest, REMEDY)
    assert found is not None  # noqa: S101 - None comes with a problem
    return found


def _read(tables: dict[str, Any], top: Place, shape: TableOf, path: tuple[str, ...], **given: Any) -> Any:
    place = top.at(*path)
    value: Any = tables
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return shape.read(value, place, **given)
    except Misfit as misfit:
        place.refuse(value, Misfit("a table", misfit.hint, found="nothing" if value is None else ""))
        return None


def _toml(text: bytes | str, place: Place) -> dict[str, Any]:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MANIFEST_MAX_BYTES:
        place.refuse(None, Misfit(f"at most {MANIFEST_MAX_BYTES} bytes", found=f"{size} bytes"))
        return {}
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        _check_structure(decoded)
        return tomllib.loads(decoded)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found = f"a byte that is not UTF-8 in line {line}"
        place.refuse(None, Misfit("TOML in UTF-8", "save the file as UTF-8", found))
    except Misfit as misfit:
        place.refuse(None, misfit)
    except ValueError as error:  # TOMLDecodeError, and what int() says to a number with thousands of digits
        match, reason = _TOML_PLACE.search(str(error)), _TOML_PLACE.sub("", str(error))
        where = f"in line {match[1]}, column {match[2]}" if match and match[1] else "at the end of the file"
        place.refuse(None, Misfit("TOML 1.0", found=f"a mistake {where}: {reason}"))
    return {}


def _check_structure(text: str) -> None:
    """Refuse what the standard parser would need minutes or a deep stack for; one pass, no opinion on the rest."""
    segments = depth = 0
    after_dot = False
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "word":
                segments = segments + 1 if after_dot else 1
            case "dot":
                after_dot = True
                continue
            case "blank":
                continue
            case "open":
                depth += 1
            case "close":
                depth -= 1
            case "stray":  # a string without end: the parser goes no further either
                return
        after_dot = False
        if segments > KEY_MAX_SEGMENTS or depth > NESTING_MAX_LEVELS:
            line = text.count("\n", 0, token.start()) + 1
            allowed = f"keys of at most {KEY_MAX_SEGMENTS} names, brackets at most {NESTING_MAX_LEVELS} levels deep"
            raise Misfit(allowed, found=f"deep nesting in line {line}")
