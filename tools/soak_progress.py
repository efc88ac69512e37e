"""What a long test has done so far, kept from one `make soak` to the next for as long as the program stays the same.

A soak is stopped and gone on with: `SOAK_SECONDS=400 make soak` does what fits into that time and skips the rest, the next one goes on
there. How far it is stands on stderr every few seconds. A journal of another program begins anew.
"""

import json
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".soak"
_TOLD_EVERY_SECONDS = 10.0
_BEGUN = time.monotonic()


class Journal:
    """Lines of one long test: a unit of work (a number or a word) and what came of it; `stop` raises what ends the test for now."""

    def __init__(self, name, program, stop, folder=FOLDER, seconds=None):
        told = os.environ.get("SOAK_SECONDS") if seconds is None else seconds
        self._until = _BEGUN + float(told) if told else None
        self._name, self._stop, self._told = name, stop, time.monotonic()
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
        """Each unit of work that is not done yet, as long as there is time."""
        for unit in units:
            if unit in self.entries:
                continue
            if self._until is not None and time.monotonic() > self._until:
                self._stop(f"{len(self.entries)} done; `make soak` again goes on there")
            yield unit
            if time.monotonic() - self._told > _TOLD_EVERY_SECONDS:
                self._told = time.monotonic()
                sys.stderr.write(f"{self._name}: {len(self.entries)} done\n")

    def add(self, unit, came):
        """Write down what came of a unit of work, at once."""
        self.entries[unit] = came
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"unit": unit, "came": came}) + "\n")
