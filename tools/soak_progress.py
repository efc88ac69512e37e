"""Checkpoints of long tests: `make soak` continues where the last one stopped, as long as the program is unchanged.

`SOAK_SECONDS=400 make soak` does what fits into that time and skips the rest; the next `make soak` continues there. Progress is printed to
stderr every few seconds. A checkpoint of another version of the program is discarded.
"""

import json
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".soak"
_REPORT_SECONDS = 10.0
_BEGUN = time.monotonic()


class Checkpoint:
    """The checkpoint of one long test: each unit of work (a number or a word) with its result; `stop(reason)` ends the test."""

    def __init__(self, name, program, stop, folder=FOLDER, seconds=None):
        budget = os.environ.get("SOAK_SECONDS") if seconds is None else seconds
        self._until = _BEGUN + float(budget) if budget else None
        self._name, self._stop, self._reported = name, stop, time.monotonic()
        folder.mkdir(exist_ok=True)
        self._path = folder / f"{''.join(c if c.isalnum() else '-' for c in name)}.jsonl"
        self.entries = {}
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        if not lines or json.loads(lines[0]) != {"program": program}:
            self._path.write_text(json.dumps({"program": program}) + "\n", encoding="utf-8")
            lines = []
        for line in lines[1:]:
            held = json.loads(line)
            self.entries[held["unit"]] = held["came"]

    def left(self, units):
        """Each unit of work that is not done yet, while time is left."""
        for unit in units:
            if unit in self.entries:
                continue
            if self._until is not None and time.monotonic() > self._until:
                self._stop(f"{len(self.entries)} done; `make soak` continues there")
            yield unit
            if time.monotonic() - self._reported > _REPORT_SECONDS:
                self._reported = time.monotonic()
                sys.stderr.write(f"{self._name}: {len(self.entries)} done\n")

    def add(self, unit, came):
        """Record the result of a unit of work; written at once."""
        self.entries[unit] = came
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"unit": unit, "came": came}) + "\n")
