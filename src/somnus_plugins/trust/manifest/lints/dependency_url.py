"""A dependency should be a release."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for each in manifest.project.dependencies:
        if each.url:
            yield "project.dependencies", str(each)


LINT = Lint(
    id="dependency-url",
    severity=LintSeverity.WARNING,
    message="The dependency is an address instead of a release, so nobody can look up its known faults.",
    remedy="Name a version that has been released.",
    check=_check,
    bad=Sample(
        toml="""[project]
dependencies = ["tool @ https://example.com/tool.whl"]
"""
    ),
    good=Sample(
        toml="""[project]
dependencies = ["tool>=1"]
"""
    ),
)
