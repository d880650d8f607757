"""The manifest as records. Every key of `[tool.somnus]` and `[project]` is a field here, and nowhere else.

The string below a field is its documentation: JSON Schema and reference are made from it.
"""

# ruff: noqa: RUF009 - `key` makes dataclass fields, and all defaults are frozen

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from somnus_plugins.settings import LimitSettings
from somnus_plugins.trust.ids import DEFAULT_PUBLISHER, PluginId
from somnus_plugins.trust.manifest import grammar
from somnus_plugins.trust.manifest.shapes import Choice, Flag, Keyed, ListOf, Number, Table, TableOf, key
from somnus_plugins.trust.manifest.terms import (
    Access,
    Activation,
    ActivationKind,
    EntryPoint,
    PluginRequirement,
    SecretHeader,
    SharedMemory,
)
from somnus_plugins.trust.problems import Misfit, Place, words

__all__ = [
    "API_VERSION",
    "Consciousness",
    "EventAccess",
    "FileAccess",
    "Limits",
    "Manifest",
    "Permissions",
    "PluginType",
    "ProjectTable",
    "SecretGrant",
    "supports",
]

API_VERSION: Final = "1.0"
"""Version of the plugin API that this package implements. Within a major version it only grows."""

MONTH_S: Final = 30 * 86_400
"""Longest idle time, in seconds: whoever wants longer wants 0."""


ON_CALL: Final = Activation(ActivationKind.ON_CALL)


class PluginType(StrEnum):
    """The plugin's shelf label. Any plugin may contribute anything that its permissions allow."""

    API_EXTENSION = "api_extension"
    """HTTP and WebSocket routes."""
    TOOL_INTEGRATION = "tool_integration"
    """Tools for models and people."""
    AGENT_ACTION = "agent_action"
    """Tools with an effect outside, that need approval."""
    MEMORY_EXTENSION = "memory_extension"
    """How memories are embedded, ranked, consolidated."""
    WORKFLOW_NODE = "workflow_node"
    """Typed steps for workflows."""
    UI_COMPONENT = "ui_component"
    """Panels in the dashboard."""
    RESEARCH_MODULE = "research_module"
    """Sources that answer a question with cited findings, streamed."""
    CREATIVE_ENGINE = "creative_engine"
    """Generators of artifacts, with progress."""


class _ReadmeShape:
    """`readme`: a path, or a table with `file` or `text`. Kept as the path; empty where it is inline."""

    allowed: ClassVar[str] = "a file name, or a table with file or text"

    def read(self, value: object, place: Place) -> str:
        """The file's name."""
        if isinstance(value, dict):
            for name in value.keys() - {"file", "text", "content-type"}:
                place.refuse_unknown(name, ("file", "text", "content-type"))
            value = value.get("file", "" if isinstance(value.get("text"), str) else None)
        return "" if value == "" else str(grammar.FILE_NAME.read(value, place))

    def write(self, value: str) -> str | dict[str, str]:
        """The file's name."""
        return value or {"text": ""}

    def schema(self) -> dict[str, Any]:
        """A string or a table."""
        return {"type": ["string", "object"]}


class _LicenseShape:
    """`license`: an SPDX expression, or the older table with `text` or `file`. Kept as one string."""

    allowed: ClassVar[str] = "an SPDX expression such as Apache-2.0, or a table with text or file"

    def read(self, value: object, place: Place) -> str:
        """The expression, the text or the file's name."""
        if isinstance(value, dict):
            if len(value) != 1 or not value.keys() <= {"text", "file"}:
                raise Misfit("a table with either text or file")
            value = next(iter(value.values()))
        if not isinstance(value, str):
            raise Misfit
        return value

    def write(self, value: str) -> str:
        """The string."""
        return value

    def schema(self) -> dict[str, Any]:
        """A string or a table."""
        return {"type": ["string", "object"]}


@dataclass(frozen=True, slots=True)
class Person(Table):
    """An author or maintainer: a name, an address, or both."""

    name: str = key(grammar.LABEL, "")
    """What they are called."""
    email: str = key(grammar.LABEL, "")
    """Where they can be reached."""


def _pair(label: str, url: str) -> tuple[str, str]:
    return label, url


@dataclass(frozen=True, slots=True)
class ProjectTable(Table):
    """What is read of `[project]`, after PEP 621 and PEP 639."""

    unread_keys: ClassVar[frozenset[str]] = frozenset(
        {"classifiers", "entry-points", "gui-scripts", "import-names", "import-namespaces", "license-files"}
        | {"maintainers", "optional-dependencies", "scripts"}
    )
    static_keys: ClassVar[frozenset[str]] = frozenset(
        {"authors", "dependencies", "description", "license", "name", "requires-python", "urls", "version"}
    )
    """Keys that must be written out: finding out a dynamic one would run the plugin's code."""

    name: str = key(grammar.NAME)
    """The plugin's name, normalised after PEP 503. With the publisher it is the plugin's id."""
    version: str = key(grammar.VERSION)
    """PEP 440, in normal form."""
    description: str = key(grammar.SENTENCE, "")
    """One sentence that says what the plugin does."""
    readme: str | None = key(_ReadmeShape(), None)
    """File with the long description; kept empty where the text itself is given."""
    requires_python: SpecifierSet | None = key(grammar.RANGE, None, name="requires-python")
    """Python versions that it runs on."""
    license: str = key(_LicenseShape(), "")
    """SPDX expression."""
    authors: tuple[Person, ...] = key(ListOf(TableOf(Person)), ())
    """Who made it."""
    keywords: tuple[str, ...] = key(ListOf(grammar.LABEL), ())
    """Words for search."""
    dependencies: tuple[Requirement, ...] = key(ListOf(grammar.DEPENDENCY), ())
    """Packages it needs. The SDK, pydantic, FastAPI and httpx come with the API version and need no entry."""
    urls: tuple[tuple[str, str], ...] = key(Keyed(grammar.LABEL, grammar.LINK, _pair, tuple), ())
    """Label and address of its pages."""
    dynamic: tuple[str, ...] = key(ListOf(grammar.LABEL), ())
    """Keys that a build would compute. None of those that are read here may be among them."""

    def faults(self) -> Iterator[tuple[str, Misfit]]:
        """Keys that may not be dynamic."""
        for name in sorted(self.static_keys & set(self.dynamic)):
            hint = f"write {name} into [project]: nothing of a plugin is run to find it out"
            yield "dynamic", Misfit(f"keys other than {words(sorted(self.static_keys))}", hint, found=name)


@dataclass(frozen=True, slots=True)
class FileAccess(Table):
    """Folders and files of the host. A granted folder keeps its absolute path."""

    read: tuple[str, ...] = key(ListOf(grammar.PATH), ())
    """May be read."""
    write: tuple[str, ...] = key(ListOf(grammar.PATH), ())
    """May be read and changed."""


@dataclass(frozen=True, slots=True)
class EventAccess(Table):
    """Topics on the event bus."""

    publish: tuple[str, ...] = key(ListOf(grammar.PUBLISHED_TOPICS), ())
    """Topics it may publish."""
    subscribe: tuple[str, ...] = key(ListOf(grammar.TOPICS), ())
    """Topics it may listen to."""


@dataclass(frozen=True, slots=True)
class SecretGrant(Table):
    """One secret, named by the table's key."""

    name: str = field(default="", kw_only=True)
    hosts: tuple[str, ...] = key(ListOf(grammar.SECRET_HOST), ())
    """Hosts that the secret is sent to, and no others."""
    send: SecretHeader | None = key(grammar.SECRET_SEND, None)
    """Header that the host adds on the way out; the plugin's code never sees the secret."""
    value: bool = key(Flag(), default=False)
    """The plugin's code sees the secret. Asked for separately."""

    def faults(self) -> Iterator[tuple[str, Misfit]]:
        """A secret has a use, and a use has its hosts."""
        if self.send is None and not self.value:
            yield "", Misfit("hosts with send, or value = true", "say what the secret is for", found="no use of it")
        if (self.send is None) != (not self.hosts):
            missing = "send" if self.hosts else "hosts"
            yield missing, Misfit("hosts and send together", f"add {missing}", found="nothing")


def _named(name: str, grant: SecretGrant | None) -> SecretGrant | None:
    return grant and SecretGrant(name=name, hosts=grant.hosts, send=grant.send, value=grant.value)


@dataclass(frozen=True, slots=True)
class Permissions(Table):
    """What the plugin may do. Whatever is not named is not allowed."""

    memory: Access = key(Choice(Access), Access.NONE)
    """Its own memory namespace."""
    share_memory: tuple[SharedMemory, ...] = key(ListOf(grammar.SHARED_MEMORY), ())
    """Other plugins' memory namespaces; a person chooses them."""
    files: FileAccess = key(TableOf(FileAccess), FileAccess())
    """Folders and files. A setting's value is the grant; changing it asks again."""
    network: tuple[str, ...] = key(ListOf(grammar.NETWORK), ())
    """Hosts it may reach, port 443 unless another one is named. `*` is any public host and shown as high risk."""
    commands: tuple[str, ...] = key(ListOf(grammar.COMMAND), ())
    """Programs it may have run for it."""
    plugins: tuple[PluginId, ...] = key(ListOf(grammar.PLUGIN), ())
    """Plugins it may call."""
    events: EventAccess = key(TableOf(EventAccess), EventAccess())
    """Topics it may publish and listen to."""
    workspace: Access = key(Choice(Access), Access.NONE)
    """The shared workspace."""
    sessions: Access = key(Choice(Access), Access.NONE)
    """The application's sessions."""
    models: tuple[str, ...] = key(ListOf(grammar.MODEL), ())
    """Models of the host application that it may use."""
    agents: bool = key(Flag(), default=False)
    """May ask the host's agents to act."""
    ui: bool = key(Flag(), default=False)
    """May add panels to the dashboard."""
    consciousness: Access = key(Choice(Access, (Access.NONE, Access.READ)), Access.NONE)
    """May read the host's level, coherence and depth."""
    public_routes: bool = key(Flag(), default=False)
    """Its routes answer without the application's login."""
    background: bool = key(Flag(), default=False)
    """May stay awake without being called."""
    secrets: tuple[SecretGrant, ...] = key(
        Keyed(grammar.SECRET_NAME, TableOf(SecretGrant), _named, lambda grant: (grant.name, grant)), ()
    )
    """Secrets it uses, by name."""


_CEILINGS: Final = {each.name: each.metadata for each in fields(LimitSettings)}


def _limit(name: str, default: float) -> Any:
    """A limit's key: its range is that of the host's ceiling of the same name."""
    return key(Number(_CEILINGS[name]["low"], _CEILINGS[name]["high"], whole=isinstance(default, int)), default)


@dataclass(frozen=True, slots=True)
class Limits(Table):
    """What the plugin may use up. The host's ceiling wins."""

    memory_mb: int = _limit("memory_mb", 256)
    """Memory, in MiB."""
    cpus: float = _limit("cpus", 0.5)
    """Processors, in cores."""
    threads: int = _limit("threads", 32)
    """Threads."""
    open_files: int = _limit("open_files", 128)
    """Open files."""
    disk_mb: int = _limit("disk_mb", 64)
    """Size of `self.data`, in MiB."""
    call_timeout_s: float = _limit("call_timeout_s", 30.0)
    """Deadline of a call, in seconds, where the tool names none."""
    concurrency: int = _limit("concurrency", 16)
    """Calls at the same time."""
    recursion_depth: int = _limit("recursion_depth", 10)
    """How deep calls between plugins may nest, in calls."""
    result_mb: int = _limit("result_mb", 16)
    """Size of one result, in MiB."""
    upload_mb: int = _limit("upload_mb", 16)
    """Size of one request body, in MiB."""

    def within(self, ceiling: LimitSettings) -> Limits:
        """The limits in force on a host: each the lower one of the two."""
        names = [each.name for each in fields(self)]
        return Limits(**{name: min(getattr(self, name), getattr(ceiling, name)) for name in names})


@dataclass(frozen=True, slots=True)
class Consciousness(Table):
    """What a call needs of the host's state. Below it the call waits or is refused, with the reason."""

    level_required: float = key(Number(0, 1), 0.0)
    """Least consciousness level."""
    coherence_required: float = key(Number(0, 1), 0.0)
    """Least quantum coherence."""


@dataclass(frozen=True, slots=True)
class Manifest(Table):
    """All that a `pyproject.toml` says of a plugin."""

    project: ProjectTable = field(kw_only=True)
    """The standard table."""
    publisher: str = key(grammar.PUBLISHER, DEFAULT_PUBLISHER)
    """Who publishes it; the first half of the id `publisher/name`."""
    type: PluginType = key(Choice(PluginType))
    """The shelf it stands on."""
    entry: EntryPoint = key(grammar.ENTRY)
    """Module and class of the plugin."""
    api: SpecifierSet = key(grammar.RANGE)
    """Versions of the plugin API that it works with, as a PEP 440 range."""
    requires: tuple[PluginRequirement, ...] = key(ListOf(grammar.REQUIREMENT), ())
    """Other plugins that must be there."""
    activation: tuple[Activation, ...] = key(ListOf(grammar.ACTIVATION, at_least=1), (ON_CALL,))
    """What wakes it."""
    sleep_after_s: float = key(Number(0, MONTH_S), 300)
    """Seconds without a call after which it sleeps. 0 is never, and needs the permission `background`."""
    tags: tuple[str, ...] = key(ListOf(grammar.TAG), ())
    """Words for search."""
    permissions: Permissions = key(TableOf(Permissions), Permissions())
    """Required: without them the plugin is not installed."""
    optional_permissions: Permissions = key(TableOf(Permissions), Permissions())
    """Asked for at run time."""
    limits: Limits = key(TableOf(Limits), Limits())
    """What it may use up."""
    consciousness: Consciousness = key(TableOf(Consciousness), Consciousness())
    """What a call needs of the host's state."""

    @property
    def id(self) -> PluginId:
        """Publisher and name."""
        return PluginId(self.publisher, self.project.name)

    @property
    def name(self) -> str:
        """The plugin's name, normalised."""
        return self.project.name

    @property
    def version(self) -> str:
        """The plugin's version, PEP 440 in normal form."""
        return self.project.version

    @property
    def description(self) -> str:
        """What the plugin does; may be empty."""
        return self.project.description

    def permission_tables(self) -> tuple[tuple[str, Permissions], ...]:
        """Key path and content of both permission tables, the required one first."""
        return (
            ("tool.somnus.permissions", self.permissions),
            ("tool.somnus.optional_permissions", self.optional_permissions),
        )

    def to_record(self) -> dict[str, Any]:
        """JSON-compatible: `{"project": …, "tool": {"somnus": …}}`, with every default written out."""
        somnus = TableOf(Manifest).write(self)
        return {"project": TableOf(ProjectTable).write(self.project), "tool": {"somnus": somnus}}

    def faults(self) -> Iterator[tuple[str, Misfit]]:
        """What two keys say together."""
        if self.sleep_after_s == 0 and not self.permissions.background:
            hint = "sleep_after_s = 0 needs permissions.background = true"
            yield "sleep_after_s", Misfit("more than 0 for a plugin without the permission background", hint)
        if self.id in [each.plugin for each in self.requires]:
            yield "requires", Misfit("other plugins", "remove the plugin itself", found=str(self.id))


def supports(manifest: Manifest, api_version: str = API_VERSION) -> bool:
    """Whether the plugin works with this version of the plugin API."""
    return manifest.api.contains(Version(api_version), prereleases=True)
