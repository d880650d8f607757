"""Without a license nobody may copy a plugin."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if not manifest.project.license.strip():
        yield "project.license", "nothing"


LINT = Lint(
    id="license-missing",
    severity=LintSeverity.WARNING,
    message="The plugin has no license.",
    remedy="Add `license` to [project], for example Apache-2.0.",
    check=_check,
    bad=Sample(),
    good=Sample(
        toml="""[project]
license = "Apache-2.0"
"""
    ),
)
