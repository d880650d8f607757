"""The plugin must work with this version of the plugin API."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import API_VERSION, Manifest, supports


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if not supports(manifest):
        yield "tool.somnus.api", f"{manifest.api}, and the host has {API_VERSION}"


LINT = Lint(
    id="api-unsupported",
    severity=LintSeverity.ERROR,
    message="The plugin does not work with the plugin API of this host.",
    remedy="Widen `api`, after trying the plugin with this version.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus]
api = ">=2,<3"
"""
    ),
    good=Sample(
        toml="""[tool.somnus]
api = ">=1,<2"
"""
    ),
)
