"""Scaffolds: plugins that run and have tests, for an author to begin with.

Admits the templates, as text, and what writes them. Each does something real for its type, needs no permission that it
does not use, and is what we would want to read. A new type comes with a folder below `scaffolds`.
"""

from somnus_plugins.templates.writer import KINDS, Created, write_plugin

__all__ = ["KINDS", "Created", "write_plugin"]
