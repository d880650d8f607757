"""A setting that is a grant must exist."""

from __future__ import annotations

from somnus_plugins.trust.json_schema import properties
from somnus_plugins.trust.manifest.grammar import config_key
from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest
from somnus_plugins.wire.contributions import Contributions


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    if facts.contributions is None:
        return
    schema = facts.contributions.config_schema or {}
    for path, permissions in manifest.permission_tables():
        hosts = [host for secret in permissions.secrets for host in secret.hosts]
        entries = [*permissions.files.read, *permissions.files.write, *permissions.network, *hosts]
        for entry in dict.fromkeys(each for each in entries if config_key(each)):
            if config_key(entry) not in properties(schema, schema):
                yield path, entry


LINT = Lint(
    id="config-unknown",
    severity=LintSeverity.ERROR,
    message="A permission depends on a setting that the plugin does not have.",
    remedy="Add the setting to the plugin's Settings class, or correct its name.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus.permissions]
network = ["{config.url}"]
""",
        facts=PluginFacts(contributions=Contributions(fingerprint="", config_schema={"properties": {"base_url": {}}})),
    ),
    good=Sample(
        toml="""[tool.somnus.permissions]
network = ["{config.url}"]
""",
        facts=PluginFacts(contributions=Contributions(fingerprint="", config_schema={"properties": {"url": {}}})),
    ),
)
