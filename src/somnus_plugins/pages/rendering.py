"""Pages from templates that escape everything."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from somnus_plugins.pages.headers import page_headers
from somnus_plugins.pages.problems import Send, send_whole

__all__ = ["STATIC", "Pages"]

HERE = Path(__file__).parent
STATIC = HERE / "static"
"""Files that every page of ours may use."""


class Pages:
    """Templates of some directories, above those that all pages share.

    Args:
        directories: Looked through first.
    """

    def __init__(self, *directories: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([*directories, HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, **values: Any) -> str:
        """The text of a page; a name it uses and that is not given is an error."""
        return self._environment.get_template(template).render(values)

    async def send(self, send: Send, template: str, **values: Any) -> None:
        """Answer a request with a page, under a policy that lets only its own script and style run."""
        nonce = secrets.token_urlsafe(16)
        body = self.render(template, nonce=nonce, **values).encode("utf-8")
        await send_whole(send, 200, b"text/html; charset=utf-8", body, page_headers(nonce))
