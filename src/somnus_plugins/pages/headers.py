"""What our own answers tell browsers to refuse."""

from __future__ import annotations

from typing import Final

__all__ = ["API_HEADERS", "ASSET_HEADERS", "page_headers"]

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

API_HEADERS: Final = (
    *_ALWAYS,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""With data. Nothing in it may ever run or be kept, whatever a browser takes it for."""

ASSET_HEADERS: Final = (*_ALWAYS, (b"cache-control", b"public, max-age=31536000, immutable"))
"""With a file whose name has the hash of its content: it never changes."""


def page_headers(nonce: str) -> tuple[tuple[bytes, bytes], ...]:
    """With a page of ours.

    Only elements that carry the nonce load scripts and styles. `'self'` would not do: the answers of plugins stand on
    the same origin, and a line of markup that slipped in could load one of them as our script.

    Args:
        nonce: Made for this answer, never used again.
    """
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return (
        *_ALWAYS,
        (b"cache-control", b"no-store"),
        (b"content-security-policy", policy.encode("ascii")),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    )
