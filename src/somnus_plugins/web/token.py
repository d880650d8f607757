"""The token of a home: who has it may do everything over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from somnus_plugins.errors import NotSignedIn
from somnus_plugins.pages.problems import HttpProblem
from somnus_plugins.pages.sessions import COOKIE, cookie_value, cross_site, seal, unseal
from somnus_plugins.store.files import make_directory, replace_file

__all__ = ["HomeToken"]

TOKEN_BYTES: Final = 32
LOOK_AGAIN_S: Final = 0.5
"""Seconds until the file is looked at again. A look costs more than everything else that a request is asked here."""
REMEDY: Final = (
    "Send `Authorization: Bearer <token>`; `somnus-plugins serve` prints it, and it lies in trust/token of the home."
)


class HomeToken:
    """Reads the token where it is, makes it where it is not.

    The file is looked at again and again: half a second after a token was replaced, no process accepts it any more.

    Args:
        file: Its place; made readable by its owner only.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        digest = hashlib.sha256(os.fsencode(file.absolute())).hexdigest()
        self.cookie = f"{COOKIE}_{digest[:8]}"
        """Name of the cookie with a session: browsers keep one jar for all ports of a name, and homes share it."""
        self._seen: tuple[int, int] | None = None
        self._token = b""
        self._good_until = 0.0

    def value(self) -> bytes:
        """The token."""
        if (now := time.monotonic()) < self._good_until:
            return self._token
        try:
            found = os.stat(self._file)
        except FileNotFoundError:
            self.ensure()
            found = os.stat(self._file)
        if (seen := (found.st_ino, found.st_mtime_ns)) != self._seen:
            self._token, self._seen = self._file.read_bytes().strip(), seen
        if len(self._token) < TOKEN_BYTES:
            raise NotSignedIn(
                f"{self._file} holds {len(self._token)} characters; a token has at least {TOKEN_BYTES}",
                remedy="Remove the file; the next start makes a new one.",
            )
        self._good_until = now + LOOK_AGAIN_S
        return self._token

    def ensure(self) -> None:
        """Make the file, where there is none."""
        if not self._file.exists():
            make_directory(self._file.parent)
            replace_file(self._file, secrets.token_urlsafe(TOKEN_BYTES).encode("ascii") + b"\n")

    def admits(self, bearer: bytes) -> bool:
        """Whether this is the token; takes the same time wherever the two differ."""
        return hmac.compare_digest(bearer, self.value())

    def new_session(self) -> str:
        """A session that stands for the token until it ends or the token is replaced."""
        return seal(self.value(), time.time())

    def refusal(self, method: str, scheme: str, noted: Mapping[bytes, bytes]) -> HttpProblem | None:
        """Why a request may not pass; None where it may.

        Args:
            method: Upper case; `WEBSOCKET` for a handshake.
            scheme: Of the request.
            noted: Its headers by lower-case name.
        """
        authorization = noted.get(b"authorization")
        if authorization is not None:
            kind, _, bearer = authorization.partition(b" ")
            if kind.lower() == b"bearer" and self.admits(bearer.strip()):
                return None
            return self._not_signed_in("the request's Authorization is not the token of this home")
        session = cookie_value(noted.get(b"cookie", b""), self.cookie)
        if not session:
            return self._not_signed_in("the request carries neither the home's token nor a session")
        if not unseal(self.value(), session, time.time()):
            return self._not_signed_in("the request's session has ended")
        return cross_site(method, scheme, noted)

    def _not_signed_in(self, detail: str) -> HttpProblem:
        return HttpProblem.of(NotSignedIn(detail, remedy=REMEDY))
