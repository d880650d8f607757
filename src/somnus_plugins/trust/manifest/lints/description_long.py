"""A description is a line in a list."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

DESCRIPTION_MAX_CHARS = 160
"""Characters that fit on a card of the dashboard without being cut."""


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if len(manifest.description) > DESCRIPTION_MAX_CHARS or "\n" in manifest.description:
        yield "project.description", f"{len(manifest.description)} characters"


LINT = Lint(
    id="description-long",
    severity=LintSeverity.WARNING,
    message="The description is longer than a line of a list.",
    remedy="Say it in one sentence; the README has room for the rest.",
    check=_check,
    bad=Sample(
        toml="""[project]
description = "Find notes.\\nAnd much more."
"""
    ),
    good=Sample(
        toml="""[project]
description = "Find notes by meaning."
"""
    ),
)
