"""Routes without a login deserve a second look."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for path, permissions in manifest.permission_tables():
        if permissions.public_routes:
            yield f"{path}.public_routes", "true"


LINT = Lint(
    id="public-routes",
    severity=LintSeverity.WARNING,
    message="The plugin's routes answer everybody who reaches the host, without a login.",
    remedy="Leave `public_routes` out, unless strangers are meant, as with a webhook.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions]
public_routes = true
"""
    ),
    good=Sample(
        toml="""[tool.somnus.permissions]
public_routes = false
"""
    ),
)
