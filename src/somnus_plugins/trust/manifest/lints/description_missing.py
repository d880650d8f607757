"""People and models choose by the description."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if not manifest.description.strip():
        yield "project.description", "nothing"


LINT = Lint(
    id="description-missing",
    severity=LintSeverity.WARNING,
    message="The plugin does not say what it does.",
    remedy="Add `description` to [project]: one sentence.",
    check=_check,
    bad=Sample(
        toml="""[project]
description = " "
"""
    ),
    good=Sample(
        toml="""[project]
description = "Find notes by meaning."
"""
    ),
)
