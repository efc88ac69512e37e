"""Seconds of each stage of a run, and the peak memory of its processes."""

from __future__ import annotations

import resource
import time
from typing import Any

from pipeline.runs.log import Log


class Clock:
    """Seconds per stage: the only part of a run that may differ when the run is repeated."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._start = self._last = time.monotonic()
        self._seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Record that a stage has ended; its time counts from the end of the stage before."""
        now = time.monotonic()
        self._seconds[stage] = round(now - self._last, 3)
        self._last = now
        self._log.event("stage", stage=stage, seconds=self._seconds[stage])

    def timings(self, workers: int) -> dict[str, Any]:
        """The timings for `run.json`; `peak_memory_mb` is the largest of any single process so far."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {
            "seconds": dict(self._seconds),
            "total_seconds": round(time.monotonic() - self._start, 3),
            "peak_memory_mb": round(max(own, others) / 1024),
            "workers": workers,
        }
