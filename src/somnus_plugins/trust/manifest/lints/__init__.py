"""Lints: rules about manifests that are well-formed, one module each.

Admits a module per rule, which holds a `LINT` with its id, severity, message, remedy, check, and a sample that breaks
the rule beside one that does not. A rule reads the manifest and the facts that its caller gathered, and nothing else.
"""

from somnus_plugins.trust.manifest.lints import (
    api_open_ended,
    api_unsupported,
    background_sleeps,
    command_interpreter,
    config_unknown,
    dependency_provided,
    dependency_url,
    description_long,
    description_missing,
    entry_missing,
    event_unpermitted,
    files_wide,
    license_missing,
    lock_missing,
    network_any,
    public_routes,
    python_excluded,
    python_narrow,
    readme_missing,
    requires_uncallable,
    secret_host,
    secret_seen,
    tests_missing,
    type_mismatch,
)
from somnus_plugins.trust.manifest.lints.lint import Lint, LintFinding, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

__all__ = ["LINTS", "Lint", "LintFinding", "LintSeverity", "PluginFacts", "Sample", "run_lints"]

LINTS: tuple[Lint, ...] = (
    api_open_ended.LINT,
    api_unsupported.LINT,
    background_sleeps.LINT,
    command_interpreter.LINT,
    config_unknown.LINT,
    dependency_provided.LINT,
    dependency_url.LINT,
    description_long.LINT,
    description_missing.LINT,
    entry_missing.LINT,
    event_unpermitted.LINT,
    files_wide.LINT,
    license_missing.LINT,
    lock_missing.LINT,
    network_any.LINT,
    public_routes.LINT,
    python_excluded.LINT,
    python_narrow.LINT,
    readme_missing.LINT,
    requires_uncallable.LINT,
    secret_host.LINT,
    secret_seen.LINT,
    tests_missing.LINT,
    type_mismatch.LINT,
)
"""Every rule, by id."""


def run_lints(manifest: Manifest, facts: PluginFacts) -> tuple[LintFinding, ...]:
    """What the rules find, errors first."""
    found = [
        LintFinding(lint.id, lint.severity, key, what, lint.message, lint.remedy)
        for lint in LINTS
        for key, what in lint.check(manifest, facts)
    ]
    return tuple(sorted(found, key=lambda each: (each.severity is not LintSeverity.ERROR, each.id, each.key)))
