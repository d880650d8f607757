"""Whole files, replaced in one step.

Write to a temporary name in the same directory, fsync the file, rename, fsync the directory: after a crash at any
instruction the name holds the old content or the new one, and once the function has returned it is the new one even
after a loss of power.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

__all__ = ["make_directory", "replace_file", "sync_directory"]

PROCESSES: Final = Path("/proc")
"""Where the kernel lists what runs; without it nothing tells a killed writer from one that still writes."""


def replace_file(file: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Give a file this content, durably.

    Args:
        file: Its directory must exist.
        data: All of the content.
        mode: Permission bits; by default only the owner may read.
    """
    _sweep(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with open(descriptor, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    sync_directory(file.parent)


def _sweep(file: Path) -> None:
    """Remove what writers of this file that were killed have left behind."""
    if not (PROCESSES / "self").exists():
        return
    for leftover in file.parent.glob(f".{file.name}.*-*.tmp"):
        writer = leftover.name.removeprefix(f".{file.name}.").partition("-")[0]
        if writer.isdecimal() and not (PROCESSES / writer).exists():
            leftover.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path, *, mode: int = 0o700) -> Path:
    """Make a directory and its parents, durably; an existing one is left as it is."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir(mode=mode)
            sync_directory(each.parent)
    return directory
