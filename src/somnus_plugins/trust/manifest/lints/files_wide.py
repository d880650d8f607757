"""A grant for a system folder or a whole home is a grant for everything."""

from __future__ import annotations

import re

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest

WIDE_TO_READ = re.compile(r"/|/(home|Users|root|proc|etc)|/(home|Users)/[^/]+")
WIDE_TO_WRITE = re.compile(
    rf"{WIDE_TO_READ.pattern}|/(bin|boot|dev|lib|lib64|opt|run|sbin|srv|sys|tmp|usr|var)|/(etc|usr|proc|sys|dev|boot)/.*"
)


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    for path, permissions in manifest.permission_tables():
        for name, entries, wide in (
            ("read", permissions.files.read, WIDE_TO_READ),
            ("write", permissions.files.write, WIDE_TO_WRITE),
        ):
            for entry in entries:
                if wide.fullmatch(entry):
                    yield f"{path}.files.{name}", entry


LINT = Lint(
    id="files-wide",
    severity=LintSeverity.WARNING,
    message="The folder holds far more than one plugin can need.",
    remedy="Name a folder below it, or let the person choose one: {config.folder}.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions]
files = { write = ["/home/ada"] }
"""
    ),
    good=Sample(
        toml="""[tool.somnus.permissions]
files = { write = ["/home/ada/notes"] }
"""
    ),
)
