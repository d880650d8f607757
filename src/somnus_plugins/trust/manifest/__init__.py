"""The manifest: what an author says of a plugin in `pyproject.toml`.

Admits reading it, describing its grammar to editors and people, and the lints. It decides nothing about whether a
permission is granted. A key exists in one place only, `model`, from which parser, JSON Schema and reference follow.
"""

from somnus_plugins.trust.manifest.model import API_VERSION, Manifest, Permissions, PluginType, supports
from somnus_plugins.trust.manifest.parser import parse_manifest
from somnus_plugins.trust.manifest.schema import manifest_reference, manifest_schema

__all__ = [
    "API_VERSION",
    "Manifest",
    "Permissions",
    "PluginType",
    "manifest_reference",
    "manifest_schema",
    "parse_manifest",
    "supports",
]
