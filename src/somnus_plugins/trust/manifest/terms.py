"""Values that the manifest writes as one string and the model keeps as a record. `str()` gives the string back."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from somnus_plugins.errors import UsageError
from somnus_plugins.trust.ids import PluginId
from somnus_plugins.trust.problems import Misfit

__all__ = [
    "Access",
    "Activation",
    "ActivationKind",
    "EntryPoint",
    "PluginRequirement",
    "SecretHeader",
    "SharedMemory",
    "parse_event_pattern",
    "parse_plugin_id",
    "parse_range",
]

EVENT_WORD: Final = "[a-z][a-z0-9_-]*"
EVENT_PATTERN: Final = rf"({EVENT_WORD}|\*)(\.({EVENT_WORD}|\*))*"
EVENT_ALLOWED: Final = "lower-case words joined by dots, where '*' may stand for a word and, at the end, for the rest"

_EVENT: Final = re.compile(EVENT_PATTERN)
_IDENTIFIER: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+): ([\x20-\x7e]+)")
_HOST_OWNED_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "proxy-authorization"}
)


class Access(StrEnum):
    """How far something may be used."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    """Read and change."""


class ActivationKind(StrEnum):
    """What wakes a plugin."""

    ON_CALL = "on_call"
    STARTUP = "startup"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where the plugin's class is: `module:Class`."""

    module: str
    """Dotted."""
    attribute: str
    """Name of the class."""

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `module:Class`."""
        module, colon, attribute = text.partition(":")
        names = [*module.split("."), attribute]
        if not colon or not all(_IDENTIFIER.fullmatch(each) and not keyword.iskeyword(each) for each in names):
            raise Misfit(hint="" if colon else "put a ':' between the module and the class")
        return cls(module, attribute)


@dataclass(frozen=True, slots=True)
class Activation:
    """One reason to wake the plugin: `on_call`, `startup` or `event:NAME`."""

    kind: ActivationKind
    event: str = ""
    """Pattern of the topics, for `event`."""

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.event}" if self.event else self.kind.value

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads one reason."""
        kind, colon, event = text.partition(":")
        if kind == ActivationKind.EVENT and colon:
            return cls(ActivationKind.EVENT, parse_event_pattern(event))
        if kind not in (ActivationKind.ON_CALL, ActivationKind.STARTUP) or colon:
            raise Misfit(hint="name the event: event:NAME" if kind == ActivationKind.EVENT else "")
        return cls(ActivationKind(kind))


@dataclass(frozen=True, slots=True)
class PluginRequirement:
    """Another plugin that must be there, and which versions: `somnus/embedder >=1.0`."""

    plugin: PluginId
    versions: SpecifierSet
    """Empty allows every version."""

    def __str__(self) -> str:
        return f"{self.plugin} {self.versions}".rstrip()

    def accepts(self, version: str) -> bool:
        """Whether this PEP 440 version will do. Pre-releases count: somebody chose to have this one."""
        return self.versions.contains(Version(version), prereleases=True)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an id and, after a space, a range."""
        plugin, _, versions = text.partition(" ")
        return cls(parse_plugin_id(plugin), parse_range(versions) if versions.strip() else SpecifierSet())


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """Another plugin's memory namespace: `somnus/journal:read`."""

    plugin: PluginId
    access: Access
    """Read or write."""

    def __str__(self) -> str:
        return f"{self.plugin}:{self.access.value}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an id and an access."""
        plugin, _, access = text.partition(":")
        if access not in (Access.READ, Access.WRITE):
            raise Misfit(hint="say how far after the id: publisher/name:read or publisher/name:write")
        return cls(parse_plugin_id(plugin), Access(access))


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """The request header that carries a secret: `Authorization: Bearer {}`."""

    name: str
    template: str
    """Its value; `{}` is replaced by the secret, by the host, after the request has left the plugin."""

    def __str__(self) -> str:
        return f"{self.name}: {self.template}"

    def value(self, secret: str) -> str:
        """The header's value with the secret in it."""
        return self.template.replace("{}", secret)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `Name: template`."""
        match = _HEADER.fullmatch(text)
        if match is None or match[2].count("{}") != 1:
            raise Misfit(hint="" if text.count("{}") == 1 else "put exactly one {} where the secret belongs")
        if match[1].lower() in _HOST_OWNED_HEADERS:
            raise Misfit(hint=f"{match[1]} belongs to the connection; a secret in it would change who is spoken to")
        return cls(match[1], match[2])


def parse_event_pattern(text: str) -> str:
    """The text, when it is a pattern of topics; else `Misfit`."""
    if not _EVENT.fullmatch(text):
        raise Misfit(EVENT_ALLOWED, hint="write it in lower case" if _EVENT.fullmatch(text.lower()) else "")
    return text


def parse_plugin_id(text: str) -> PluginId:
    """The id, or `Misfit`."""
    try:
        return PluginId.parse(text)
    except UsageError as error:
        raise Misfit("publisher/name", hint=error.message) from error


def parse_range(text: str) -> SpecifierSet:
    """A PEP 440 version range, not empty; else `Misfit`."""
    try:
        found = SpecifierSet(text)
    except InvalidSpecifier as error:
        raise Misfit(hint="a version needs an operator before it, for example >=1.0") from error
    if not text.strip():
        raise Misfit
    return found
