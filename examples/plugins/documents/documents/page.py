"""The page at `/`: a form and what it finds, without a script: the host's sandbox would not let one ask."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from documents.index import ENDS, FOUND, Match

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
  body {{ max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }}
  form {{ display: flex; gap: .5rem; }}
  input {{ flex: 1; font: inherit; padding: .5rem .75rem; }}
  button {{ font: inherit; padding: .5rem 1rem; }}
  li {{ margin: 1.25rem 0; }}
  small {{ opacity: .7; }}
  mark {{ background: #fd08; color: inherit; }}
</style>
<h1>{title}</h1>
<form><input name="q" type="search" value="{query}" aria-label="Words" autofocus><button>Search</button></form>
<p><small>{summary}</small></p>
<ol>
{hits}
</ol>
</html>
"""

HIT = """<li><a href="{link}"><strong>{title}</strong></a> <small>{path}:{line}</small>
<br><small>{heading}</small><br>{snippet}</li>"""


def search_page(query: str, matches: Iterable[Match], documents: int, folder: str, root: str) -> str:
    """The page as HTML.

    Args:
        query: What was asked for; empty where nothing was.
        matches: What was found.
        documents: How many there are.
        folder: Name of the folder.
        root: Path of the plugin's routes.
    """
    hits = [
        HIT.format(
            link=escape(f"{root}/documents/{quote(match.path)}"),
            title=escape(match.title),
            path=escape(match.path),
            line=match.line,
            heading=escape(match.heading),
            snippet=escape(match.snippet).replace(FOUND, "<mark>").replace(ENDS, "</mark>"),
        )
        for match in matches
    ]
    summary = f"{len(hits)} passages" if query else f"{documents} documents"
    return PAGE.format(
        title=escape(f"Documents in {folder}"), query=escape(query), summary=summary, hits="\n".join(hits)
    )
