"""An API range should end before the next major version."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

FAR_FUTURE = "999999"


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if manifest.api.contains(FAR_FUTURE):
        yield "tool.somnus.api", str(manifest.api)


LINT = Lint(
    id="api-open-ended",
    severity=LintSeverity.WARNING,
    message="The API range has no upper end, so it promises to work with versions that do not exist yet.",
    remedy="Write the next major version as the end, for example >=1,<2.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus]
api = ">=1"
"""
    ),
    good=Sample(
        toml="""[tool.somnus]
api = ">=1,<2"
"""
    ),
)
