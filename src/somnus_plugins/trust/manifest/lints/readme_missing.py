"""A plugin should explain itself."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    names = {manifest.project.readme or "README.md", "README.md", "README.rst", "README.txt", "README"}
    if facts.files is not None and manifest.project.readme != "" and not names & facts.files:
        yield "project.readme", "no such file"


LINT = Lint(
    id="readme-missing",
    severity=LintSeverity.WARNING,
    message="There is no README.",
    remedy="Write README.md: what the plugin does, which settings it needs, what it uses its permissions for.",
    check=_check,
    bad=Sample(facts=PluginFacts(files=frozenset({"notes.py"}))),
    good=Sample(facts=PluginFacts(files=frozenset({"notes.py", "README.md"}))),
)
