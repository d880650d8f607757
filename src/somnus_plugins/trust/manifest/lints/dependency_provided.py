"""What comes with the API version needs no entry."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

PROVIDED = frozenset({"somnus-plugins", "pydantic", "fastapi", "httpx"})


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for each in manifest.project.dependencies:
        if canonicalize_name(each.name) in PROVIDED:
            yield "project.dependencies", str(each)


LINT = Lint(
    id="dependency-provided",
    severity=LintSeverity.WARNING,
    message="The dependency comes with the API version; an entry only adds a second version of it.",
    remedy="Take it out of `dependencies`.",
    check=_check,
    bad=Sample(
        toml="""[project]
dependencies = ["fastapi>=0.100"]
"""
    ),
    good=Sample(
        toml="""[project]
dependencies = ["numpy>=2"]
"""
    ),
)
