"""What odd lines cost: the same prices clean, with one bad line in a thousand of ten kinds, and with every cell in quotes.

    python -m benchmarks.history_forms [--products 30000] [--points 100] [--rounds 5]

Ours on each form in turn; prints seconds and ratios to the clean form. Every bad line must be set aside with its own number and reason,
and the features of all three must be equal, cell by cell.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.history_race import AS_OF, write_market

BAD_SHARE = 1 / 1_000
Cells = list[bytes]
# Ten ways to spoil a line of id, date, price and rank, and the reason for which it must be set aside.
WAYS: list[tuple[str, Callable[[Cells], Cells]]] = [
    ("quote", lambda cells: [cells[0][:3] + b'"' + cells[0][3:], *cells[1:]]),
    ("width", lambda cells: cells[:3]),
    ("width", lambda cells: [*cells, b"1"]),
    ("width", lambda cells: [b""]),
    ("id", lambda cells: [cells[0][:4] + b" " + cells[0][4:], *cells[1:]]),
    ("date", lambda cells: [cells[0], b"2026-02-30", *cells[2:]]),
    ("date", lambda cells: [cells[0], cells[1].replace(b"-", b"/"), *cells[2:]]),
    ("price", lambda cells: [*cells[:2], b"-" + cells[2], cells[3]]),
    ("price", lambda cells: [*cells[:2], b"nan", cells[3]]),
    ("price", lambda cells: [*cells[:2], b"12.345", cells[3]]),
]


def spoil(clean: Path, bad: Path) -> list[tuple[int, str]]:
    """Put bad lines between the others; their numbers and reasons."""
    dice, wanted, number = random.Random(4), [], 1
    with clean.open("rb") as source, bad.open("wb") as out:
        out.write(source.readline())
        for line in source:
            if dice.random() < BAD_SHARE:
                reason, spoilt = WAYS[len(wanted) % len(WAYS)]
                number += 1
                wanted.append((number, reason))
                out.write(b",".join(spoilt(line[:-1].split(b","))) + b"\n")
            number += 1
            out.write(line)
    return wanted


def quote(clean: Path, quoted: Path) -> None:
    """Every cell in quotes."""
    with clean.open("rb") as source, quoted.open("wb") as out:
        for line in source:
            out.write(b'"' + line[:-1].replace(b'"', b"").replace(b",", b'","') + b'"\n')


def main() -> None:
    """Make the three files, then run ours on them in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=30_000)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = {form: Path(name) / f"{form}.csv" for form in ("clean", "bad", "quoted")}
        write_market(paths["clean"], asked.products, asked.points, False)
        wanted = spoil(paths["clean"], paths["bad"])
        quote(paths["clean"], paths["quoted"])
        seconds: dict[str, list[float]] = {form: [] for form in paths}
        for _ in range(asked.rounds):
            for form, path in paths.items():
                words = ["-m", "benchmarks.history", str(path), str(path.with_suffix(".parquet")), "--as-of", AS_OF]
                begin = time.perf_counter()
                subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
                seconds[form].append(time.perf_counter() - begin)
        for form, taken in seconds.items():
            ratios = [one / other for one, other in zip(taken, seconds["clean"], strict=True)]
            told = f"{statistics.median(taken):.2f} s ({min(taken):.2f}..{max(taken):.2f})"
            print(f"{form:8} {told:28} {statistics.median(ratios):.2f} times clean ({min(ratios):.2f}..{max(ratios):.2f})")
        features = {form: pq.read_table(path.with_suffix(".parquet")) for form, path in paths.items()}
        aside = pq.read_table(paths["bad"].with_suffix(".set_aside.parquet"))
        told = list(zip(aside["line"].to_pylist(), aside["reason"].to_pylist(), strict=True))
        print(f"{len(wanted):,} bad lines: {'all set aside, each with its number and reason' if told == wanted else 'WRONG'}")
        for form in ("bad", "quoted"):
            print(f"{form}: {'the same features' if features[form].equals(features['clean']) else 'OTHER FEATURES'}")


if __name__ == "__main__":
    main()
