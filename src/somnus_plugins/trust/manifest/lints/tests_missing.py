"""A plugin should have tests."""

from __future__ import annotations

import re

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

TEST_FILE = re.compile(r"(.*/)?(test_[^/]*|[^/]*_test)\.py")


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if facts.files is not None and not any(TEST_FILE.fullmatch(each) for each in facts.files):
        yield "tests", "no file test_*.py"


LINT = Lint(
    id="tests-missing",
    severity=LintSeverity.WARNING,
    message="There are no tests.",
    remedy="Write tests/test_plugin.py; the fixture `plugin` comes with the package.",
    check=_check,
    bad=Sample(facts=PluginFacts(files=frozenset({"notes.py"}))),
    good=Sample(facts=PluginFacts(files=frozenset({"notes.py", "tests/test_notes.py"}))),
)
