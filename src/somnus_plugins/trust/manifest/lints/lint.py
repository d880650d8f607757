"""What a lint is: a rule with an id, a message, a remedy, and its own good and bad sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from somnus_plugins.trust.manifest.model import Manifest
from somnus_plugins.wire.contributions import Contributions

__all__ = ["Found", "Lint", "LintFinding", "LintSeverity", "PluginFacts", "Sample"]

Found = Iterator[tuple[str, str]]
"""Key path and what was found there, for each place that breaks the rule."""


class LintSeverity(StrEnum):
    """What a finding means for the author."""

    ERROR = "error"
    """It cannot work: the plugin would not install, start, or do what it says."""
    WARNING = "warning"
    """It works, and somebody may regret it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFacts:
    """What is known of a plugin besides its manifest. A rule about something that is not known keeps silent."""

    files: frozenset[str] | None = None
    """Names of all files, relative to the plugin's directory, with '/'; None where nobody looked."""
    python_version: str = ""
    """Version of the Python that would run it; empty where that is open."""
    contributions: Contributions | None = None
    """What it announced, where it has been started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Lines that are laid over a smallest valid manifest, and facts. Shown in the reference, run by the tests."""

    toml: str = ""
    facts: PluginFacts = PluginFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One rule about a manifest that is well-formed."""

    id: str
    """Stable name, words joined by '-'."""
    severity: LintSeverity
    message: str
    """What is wrong, in one sentence."""
    remedy: str
    """What the author can do."""
    check: Callable[[Manifest, PluginFacts], Found]
    bad: Sample
    good: Sample


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One place that breaks a rule."""

    id: str
    severity: LintSeverity
    key: str
    """Path of the key, from the top of the manifest."""
    found: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.key}: {self.message} Found: {self.found}."

    def to_record(self) -> dict[str, str]:
        """JSON-compatible."""
        return asdict(self)
