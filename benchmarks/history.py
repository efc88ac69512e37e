"""Price-history CSV to features of every product: the job by which this program and other engines are compared.

    python -m benchmarks.history CSV OUT.parquet --as-of 2026-11-20

CSV has the columns asin, date, price (others are not looked at); a line that breaks the contract (`history_lines`) is set aside with its
number and reason in OUT.set_aside.parquet. Lines, spills, order and features are the product's own code; what is here is the job around
them: two processes read the blocks of the file in turn and spill their rows by bucket, then take the buckets in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import history_lines
from benchmarks.history_columns import column, texts
from benchmarks.history_results import SetAside, cut_ids, features_of, write_sorted
from pipeline.engine import SerialExecutor
from pipeline.ingest.lines.price_lines import Layout
from pipeline.store.kept_weeks import merge_ids
from pipeline.store.price_spills import PriceSpill, SpillFile, read_in_turn

BUCKET_BYTES = 4 << 20  # of CSV: a bucket's columns of numbers stay small
MOST_BUCKETS = 256
WORKERS = 2
# Freed memory up to twice this stays with a process, so that the next columns need no fresh pages from the system.
_KEPT_BYTES = 31 << 20


@dataclass(frozen=True)
class Job:
    """What every worker knows."""

    csv: Path
    layout: Layout
    bounds: tuple[tuple[int, int], ...]  # of the blocks
    buckets: int
    as_of: int  # days since 1970-01-01
    work: Path
    workers: int

    def spill(self, worker: int) -> Path:
        """Where a worker spills the rows of its blocks."""
        return self.work / f"rows-{worker}.prices"

    def aside(self, worker: int) -> Path:
        """Where a worker puts the features of its buckets."""
        return self.work / f"features-{worker}.arrow"


@dataclass
class Ledger:
    """What became of every line: `lines = 1 + accepted + set aside`."""

    lines: int = 1
    accepted: int = 0
    aside: list[history_lines.SetAside] = field(default_factory=list)
    wide: dict[int, str] = field(default_factory=dict)

    def add(self, lines: int, accepted: int, aside: list[history_lines.SetAside], wide: dict[int, str]) -> None:
        """Add the next block of the file."""
        self.aside += [(self.lines + 1 + line, reason, text) for line, reason, text in aside]
        self.lines += lines
        self.accepted += accepted
        merge_ids(self.wide, wide)


Told = tuple[int, int, list[history_lines.SetAside], dict[int, str]]  # of a block: lines, rows, set aside, wide ids


def spill_blocks(job: Job, worker: int) -> list[Told]:
    """Read every block that is this worker's turn into its spill; what became of the lines of each."""
    keep_freed_memory()
    told = []
    with PriceSpill(job.spill(worker), job.buckets, {}) as sink:
        for block in history_lines.read_blocks(job.csv, job.bounds[worker :: job.workers], job.layout, job.buckets):
            sink.write_sorted(block.rows, block.counts)
            told.append((block.lines, len(block.rows), block.aside, block.wide))
    return told


def put_features_aside(job: Job, cuts: list[str], wide: dict[int, str], worker: int) -> None:
    """The features of every bucket that is this worker's turn."""
    keep_freed_memory()
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(SpillFile(job.spill(place))) for place in range(job.workers)]
        aside = opened.enter_context(SetAside(job.aside(worker), cuts))
        for bucket in range(worker, job.buckets, job.workers):
            aside.add(features_of(read_in_turn(files, bucket), job.as_of, wide))


def keep_freed_memory() -> None:
    """Let the C library learn that such sizes come and go: it then asks the system once (glibc, mallopt(3), M_MMAP_THRESHOLD)."""
    np.empty(_KEPT_BYTES, np.uint8)


@contextlib.contextmanager
def forked(workers: int) -> Iterator[Executor]:
    """Processes forked from this one before it has any thread: they start at once, with all modules loaded."""
    if workers == 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield SerialExecutor()
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        yield pool


def run(csv: Path, out: Path, as_of: dt.date) -> dict[str, int]:
    """The whole job; what became of the lines, and how many products there are."""
    with csv.open("rb") as stream:
        header = stream.readline()
    bounds = tuple(pairwise(history_lines.cuts(csv, len(header), WORKERS)))
    workers = max(1, min(WORKERS, len(bounds)))
    buckets = min(MOST_BUCKETS, max(1, csv.stat().st_size // BUCKET_BYTES))
    day = as_of.toordinal() - dt.date(1970, 1, 1).toordinal()
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        job = Job(csv, history_lines.read_layout(header), bounds, buckets, day, Path(folder), workers)
        with forked(workers) as pool:
            told = list(pool.map(functools.partial(spill_blocks, job), range(workers)))
            ledger = Ledger()
            for block in range(len(bounds)):
                ledger.add(*told[block % workers][block // workers])
            assert ledger.lines == 1 + ledger.accepted + len(ledger.aside), "a line was lost"
            with contextlib.ExitStack() as opened:
                files = [opened.enter_context(SpillFile(job.spill(worker))) for worker in range(workers)]
                cuts = cut_ids(read_in_turn(files, 0), buckets, ledger.wide)
            list(pool.map(functools.partial(put_features_aside, job, cuts, ledger.wide), range(workers)))
        with ThreadPoolExecutor(1) as beside:  # to give back half a gigabyte takes the system a while
            gone = [beside.submit(job.spill(worker).unlink) for worker in range(workers)]
            products = write_sorted([job.aside(worker) for worker in range(workers)], len(cuts) + 1, out)
            for one in gone:
                one.result()
    _write_set_aside(ledger, out.with_suffix(".set_aside.parquet"))
    return {"lines": ledger.lines, "accepted": ledger.accepted, "set_aside": len(ledger.aside), "products": products}


def _write_set_aside(ledger: Ledger, path: Path) -> None:
    line, reason, text = zip(*ledger.aside, strict=True) if ledger.aside else ((), (), ())
    told = {"line": column(np.array(line, np.int64), pa.int64()), "reason": texts(reason), "text": texts(text)}
    pq.write_table(pa.table(told), path, compression="zstd")


def main() -> None:
    """Arguments in, one JSON line out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, required=True)
    asked = parser.parse_args()
    sys.stdout.write(json.dumps(run(asked.csv, asked.out, asked.as_of)) + "\n")


if __name__ == "__main__":
    main()
