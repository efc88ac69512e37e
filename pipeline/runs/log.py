"""The machine-readable log of a run: one JSON object per line with time, run id, week and stage, and no row of data.

A log that cannot be written does not stop the run.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

_STDERR = 2
ROTATE_BYTES = 8 << 20  # a larger file is renamed to `NAME.1`, which replaces the `NAME.1` before it


class Log:
    """Events of one run; without a `place` nothing is written and structlog is not loaded."""

    def __init__(self, place: str | None = None, **facts: Any) -> None:
        self._facts = facts
        self._lines: _Lines | None = None
        self._logger: Any = None
        if place is not None:
            import structlog

            stages: list[Any] = [
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(sort_keys=True, default=str),
            ]
            self._lines = _Lines(place)
            self._logger = structlog.wrap_logger(self._lines, processors=stages, attempt=secrets.token_hex(4), process=os.getpid())

    def bind(self, **facts: Any) -> None:
        """Add facts to every later line, for example the run id."""
        self._facts |= facts

    @property
    def problem(self) -> str | None:
        """Why lines were lost; None where none were."""
        return self._lines.problem if self._lines is not None else None

    def event(self, name: str, **facts: Any) -> None:
        """Log an expected event."""
        if self._logger is not None:
            self._logger.info(name, **self._facts | facts)

    def trouble(self, name: str, **facts: Any) -> None:
        """Log a problem that a person should look at."""
        if self._logger is not None:
            self._logger.error(name, **self._facts | facts)


class _Lines:
    """Appends lines to a file, or to stderr for `-`; each line is one write, so lines of two processes do not mix."""

    def __init__(self, place: str) -> None:
        self._path = None if place == "-" else Path(place)
        self.problem: str | None = None

    def info(self, line: str) -> None:
        """Append one line; an I/O error is stored in `problem` and not raised."""
        try:
            self._append((line + "\n").encode("utf-8", "replace"))
        except OSError as error:
            self.problem = f"{self._path or 'stderr'}: {error.strerror or error}"

    error = info

    def _append(self, line: bytes) -> None:
        if self._path is None:
            os.write(_STDERR, line)
            return
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size > ROTATE_BYTES:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
        # Without O_NONBLOCK, opening a FIFO without a reader would block for ever.
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


SILENT = Log()
