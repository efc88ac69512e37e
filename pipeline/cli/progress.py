"""Progress of a run on a terminal: a bar on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn

from pipeline.engine import Work
from pipeline.messages import Words


def progress_line(work: Work, seconds: float, words: Words) -> str:
    """Bytes read, rows per second and the remaining time at this rate; or buckets decided."""
    done, rows = work.done()
    left = timedelta(seconds=round(seconds * max(work.total - done, 0) / done)) if done else "?"
    if work.is_bytes:
        pace = rows / seconds if seconds > 0 else 0
        return words(
            "{done:,.0f} of {total:,.0f} MB, {pace:,.0f} rows a second, {left} left",
            done=done / 1e6, total=work.total / 1e6, pace=pace, left=left,
        )  # fmt: skip
    return words("{done:,} of {total:,} buckets, {left} left", done=done, total=work.total, left=left)


class Bar(Progress):
    """Shows the progress of work while it lasts; the bar is erased at the end."""

    def __init__(self, console: Console, work: Work, words: Words) -> None:
        self._work, self._words, self._began = work, words, time.monotonic()
        # Other output during the work keeps its own stream.
        super().__init__(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), console=console, transient=True, redirect_stdout=False,
            redirect_stderr=False, refresh_per_second=4,
        )  # fmt: skip
        self.add_task("", total=work.total)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Update the progress each time the bar is drawn."""
        line = progress_line(self._work, time.monotonic() - self._began, self._words)
        for shown in self.task_ids:
            self.update(shown, completed=self._work.done()[0], description=line)
        yield from super().get_renderables()
