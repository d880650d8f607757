"""What a person sees of something that takes time: a line that comes late and leaves no trace."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from somnus_plugins.cli.terminal import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

__all__ = ["Activity"]

PATIENCE_S: Final = 0.8
"""Seconds before anything is shown: what is quicker would only flicker."""


class Activity:
    """A line that says what goes on, and how far it is. Without a terminal on standard error nothing is shown.

    Args:
        console: Standard error.
        doing: What goes on.
    """

    def __init__(self, console: Console, doing: str) -> None:
        self._console = console
        self._doing = one_line(doing)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self.resume()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def resume(self) -> None:
        """Show the line once it has taken a while."""
        if self._console.is_terminal and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._show)

    def pause(self) -> None:
        """Take the line away, so that something else may be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._progress is not None:
            self._progress.stop()

    def advance(self, done: float, total: float | None, message: str) -> None:
        """How far it is: `done` of `total`, in the plugin's own unit. A `wire.peer.ProgressSink`."""
        if not self._console.is_terminal:
            return
        self._show()
        if self._progress is not None and self._task is not None:
            if total is not None:
                self._progress.columns = _measured()
            said = one_line(message) or self._doing
            self._progress.update(self._task, completed=done, total=total, description=said)

    def _show(self) -> None:
        from rich.progress import Progress

        if self._progress is None:
            self._progress = Progress(
                *_unmeasured(),
                console=self._console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._progress.add_task(self._doing, total=None)
        self._progress.start()


def _unmeasured() -> tuple[ProgressColumn, ...]:
    from rich.progress import SpinnerColumn, TextColumn

    return SpinnerColumn(style="cyan"), TextColumn("{task.description}", markup=False)


def _measured() -> tuple[ProgressColumn, ...]:
    from rich.progress import BarColumn, TaskProgressColumn, TimeElapsedColumn

    return *_unmeasured(), BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn()
