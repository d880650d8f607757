"""An event only arrives where it is permitted."""

from __future__ import annotations

from somnus_plugins.trust.manifest.coverage import event_covers
from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    granted = [entry for _, permissions in manifest.permission_tables() for entry in permissions.events.subscribe]
    waited = [("tool.somnus.activation", each.event) for each in manifest.activation if each.event]
    if facts.contributions is not None:
        waited += [("contributions.subscriptions", each.pattern) for each in facts.contributions.subscriptions]
    for key, topic in waited:
        if not any(event_covers(entry, topic) for entry in granted):
            yield key, topic


LINT = Lint(
    id="event-unpermitted",
    severity=LintSeverity.WARNING,
    message="The plugin waits for events that it may not listen to.",
    remedy="Add the topic to `events.subscribe`.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus]
activation = ["event:memory.stored"]
"""
    ),
    good=Sample(
        toml="""[tool.somnus]
activation = ["event:memory.stored"]
[tool.somnus.permissions]
events = { subscribe = ["memory.*"] }
"""
    ),
)
