"""A range of Pythons should have a lower end and no upper one."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

SOME_LATER_PYTHON = "3.99"


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    wanted = manifest.project.requires_python
    if wanted is None or not wanted.contains(SOME_LATER_PYTHON):
        yield "project.requires-python", "nothing" if wanted is None else str(wanted)


LINT = Lint(
    id="python-narrow",
    severity=LintSeverity.WARNING,
    message="The range of Python versions is missing or ends, which excludes people for no reason.",
    remedy="Write the oldest version that the plugin was tried with and no upper end: >=3.11.",
    check=_check,
    bad=Sample(
        toml="""[project]
requires-python = ">=3.11,<3.13"
"""
    ),
    good=Sample(
        toml="""[project]
requires-python = ">=3.11"
"""
    ),
)
