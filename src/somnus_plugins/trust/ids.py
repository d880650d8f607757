"""Names of plugins: ids, mounts, and the way from any text to a valid name.

An id becomes a directory, a URL path, an event source and a word on the command line. One narrow grammar keeps it
harmless in all of them, and no two valid names differ only in case or in letters that look alike.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Self

from somnus_plugins.errors import UsageError
from somnus_plugins.trust.problems import describe, printable

__all__ = [
    "DEFAULT_PUBLISHER",
    "NAME_MAX_CHARS",
    "PUBLISHER_MAX_CHARS",
    "RESERVED_NAMES",
    "RESERVED_PUBLISHERS",
    "PluginId",
    "name_fault",
    "normalise_name",
    "parse_mount",
    "publisher_fault",
]

NAME_MAX_CHARS: Final = 64
"""Longest name or mount: below what a host name label, a file name and a package name may have, with room for more."""

PUBLISHER_MAX_CHARS: Final = 39
"""Longest publisher: as long as an account name on GitHub, so that anybody can have the same one here."""

DEFAULT_PUBLISHER: Final = "local"
"""Publisher of a plugin that names none. No marketplace gives it away, so it never means anybody else."""

RESERVED_NAMES: Final = frozenset(
    {"admin", "api", "assets", "docs", "favicon", "health", "healthz", "host", "metrics", "mount", "openapi"}
    | {"plugins", "redoc", "robots", "static", "system", "tools", "well-known"}
)
"""Not names or mounts: next to these words in a URL or an event's source, a plugin would pass for the host itself."""

RESERVED_PUBLISHERS: Final = frozenset({"admin", "builtin", "host", "official", "root", "system"})
"""Not publishers: a person would take what stands below them for a part of the host."""

NAME_PATTERN: Final = "[a-z][a-z0-9]*(-[a-z0-9]+)*"
"""The grammar without length and reserved words, as a regular expression that Python and JSON Schema both read."""

NAME_ALLOWED: Final = "lower-case ASCII letters, digits and single '-', beginning with a letter"

_WORD: Final = re.compile(NAME_PATTERN)
_CAMEL_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")


def name_fault(text: str) -> str:
    """Why the text is not a plugin's name or mount; empty where it is one."""
    return _fault(text, NAME_MAX_CHARS, RESERVED_NAMES)


def publisher_fault(text: str) -> str:
    """Why the text is not a publisher; empty where it is one."""
    return _fault(text, PUBLISHER_MAX_CHARS, RESERVED_PUBLISHERS)


def _fault(text: str, max_chars: int, reserved: frozenset[str]) -> str:
    if len(text) > max_chars:
        return f"it has {len(text)} characters, at most {max_chars} are allowed"
    if not _WORD.fullmatch(text):
        return f"allowed are {NAME_ALLOWED}"
    return f"{text} is reserved for the host" if text in reserved else ""


@dataclass(frozen=True, slots=True, order=True)
class PluginId:
    """Who made a plugin and what it is called. One that exists is valid, so it may be used as a path.

    Raises:
        UsageError: The publisher or the name breaks the grammar.
    """

    publisher: str
    name: str

    def __post_init__(self) -> None:
        for part, fault in (("publisher", publisher_fault(self.publisher)), ("name", name_fault(self.name))):
            if fault:
                raise UsageError(
                    f"{describe(getattr(self, part))} is not a plugin's {part}: {fault}",
                    remedy="A plugin's id is publisher/name, for example somnus/notes.",
                )

    def __str__(self) -> str:
        return f"{self.publisher}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id that `publisher/name` writes.

        Raises:
            UsageError: The text is something else; says which part is wrong and what is allowed.
        """
        publisher, slash, name = text.partition("/")
        if not slash:
            raise UsageError(
                f"{describe(text)} is not a plugin's id: there is no '/' between publisher and name",
                remedy=f"Write publisher/name, for example {DEFAULT_PUBLISHER}/{printable(text) or 'notes'}.",
            )
        return cls(publisher, name)


def parse_mount(text: str) -> str:
    """The text, when a plugin may be mounted under it: the grammar is that of names.

    Raises:
        UsageError: It may not; says why.
    """
    if fault := name_fault(text):
        raise UsageError(f"{describe(text)} is not a mount: {fault}", remedy="Choose another name with --as.")
    return text


def normalise_name(text: str) -> str:
    """The plugin name that a person meant: `MyPlugin`, `my_plugin` and `My plugin` are all `my-plugin`.

    Raises:
        UsageError: Nothing valid remains, or what remains is too long or reserved.
    """
    plain = unicodedata.normalize("NFKD", text[: 8 * NAME_MAX_CHARS]).encode("ascii", "ignore").decode("ascii")
    name = _SEPARATORS.sub("-", _CAMEL_HUMP.sub("-", plain).lower()).strip("-")
    if fault := name_fault(name):
        raise UsageError(
            f"no plugin name can be made of {describe(text)}: {fault}",
            remedy="Choose a name that begins with a letter, for example my-plugin.",
        )
    return name
