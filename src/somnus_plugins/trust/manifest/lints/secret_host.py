"""A secret can only be sent where the plugin may go."""

from __future__ import annotations

from somnus_plugins.trust.manifest.coverage import host_covers
from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    reachable = [entry for _, permissions in manifest.permission_tables() for entry in permissions.network]
    for path, permissions in manifest.permission_tables():
        for secret in permissions.secrets:
            for host in secret.hosts:
                if not any(host_covers(entry, host) for entry in reachable):
                    yield f"{path}.secrets.{secret.name}.hosts", host


LINT = Lint(
    id="secret-host",
    severity=LintSeverity.ERROR,
    message="The secret is for a host that the plugin may not reach.",
    remedy="Add the host to `network`, or take it out of the secret's hosts.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions.secrets.TOKEN]
hosts = ["api.example.com"]
send = "X-Key: {}"
"""
    ),
    good=Sample(
        toml="""[tool.somnus.permissions]
network = ["*.example.com"]
[tool.somnus.permissions.secrets.TOKEN]
hosts = ["api.example.com"]
send = "X-Key: {}"
"""
    ),
)
