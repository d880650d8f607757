"""A secret should stay with the host."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for path, permissions in manifest.permission_tables():
        for secret in permissions.secrets:
            if secret.value:
                yield f"{path}.secrets.{secret.name}.value", "true"


LINT = Lint(
    id="secret-seen",
    severity=LintSeverity.WARNING,
    message="The plugin's code sees the secret itself.",
    remedy="Let the host add it on the way out: hosts and send instead of value = true.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions.secrets.TOKEN]
value = true
"""
    ),
    good=Sample(
        toml="""[tool.somnus.permissions.secrets.TOKEN]
hosts = ["api.example.com"]
send = "X-Key: {}"
"""
    ),
)
