"""Pages from templates that escape everything."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from somnus_plugins.pages.headers import page_headers
from somnus_plugins.pages.problems import Send, send_whole

__all__ = ["STATIC", "Pages", "ReadyPage"]

HERE = Path(__file__).parent
STATIC = HERE / "static"
"""Files that every page of ours may use."""
MEDIA_TYPE: Final = b"text/html; charset=utf-8"
Header = tuple[bytes, bytes]


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

    async def send(
        self, send: Send, template: str, *, status: int = 200, headers: Iterable[Header] = (), **values: Any
    ) -> None:
        """Answer a request with a page, under a policy that lets only its own script and style run."""
        nonce = secrets.token_urlsafe(16)
        body = self.render(template, nonce=nonce, **values).encode("utf-8")
        await send_whole(send, status, MEDIA_TYPE, body, (*page_headers(nonce), *headers))


class ReadyPage:
    """A page that was rendered once and is sent many times, each time with a nonce of its own.

    Args:
        pages: Has the template.
        template: Its name; `values` are for it.
    """

    def __init__(self, pages: Pages, template: str, **values: Any) -> None:
        # Nobody who wrote a part of the page can have known what the nonce stands as in the meantime.
        self._mark = secrets.token_urlsafe(16).encode("ascii")
        self._body = pages.render(template, nonce=self._mark.decode("ascii"), **values).encode("utf-8")

    async def send(self, send: Send) -> None:
        """Answer a request with it."""
        nonce = secrets.token_urlsafe(16)
        body = self._body.replace(self._mark, nonce.encode("ascii"))
        await send_whole(send, 200, MEDIA_TYPE, body, page_headers(nonce))
