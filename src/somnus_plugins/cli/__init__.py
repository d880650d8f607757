"""The command line: `somnus`, `somnus-plugins`, `python -m somnus_plugins`.

Admits verbs, one file each below `verbs`, and what they share: how a verb reaches a host, how an answer is written for
people and for programs, and the one way out for errors. It holds no rule. A verb imports what it needs when it runs,
so that help and completion are quick.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words after the command's name; those of the process where None.

    Returns:
        The exit status: 0 done, 1 failed, 2 usage, 3 refused by policy or consent missing, 130 interrupted.
    """
    from somnus_plugins.cli.application import run

    return run(arguments)
