"""Rules of trust, pure: functions over data, with no clock, no process, no network and no files.

Admits what decides whether a plugin is well-formed and what may be believed about it: ids, the manifest, what the
plugin contributes, its settings. Callers read the bytes and act on the answer. Every input counts as hostile: it has
a size limit, and the only exceptions that come out are those of `somnus_plugins.errors`.
"""
