"""The grammars of the manifest's strings, as named shapes.

Each pattern is what an editor checks; where it is wider than the grammar, the shape's parser decides.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from somnus_plugins.trust.ids import (
    NAME_ALLOWED,
    NAME_MAX_CHARS,
    NAME_PATTERN,
    PUBLISHER_MAX_CHARS,
    name_fault,
    publisher_fault,
)
from somnus_plugins.trust.manifest.shapes import Text
from somnus_plugins.trust.manifest.terms import (
    EVENT_ALLOWED,
    EVENT_PATTERN,
    EVENT_WORD,
    Activation,
    EntryPoint,
    PluginRequirement,
    SecretHeader,
    SharedMemory,
    parse_event_pattern,
    parse_plugin_id,
    parse_range,
)
from somnus_plugins.trust.problems import Misfit

__all__ = ["CONFIG_REFERENCE", "HTTPS_PORT", "config_key"]

HTTPS_PORT: Final = 443
"""Port of a host that names none."""

DOMAIN_MAX_CHARS: Final = 253
"""Longest host name that the domain name system can carry."""

HOST_TOPICS: Final = frozenset({"anchor", "host", "memory", "plugin", "plugins", "sessions", "system", "workspace"})
"""First words of topics that the host itself publishes. A plugin that publishes them could fake what has happened."""

CONFIG_REFERENCE: Final = r"\{config\.([A-Za-z_][A-Za-z0-9_]*)\}"
"""A setting whose value is the grant."""

_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_CONFIG: Final = re.compile(CONFIG_REFERENCE)
_DOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_PORT: Final = re.compile("[1-9][0-9]{0,4}")
_LAST_LABEL_OF_ADDRESS: Final = re.compile("[0-9]+|0x[0-9a-f]*")


def config_key(entry: str) -> str:
    """The setting that `{config.key}` names; empty for every other entry."""
    match = _CONFIG.fullmatch(entry)
    return match[1] if match else ""


def _parse_network(text: str) -> str:
    return text if text == "*" else _parse_host(text)


def _parse_host(text: str) -> str:
    """`host`, `host:port`, `*.domain`, an address, or a setting."""
    if _CONFIG.fullmatch(text):
        return text
    host, port = _split_port(text)
    if port and not (_PORT.fullmatch(port) and int(port) < 2**16):
        raise Misfit("a port from 1 to 65535", hint=_host_hint(text))
    if host.startswith("["):
        _require_address(host[1:-1], 6)
    elif _LAST_LABEL_OF_ADDRESS.fullmatch(host.rpartition(".")[2]):
        _require_address(host, 4)
    elif host.startswith("*."):
        if not _DOMAIN.fullmatch(host[2:]) or "." not in host[2:]:
            raise Misfit(hint=_host_hint(text) or "'*.' needs a domain of at least two words after it")
    elif not _DOMAIN.fullmatch(host) or len(host) > DOMAIN_MAX_CHARS:
        raise Misfit(hint=_host_hint(text))
    return text


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if not bracket or (rest and not re.fullmatch(":.+", rest)):
            raise Misfit(hint="write an IPv6 address as [address] or [address]:port")
        return host + bracket, rest[1:]
    host, colon, port = text.partition(":")
    if ":" in port and "/" not in port:
        raise Misfit(hint="write an IPv6 address as [address] or [address]:port")
    if colon and not port:
        raise Misfit("a port after the ':'")
    return host, port


def _require_address(text: str, version: int) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Misfit(hint="an address is written in full, four decimal numbers or IPv6 in [ ]") from error
    if address.version != version or str(address) != text:
        raise Misfit(hint=f"the usual form is {address}")


def _host_hint(text: str) -> str:
    if "://" in text:
        return "write the host alone, without scheme and path"
    if "/" in text or "?" in text:
        return "write the host alone, without a path"
    if not text.isascii():
        try:
            return f"write the ASCII form {text.encode('idna').decode('ascii')}"
        except UnicodeError:
            return "write the ASCII form (xn--…)"
    if text != text.lower():
        return f"write it in lower case: {text.lower()}"
    return "write it without the dot at the end" if text.endswith(".") else ""


def _parse_path(text: str) -> str:
    """An absolute path without a second way to write it, or a setting."""
    if _CONFIG.fullmatch(text):
        return text
    if not text.startswith("/"):
        raise Misfit(hint="let the person choose the folder: {config.folder}")
    if any(each in text for each in "*?[") or not text.isprintable():
        raise Misfit(hint="name the directory: a grant holds for everything below it")
    if str(PurePosixPath(text)) != text or text.startswith("//") or ".." in text.split("/"):
        raise Misfit(hint="write it without '.', '..', '//' and a slash at the end")
    return text


def _parse_published(text: str) -> str:
    first = parse_event_pattern(text).partition(".")[0]
    if first == "*" or first in HOST_TOPICS:
        raise Misfit(hint=f"topics that begin with {first} are the host's; begin with the plugin's name")
    return text


def _parse_name(text: str) -> str:
    """A project name, normalised after PEP 503, when that is a plugin's name."""
    name = canonicalize_name(text)
    if fault := name_fault(name) or ("" if text.isascii() else f"allowed are {NAME_ALLOWED}"):
        raise Misfit(hint=fault)
    return name


def _parse_publisher(text: str) -> str:
    if fault := publisher_fault(text):
        raise Misfit(hint=fault)
    return text


def _parse_version(text: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion as error:
        raise Misfit(hint="three numbers joined by dots are always right") from error


def _parse_dependency(text: str) -> Requirement:
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as error:  # the marker parser recurses once per parenthesis
        raise Misfit(hint=str(error).partition("\n")[0][:200]) from error


NAME: Final = Text(
    f"a name that PEP 503 normalises to {NAME_ALLOWED}",
    r"[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?",
    _parse_name,
    max_chars=NAME_MAX_CHARS,
)
PUBLISHER: Final = Text(NAME_ALLOWED, NAME_PATTERN, _parse_publisher, max_chars=PUBLISHER_MAX_CHARS)
VERSION: Final = Text("a PEP 440 version such as 1.2.0", r"[^\s].*", _parse_version, max_chars=64)
RANGE: Final = Text("a PEP 440 range such as >=1,<2", r".*[0-9].*", parse_range)
DEPENDENCY: Final = Text(
    "a PEP 508 requirement such as numpy >=2; python_version >= '3.12'", ".+", _parse_dependency, max_chars=1024
)
SENTENCE: Final = Text("text of at most 512 characters", r"[\s\S]*", max_chars=512)
LABEL: Final = Text("text in one line", "[^\r\n]+")
LINK: Final = Text("a URL that begins with https:// or http://", r"https?://[^\s]+", max_chars=2048)
FILE_NAME: Final = Text("a path inside the plugin's directory", r"(?!/)[^\\]+")
ENTRY: Final = Text("module:Class, for example notes:Notes", "[A-Za-z0-9_.]+:[A-Za-z0-9_]+", EntryPoint.parse)
ACTIVATION: Final = Text("on_call, startup or event:NAME", f"on_call|startup|event:{EVENT_PATTERN}", Activation.parse)
TAG: Final = Text("lower-case words joined by '-', at most 32 characters", "[a-z0-9]+(-[a-z0-9]+)*", max_chars=32)
PLUGIN: Final = Text("publisher/name", f"{NAME_PATTERN}/{NAME_PATTERN}", parse_plugin_id)
REQUIREMENT: Final = Text(
    "publisher/name and a PEP 440 range, for example somnus/embedder >=1.0",
    f"{NAME_PATTERN}/{NAME_PATTERN}( .*)?",
    PluginRequirement.parse,
)
SHARED_MEMORY: Final = Text(
    "publisher/name:read or publisher/name:write", f"{NAME_PATTERN}/{NAME_PATTERN}:(read|write)", SharedMemory.parse
)
PATH: Final = Text("an absolute path or {config.KEY}", rf"/.*|{CONFIG_REFERENCE}", _parse_path, max_chars=1024)
NETWORK: Final = Text(
    "host, host:port, *.domain, {config.KEY} or *", rf"[^\s/]+|{CONFIG_REFERENCE}", _parse_network, max_chars=300
)
SECRET_HOST: Final = Text(
    "host, host:port, *.domain or {config.KEY}", rf"(?!\*$)[^\s/]+|{CONFIG_REFERENCE}", _parse_host, max_chars=300
)
COMMAND: Final = Text("a program's bare name, without path or arguments", "[A-Za-z0-9_][A-Za-z0-9._+-]*", max_chars=64)
TOPICS: Final = Text(EVENT_ALLOWED, EVENT_PATTERN, parse_event_pattern)
PUBLISHED_TOPICS: Final = Text(
    f"{EVENT_ALLOWED}; the first word is not '*' and none of {', '.join(sorted(HOST_TOPICS))}",
    rf"{EVENT_WORD}(\.({EVENT_WORD}|\*))*",
    _parse_published,
)
MODEL: Final = Text("a model's name in the host application: lower-case letters, digits, '-', '_'", EVENT_WORD)
SECRET_NAME: Final = Text("upper-case letters, digits and '_', a letter first", "[A-Z][A-Z0-9_]*", max_chars=64)
SECRET_SEND: Final = Text(
    "a header with {} for the secret, for example Authorization: Bearer {}",
    r"[A-Za-z0-9!#$%&'*+.^_`|~-]+: [ -~]*\{\}[ -~]*",
    SecretHeader.parse,
)
