"""What a pattern of a permission covers. Pure text rules; names are never resolved here."""

from __future__ import annotations

from somnus_plugins.trust.manifest.grammar import HTTPS_PORT

__all__ = ["event_covers", "host_covers"]


def event_covers(granted: str, wanted: str) -> bool:
    """Whether a pattern of topics covers a topic, or every topic that a narrower pattern covers.

    `*` stands for exactly one word; as the last word for one or more.
    """
    have, want = granted.split("."), wanted.split(".")
    for index, word in enumerate(have):
        if index >= len(want):
            return False
        if word == "*" and index == len(have) - 1:
            return True
        if word not in ("*", want[index]) or (want[index] == "*" and index == len(want) - 1 < len(have) - 1):
            return False
    return len(have) == len(want) and (want[-1] != "*" or have[-1] == "*")


def host_covers(granted: str, wanted: str) -> bool:
    """Whether an entry of `network` covers another entry or a `host:port`.

    `*.domain` stands for one or more labels before the domain, not for the domain itself; `*` for every host at every
    port. `{config.key}` covers itself.
    """
    if granted in ("*", wanted):
        return True
    if "{" in granted or "{" in wanted or wanted == "*":
        return False
    (have, have_port), (want, want_port) = _host_port(granted), _host_port(wanted)
    if have_port != want_port:
        return False
    return want == have or (have.startswith("*.") and want.endswith(have[1:]) and want != have[1:])


def _host_port(entry: str) -> tuple[str, int]:
    host, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]"):
        return entry, HTTPS_PORT
    return host, int(port)
