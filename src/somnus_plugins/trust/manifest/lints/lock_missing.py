"""Dependencies are installed from a lock with hashes."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if manifest.project.dependencies and facts.files is not None and "pylock.toml" not in facts.files:
        yield "project.dependencies", f"{len(manifest.project.dependencies)} without pylock.toml"


LINT = Lint(
    id="lock-missing",
    severity=LintSeverity.ERROR,
    message="The plugin has dependencies and no lock, so it cannot be installed.",
    remedy="Write a pylock.toml with hashes, for example with `uv export --format pylock.toml`.",
    check=_check,
    bad=Sample(
        toml="""[project]
dependencies = ["numpy>=2"]
""",
        facts=PluginFacts(files=frozenset({"notes.py"})),
    ),
    good=Sample(
        toml="""[project]
dependencies = ["numpy>=2"]
""",
        facts=PluginFacts(files=frozenset({"notes.py", "pylock.toml"})),
    ),
)
