"""A required plugin is usually called."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    callable_ids = {each for _, permissions in manifest.permission_tables() for each in permissions.plugins}
    for requirement in manifest.requires:
        if requirement.plugin not in callable_ids:
            yield "tool.somnus.requires", str(requirement)


LINT = Lint(
    id="requires-uncallable",
    severity=LintSeverity.WARNING,
    message="The plugin requires another one that it may not call.",
    remedy="Add the id to `plugins`, or take the requirement out.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus]
requires = ["somnus/embedder"]
"""
    ),
    good=Sample(
        toml="""[tool.somnus]
requires = ["somnus/embedder"]
[tool.somnus.permissions]
plugins = ["somnus/embedder"]
"""
    ),
)
