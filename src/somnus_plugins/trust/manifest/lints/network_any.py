"""Every public host is a high risk."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for path, permissions in manifest.permission_tables():
        if "*" in permissions.network:
            yield f"{path}.network", "*"


LINT = Lint(
    id="network-any",
    severity=LintSeverity.WARNING,
    message="The plugin may send whatever it sees to any public host.",
    remedy="Name the hosts, or let the person choose one: {config.base_url}.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions]
network = ["*"]
"""
    ),
    good=Sample(
        toml="""[tool.somnus.permissions]
network = ["*.example.com"]
"""
    ),
)
