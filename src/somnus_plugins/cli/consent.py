"""Asking a person: only where there is one to ask."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from somnus_plugins.errors import ConsentRequired

if TYPE_CHECKING:
    from somnus_plugins.cli.scene import Scene

__all__ = ["may_ask", "require"]


def may_ask(scene: Scene) -> bool:
    """Whether a person sits at the terminal and reads what is written there."""
    return not scene.json and sys.stdin.isatty() and sys.stdout.isatty()


def require(scene: Scene, question: str, data: dict[str, Any]) -> None:
    """Go on only when a person agrees.

    Args:
        scene: Where the verb stands.
        question: What they agree to, without its question mark.
        data: What they were shown, for whoever can only read it.

    Raises:
        ConsentRequired: They do not, or nobody is there.
    """
    if not may_ask(scene):
        raise ConsentRequired(
            f"{question}: somebody has to agree, and there is no terminal to ask at",
            remedy="Read what it does, then say --yes.",
            data=data,
        )
    scene.out.print()
    try:
        answer = scene.out.input(f"{question}? [y/N] ", markup=False)
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise ConsentRequired("nobody agreed; nothing was done", data=data)
