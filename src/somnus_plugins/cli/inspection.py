"""Looking at a plugin's directory as an installation would, without installing it."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from somnus_plugins.cli.journal import newest
from somnus_plugins.errors import InvalidManifest, PluginError, SomnusError, WireError
from somnus_plugins.host.discovery import read_directory
from somnus_plugins.host.home import Home
from somnus_plugins.host.plugin_host import PluginHost
from somnus_plugins.host.views import Plan
from somnus_plugins.runtime.logs import LogLine
from somnus_plugins.trust.contributions import CONTRIBUTIONS_FILE
from somnus_plugins.trust.manifest import Manifest
from somnus_plugins.trust.manifest.lints import LintFinding, PluginFacts, run_lints
from somnus_plugins.trust.manifest.parser import MANIFEST_FILE

__all__ = ["Finding", "Inspection", "inspect_directory"]

ERROR: Final = "error"
WARNING: Final = "warning"
LINES_MAX: Final = 40
"""Lines of a failed start's log that are kept: a traceback."""

FILES_MAX: Final = 10_000
"""Files that are listed for the rules: a plugin has some dozens, an environment beside it a hundred thousand."""

_NOT_PACKED: Final = frozenset({"node_modules", "__pycache__"})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to say about a plugin."""

    severity: str
    """`error` or `warning`."""
    rule: str
    """Name of the rule; the error's code where no rule has a name for it."""
    place: str
    """File and key."""
    message: str
    remedy: str = ""


OUTDATED: Final = Finding(
    severity=WARNING,
    rule="contributions-outdated",
    place=CONTRIBUTIONS_FILE,
    message="It no longer says what the plugin adds.",
    remedy="`somnus-plugins dev` or `install` writes it anew.",
)


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found."""

    ok: bool
    """Whether there is no error; warnings do not count."""
    id: str
    version: str
    directory: str
    started: bool
    """Whether it was started to ask what it adds."""
    findings: tuple[Finding, ...]
    plan: Plan | None = None
    """What installing it in an empty home would do; None where it was not started, or did not start."""
    log: tuple[LogLine, ...] = ()
    """What it wrote while it did not start."""


async def inspect_directory(directory: Path, *, start: bool = True) -> Inspection:
    """Check a plugin: its manifest, the rules, and what it says of itself when it is started once, without grants.

    Args:
        directory: The plugin.
        start: Start it, in a home that is thrown away.

    Raises:
        NotAPlugin: There is no manifest.
        HostError: No process can be made here.
    """
    found = read_directory(directory)
    if found.error is not None and found.manifest is None:
        return _report(directory, None, [*_broken(found.error)])
    manifest = found.manifest
    assert manifest is not None  # noqa: S101 - `read_directory` gives a manifest or an error
    facts = PluginFacts(
        files=_files(directory),
        python_version=platform.python_version(),
        contributions=None if start else found.contributions,
    )
    findings = [_linted(each) for each in run_lints(manifest, facts)]
    findings += _broken(found.error) if found.error is not None else []
    if not start:
        return _report(directory, manifest, findings)
    with tempfile.TemporaryDirectory(prefix="somnus-check-") as home:
        try:
            plan = await _planned(Path(home), directory)
        except (PluginError, InvalidManifest, WireError) as error:
            lines = newest(Home(Path(home)).log(str(manifest.id)), LINES_MAX)
            return _report(directory, manifest, [*_broken(error), *findings], log=lines, started=True)
    findings += _announced(plan, manifest, facts)
    if found.contributions is not None and found.contributions.fingerprint != plan.fingerprint:
        findings.append(OUTDATED)
    return _report(directory, manifest, findings, plan, started=True)


async def _planned(home: Path, directory: Path) -> Plan:
    async with PluginHost(home, background=False) as host:
        return await host.plan(directory)


def _announced(plan: Plan, manifest: Manifest, facts: PluginFacts) -> Iterator[Finding]:
    """What the rules say only now that it is known what the plugin adds."""
    said = {str(each) for each in run_lints(manifest, facts)}
    for line in plan.warnings:
        if line not in said:
            severity, key, message = (*line.split(": ", 2), "", "")[:3]
            yield Finding(severity=severity, rule="contributions", place=f"{MANIFEST_FILE}: {key}", message=message)


def _linted(found: LintFinding) -> Finding:
    return Finding(
        severity=found.severity.value,
        rule=found.id,
        place=f"{MANIFEST_FILE}: {found.key}",
        message=f"{found.message} Found: {found.found}.",
        remedy=found.remedy,
    )


def _broken(error: SomnusError) -> list[Finding]:
    """An error as findings: one for each problem it lists."""
    problems = error.data.get("problems")
    found = [each for each in problems if isinstance(each, dict)] if isinstance(problems, list) else []
    if not found:
        file, line = error.data.get("file"), error.data.get("line")
        place = f"{file}:{line}" if file else ""
        return [Finding(severity=ERROR, rule=error.code, place=place, message=error.message, remedy=error.remedy)]
    return [
        Finding(
            severity=ERROR,
            rule=error.code,
            place=f"{Path(str(each.get('file', ''))).name}: {each.get('key', '')}".removesuffix(": "),
            message=f"found {each.get('found')}; allowed: {each.get('allowed')}",
            remedy=str(each.get("hint", "")),
        )
        for each in found
    ]


def _report(
    directory: Path,
    manifest: Manifest | None,
    findings: list[Finding],
    plan: Plan | None = None,
    *,
    log: list[LogLine] | None = None,
    started: bool = False,
) -> Inspection:
    return Inspection(
        ok=all(each.severity != ERROR for each in findings),
        id="" if manifest is None else str(manifest.id),
        version="" if manifest is None else manifest.version,
        directory=str(directory),
        started=started,
        findings=tuple(sorted(findings, key=lambda each: each.severity != ERROR)),
        plan=plan,
        log=tuple(log or ()),
    )


def _files(directory: Path) -> frozenset[str]:
    """Names of the plugin's files, as the rules want them; hidden folders and environments are not part of it."""
    names: set[str] = set()
    for folder, below, files in os.walk(directory):
        below[:] = [each for each in below if not each.startswith(".") and each not in _NOT_PACKED]
        names.update((Path(folder) / each).relative_to(directory).as_posix() for each in files)
        if len(names) > FILES_MAX:
            break
    return frozenset(names)
