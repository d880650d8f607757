"""Log records on their way out: one line each on standard error, marked so that the host can tell them from prints.

A pipe and not the wire: a line that was logged just before a crash is still in the pipe afterwards, and a thread can
log while the event loop is busy.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Final

__all__ = ["MARK", "LineHandler"]

MARK: Final = "\x1e"
"""ASCII record separator, first on a line that is a log record. A plugin may forge it: it then forges its own log."""


class LineHandler(logging.Handler):
    """Writes each record as one line of JSON.

    Args:
        descriptor: Where to write; a write of up to 4096 bytes into a pipe is never torn.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted is reported as `logging` does it."""
        try:
            message = record.getMessage()
            if record.exc_info:
                message += "\n" + logging.Formatter().formatException(record.exc_info)
            line = json.dumps({"level": record.levelname, "logger": record.name, "message": message})
            os.write(self._descriptor, f"{MARK}{line}\n".encode())
        except (TypeError, ValueError, OSError):
            self.handleError(record)
