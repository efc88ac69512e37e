"""Week 52 of 52: one more week of prices into the store and features of everything, beside engines that read all weeks again.

    python -m benchmarks.history_weeks [--products 300000] [--weeks 52] [--rounds 3] [--scripts FILE.py ...]

Each week is a CSV with two days of prices of every product. All but the last are put into the store as runs put them there (merged as
runs merge them); then, in turn: ours adds the last week and writes the features of all products out of the store; tuned engines read
all CSVs; and they read their own Parquet files, one a week, kept from before. Prints seconds, ratios, sizes, and whether answers agree.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from benchmarks import history_lines
from benchmarks.history import forked, keep_freed_memory
from benchmarks.history_race import LETTERS, differences
from benchmarks.history_results import SetAside, cut_ids, features_of, write_sorted
from pipeline.store.compaction import merge_loose
from pipeline.store.kept_prices import RunSink, group_count
from pipeline.store.kept_weeks import KeptWeeks, Known, write_ids
from pipeline.store.price_spills import PriceSpill, SpillFile
from pipeline.tables.price_rows import PriceRows, last_observation, newest_observation

LAST_DAY = dt.date(2026, 11, 15)  # a Sunday; two days of each week are told, the later one on it
AS_OF = dt.date(2026, 11, 20)
BUCKET_ROWS = 1 << 19
WORKERS = 2
MARKET = "US"


def write_weeks(folder: Path, products: int, weeks: int) -> list[Path]:
    """A CSV a week, its products shuffled each day."""
    dice = np.random.default_rng(2)
    ids = np.array(["B0" + "".join(word) for word in LETTERS[dice.integers(0, 36, (products, 8))]])
    level = np.exp(dice.normal(3.3, 0.5, products))
    schema = pa.schema([("asin", pa.string()), ("date", pa.date32()), ("price", pa.float64()), ("sales_rank", pa.int64())])
    paths = []
    for week in range(weeks):
        paths.append(folder / f"{week:02d}.csv")
        with pa_csv.CSVWriter(paths[-1], schema, write_options=pa_csv.WriteOptions(quoting_style="none")) as writer:
            for back in (3, 0):
                day = LAST_DAY - dt.timedelta(days=7 * (weeks - 1 - week) + back)
                order = dice.permutation(products)
                level *= np.exp(dice.normal(0, 0.02, products))
                price = np.maximum(np.round(level[order], 2), 0.01)
                columns = [ids[order], np.full(products, np.datetime64(day)), price, dice.integers(1, 10**6, products)]
                writer.write_table(pa.table([pa.array(column) for column in columns], schema=schema))
    return paths


def add_week(csv: Path, kept: KeptWeeks, week: str) -> None:
    """One dump's prices into the store, as `pipeline.keep` puts them there."""
    with tempfile.TemporaryDirectory(dir=kept.root.parent) as name:
        work = Path(name)
        with csv.open("rb") as stream:
            header = stream.readline()
        layout = history_lines.read_layout(header)
        buckets = max(1, csv.stat().st_size >> 22)
        wide: dict[int, str] = {}
        with PriceSpill(work / "rows.prices", buckets, {}) as sink:
            for block in history_lines.read_blocks(csv, list(pairwise(history_lines.cuts(csv, len(header)))), layout, buckets):
                sink.write_sorted(block.rows, block.counts)
                wide |= block.wide
        filled, merged = work / "filled", work / "merged"
        filled.mkdir()
        merged.mkdir()
        with SpillFile(work / "rows.prices") as file:
            parts = [last_observation(file.read(bucket)) for bucket in range(buckets)]
        facts = {"marketplace": MARKET, "currency": "USD"}
        with RunSink(filled / f"prices-{MARKET}.parquet", group_count(sum(map(len, parts))), facts) as run:
            for rows in parts:
                run.write(rows)
        write_ids(filled / "ids.parquet", wide)
        (filled / "ledger.json").write_text(json.dumps({week: []}))
        pq.write_table(pa.table({"line": pa.array([], pa.int64()), "week": pa.array([], pa.string())}), filled / "set_aside.parquet")
        kept.keep(week, week, filled)
        merge_loose(kept, merged)


def _told(known: Known, bucket: int, buckets: int) -> PriceRows:
    return newest_observation(*known.prices(MARKET, bucket, buckets))


def _put_aside(known: Known, buckets: int, cuts: list[str], work: Path, worker: int) -> None:
    keep_freed_memory()
    wide = known.wide_ids()
    with SetAside(work / f"{worker}.arrow", cuts) as aside:
        for bucket in range(worker, buckets, WORKERS):
            aside.add(features_of(_told(known, bucket, buckets), (AS_OF - dt.date(1970, 1, 1)).days, wide))


def write_features(kept: KeptWeeks, out: Path) -> int:
    """The features of all products in the store."""
    known = kept.known()
    rows = sum(pq.read_metadata(run.folder / f"prices-{MARKET}.parquet").num_rows for run in known.runs)
    buckets = max(WORKERS, rows // BUCKET_ROWS)
    with tempfile.TemporaryDirectory(dir=out.parent) as name, forked(WORKERS) as pool:
        work = Path(name)
        cuts = cut_ids(_told(known, 0, buckets), buckets, known.wide_ids())
        list(pool.map(functools.partial(_put_aside, known, buckets, cuts, work), range(WORKERS)))
        return write_sorted([work / f"{worker}.arrow" for worker in range(WORKERS)], len(cuts) + 1, out)


def _last_week(csv: Path, store: Path, out: Path, week: str) -> None:
    add_week(csv, KeptWeeks(store), week)
    write_features(KeptWeeks(store), out)


def _timed(words: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    """Make the weeks, then run all in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=300_000)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", default=["polars", "duckdb"])
    parser.add_argument("--scripts", nargs="*", type=Path, default=[])
    parser.add_argument("--last", nargs=4, metavar=("CSV", "STORE", "OUT", "WEEK"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.last:
        _last_week(*map(Path, asked.last[:3]), asked.last[3])
        return
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        for name in ("csv", "parquet", "store"):
            (folder / name).mkdir()
        csvs = write_weeks(folder / "csv", asked.products, asked.weeks)
        named = [f"{year}-W{week:02d}" for year in (2025, 2026) for week in range(1, 53)][-asked.weeks :]
        kept = KeptWeeks(folder / "store" / "weeks")
        for csv, week in zip(csvs[:-1], named, strict=False):
            add_week(csv, kept, week)
        for csv in csvs:
            pq.write_table(pa_csv.read_csv(csv), folder / "parquet" / f"{csv.stem}.parquet", compression="zstd", compression_level=1)
        for name in ("csv", "parquet", "store"):
            size = sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file())
            print(f"{name}: {size / 1e6:,.0f} MB", flush=True)
        seconds: dict[str, list[float]] = {}
        peers = [(engine, ["-m", "benchmarks.history_peers", engine], ["--as-of", str(AS_OF)]) for engine in asked.engines]
        peers += [(script.name, [str(script)], []) for script in asked.scripts]
        for place in range(asked.rounds):
            shutil.copytree(folder / "store", folder / f"store-{place}")
            words = ["-m", "benchmarks.history_weeks", "--last", str(csvs[-1]), str(folder / f"store-{place}" / "weeks")]
            seconds.setdefault("ours", []).append(_timed([*words, str(folder / "ours.parquet"), named[-1]]))
            shutil.rmtree(folder / f"store-{place}")
            for engine, before, after in peers:
                for kind in ("csv", "parquet"):
                    words = [*before, str(folder / kind / f"*.{kind}"), str(folder / f"{engine}-{kind}.parquet"), *after]
                    seconds.setdefault(f"{engine}, {asked.weeks} {kind} files", []).append(_timed(words))
        for who, taken in seconds.items():
            ratios = [theirs / ours for theirs, ours in zip(taken, seconds["ours"], strict=True)]
            told = f"{statistics.median(taken):.2f} s ({min(taken):.2f}..{max(taken):.2f})"
            print(f"{who:26} {told:28} {statistics.median(ratios):.2f} times ours ({min(ratios):.2f}..{max(ratios):.2f})")
        for engine, *_ in peers:
            for kind in ("csv", "parquet"):
                wrong = differences(folder / "ours.parquet", folder / f"{engine}-{kind}.parquet")
                print(f"{engine}, {kind}: {'the same answer' if not wrong else 'differs in ' + ', '.join(wrong)}")


if __name__ == "__main__":
    main()
