"""A plugin that may stay awake should do so."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if manifest.permissions.background and manifest.sleep_after_s > 0:
        yield "tool.somnus.permissions.background", f"sleep_after_s = {manifest.sleep_after_s:g}"


LINT = Lint(
    id="background-sleeps",
    severity=LintSeverity.WARNING,
    message="The plugin asks to stay awake and then sleeps all the same.",
    remedy="Set sleep_after_s = 0, or leave the permission `background` out.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions]
background = true
"""
    ),
    good=Sample(
        toml="""[tool.somnus]
sleep_after_s = 0
[tool.somnus.permissions]
background = true
"""
    ),
)
