"""A program that runs any program is every permission at once."""

from __future__ import annotations

import re

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

INTERPRETER = re.compile(
    r"(a|ba|c|da|fi|k|tc|z)?sh|busybox|pwsh|powershell|cmd|env|xargs|sudo|su|doas|ssh|find|make|nohup|setsid"
    r"|(python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|tclsh|java|awk|gawk|mawk|uvx?|npx?|npm|pip|pipx)[0-9.]*"
)


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for path, permissions in manifest.permission_tables():
        for command in permissions.commands:
            if INTERPRETER.fullmatch(command):
                yield f"{path}.commands", command


LINT = Lint(
    id="command-interpreter",
    severity=LintSeverity.WARNING,
    message="The program runs whatever it is given, so the grant is for every program.",
    remedy="Name the program that does the work itself.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions]
commands = ["bash"]
"""
    ),
    good=Sample(
        toml="""[tool.somnus.permissions]
commands = ["git"]
"""
    ),
)
