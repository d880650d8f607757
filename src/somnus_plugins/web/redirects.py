"""Where a plugin's redirect leads: a browser follows it as the person, so it must not lead to anything else of ours.

A `Location` is read as browsers read it (WHATWG URL), which is laxer than RFC 3986. What they might read in another way
than this module does is taken for the worse.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import quote, unquote

from somnus_plugins.errors import InvalidResult
from somnus_plugins.pages.problems import Scope

__all__ = ["REDIRECTS", "check_redirect", "leads_astray"]

REDIRECTS: Final = frozenset({300, 301, 302, 303, 305, 306, 307, 308})
_IGNORED: Final = str.maketrans({"\t": None, "\n": None, "\r": None, "\\": "/"})
_EDGES: Final = "".join(map(chr, range(0x21)))
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(/*)(.*)", re.DOTALL).fullmatch
_PLAIN: Final = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(\d*))?").fullmatch
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*").fullmatch
_DEFAULT_PORTS: Final = frozenset({0, 80, 443})


def check_redirect(headers: list[tuple[bytes, bytes]], scope: Scope, root: str) -> None:
    """Refuse an answer that sends its reader to another plugin, to the API or to a page of the application.

    Args:
        headers: Of the answer, names in lower case.
        scope: Of the request.
        root: The path at which the plugin stands.

    Raises:
        InvalidResult: It leads astray.
    """
    for name, value in headers:
        if name == b"location" and leads_astray(value.decode("latin-1"), scope, root):
            raise InvalidResult(
                f"the plugin redirects to {value.decode('latin-1')[:200]!r}; "
                f"allowed are its own paths below {root} and other sites"
            )


def leads_astray(location: str, scope: Scope, root: str) -> bool:
    """Whether a redirect leads to this server, but not below `root`."""
    text = location.translate(_IGNORED).strip(_EDGES)
    if (match := _SCHEME(text)) is not None:
        if match[1].lower() not in ("http", "https"):
            return False
        if len(match[2]) < 2:
            return True  # relative or a host, depending on the scheme of the page
        text = "//" + match[3]
    path = re.split("[?#]", text, maxsplit=1)[0]
    if path.startswith("//"):
        authority, slash, path = path.lstrip("/").partition("/")
        if not _is_here(authority, scope):
            return False
        path = slash + path or "/"
    elif not path:
        return False
    elif not path.startswith("/"):
        here: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        path = here.decode("latin-1").rpartition("/")[0] + "/" + path
    found = _without_dots(path)
    return ".." in found.split("/") or not (found == root or found.startswith(root + "/"))


def _is_here(authority: str, scope: Scope) -> bool:
    """Whether an authority is the one of the request, or written so that browsers might take it for that one.

    The scheme does not count: behind a proxy that ends TLS it is another one than the browser sees.
    """
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    there = _normal(unquote(authority.rpartition("@")[2]))
    return there is None or there == _normal(host)


def _normal(authority: str) -> tuple[str, int] | None:
    """Host and port, 0 where it is a scheme's own; None where the host could be written in another way."""
    match = _PLAIN(authority.lower())
    if match is None:
        return None
    host, port = match[1].removesuffix("."), int(match[2] or 0)
    try:
        if host.startswith("["):
            host = str(ipaddress.IPv6Address(host[1:-1]))
        elif _NUMBER(host.rpartition(".")[2]):
            host = str(ipaddress.IPv4Address(host))
    except ValueError:
        return None
    return host, 0 if port in _DEFAULT_PORTS else port


def _without_dots(path: str) -> str:
    """The path as a browser asks for it, decoded as servers decode it."""
    kept: list[str] = []
    for part in path.split("/"):
        plain = unquote(part)
        if plain == "..":
            del kept[max(1, len(kept) - 1) :]
        elif plain != ".":
            kept.append(plain)
    return "/".join(kept)
