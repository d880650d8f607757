"""The page at `/`: what is indexed.

It has no form, no link and no script that asks for anything. The host gives the page of a plugin an origin that is
nobody's, so whatever it asks for is asked without the person's session, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from documents.index import Listed

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
  body {{ max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }}
  li {{ margin: .5rem 0; }}
  small {{ opacity: .7; }}
</style>
<h1>{title}</h1>
<p><small>{summary}</small></p>
<ol>
{documents}
</ol>
</html>
"""

DOCUMENT = "<li><strong>{title}</strong> <small>{path}</small></li>"


def documents_page(documents: Iterable[Listed], folder: str) -> str:
    """The page as HTML.

    Args:
        documents: What is indexed.
        folder: Name of the folder.
    """
    entries = [DOCUMENT.format(title=escape(each.title), path=escape(each.path)) for each in documents]
    return PAGE.format(
        title=escape(f"Documents in {folder}"), summary=f"{len(entries)} documents", documents="\n".join(entries)
    )
