"""The type is a promise of what the plugin adds."""

from __future__ import annotations

from somnus_plugins.trust.manifest.lints.lint import Found, Lint, LintSeverity, PluginFacts, Sample
from somnus_plugins.trust.manifest.model import Manifest, PluginType
from somnus_plugins.wire.contributions import Contributions, Route, Tool

KINDS: dict[PluginType, set[str]] = {
    PluginType.API_EXTENSION: {"route"},
    PluginType.TOOL_INTEGRATION: {"tool", "action"},
    PluginType.AGENT_ACTION: {"action"},
    PluginType.MEMORY_EXTENSION: {"embedder", "ranker", "consolidator"},
    PluginType.WORKFLOW_NODE: {"node"},
    PluginType.RESEARCH_MODULE: {"source"},
    PluginType.CREATIVE_ENGINE: {"generator"},
}
"""What a type stands for, where it can be told from the contributions."""


def _check(manifest: Manifest, facts: PluginFacts) -> Found:
    promised = KINDS.get(manifest.type)
    if facts.contributions is not None and promised is not None:
        added = {each.kind for each in facts.contributions.tools} | ({"route"} if facts.contributions.routes else set())
        if not added & promised:
            yield "tool.somnus.type", f"{manifest.type.value}, and it adds {', '.join(sorted(added)) or 'nothing'}"


LINT = Lint(
    id="type-mismatch",
    severity=LintSeverity.WARNING,
    message="The plugin adds nothing of what its type stands for.",
    remedy="Change `type`, or add what is missing.",
    check=_check,
    bad=Sample(
        toml="""[tool.somnus]
type = "api_extension"
""",
        facts=PluginFacts(contributions=Contributions(fingerprint="", tools=(Tool(name="find"),))),
    ),
    good=Sample(
        toml="""[tool.somnus]
type = "api_extension"
""",
        facts=PluginFacts(contributions=Contributions(fingerprint="", routes=(Route(path="/find"),))),
    ),
)
