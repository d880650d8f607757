"""The entry's module must be one of the files."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    path = manifest.entry.module.replace(".", "/")
    wanted = {f"{folder}{path}{end}" for folder in ("", "src/") for end in (".py", "/__init__.py")}
    if facts.files is not None and not wanted & facts.files:
        yield "tool.somnus.entry", str(manifest.entry)


LINT = Lint(
    id="entry-missing",
    severity=LintSeverity.ERROR,
    message="The entry names a module that is not there.",
    remedy="Write the module, or correct `entry`: module:Class, with the module in the plugin's directory or in src.",
    check=_check,
    bad=Sample(facts=PluginFacts(files=frozenset({"README.md"}))),
    good=Sample(facts=PluginFacts(files=frozenset({"src/notes/__init__.py"}))),
)
