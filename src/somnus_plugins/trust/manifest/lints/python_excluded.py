"""The plugin must run on the Python that would run it."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    wanted = manifest.project.requires_python
    if wanted is not None and facts.python_version and not wanted.contains(facts.python_version, prereleases=True):
        yield "project.requires-python", f"{wanted}, and this is Python {facts.python_version}"


LINT = Lint(
    id="python-excluded",
    severity=LintSeverity.ERROR,
    message="The plugin does not run on this Python.",
    remedy="Widen `requires-python`, or use another Python.",
    check=_check,
    bad=Sample(
        toml="""[project]
requires-python = ">=3.13"
""",
        facts=PluginFacts(python_version="3.11.7"),
    ),
    good=Sample(
        toml="""[project]
requires-python = ">=3.11"
""",
        facts=PluginFacts(python_version="3.11.7"),
    ),
)
