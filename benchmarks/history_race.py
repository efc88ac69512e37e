"""Price-history CSV to features, this program and other engines in turn on the same invented file, and bare pyarrow reading it.

    python -m benchmarks.history_race [--products 300000] [--points 100] [--rounds 5] [--by-day] [--engines polars duckdb pandas]
                                      [--scripts FILE.py ...]

`--scripts` are programs of others for the same job, run as `FILE.py CSV OUT.parquet`. Prints seconds (median, least and most), how many
times as long as ours the others take, pair by pair, and whether all gave one answer.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

AS_OF = "2026-11-20"
FIRST_DAY, DAYS = np.datetime64("2025-11-01"), 384
LETTERS = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
SCAN = """import sys, pyarrow as pa, pyarrow.csv as c
types = {"asin": pa.string(), "date": pa.date32(), "price": pa.float64()}
options = c.ConvertOptions(column_types=types, include_columns=list(types))
rows = sum(batch.num_rows for batch in c.open_csv(sys.argv[1], c.ReadOptions(block_size=8 << 20), convert_options=options))"""


def write_market(path: Path, products: int, points: int, by_day: bool) -> None:
    """A file of prices that wander: product after product (some days told twice), or day after day with the products shuffled."""
    dice = np.random.default_rng(1)
    ids = np.array(["B0" + "".join(word) for word in LETTERS[dice.integers(0, 36, (products, 8))]])
    level = np.exp(dice.normal(3.3, 0.5, products))
    schema = pa.schema([("asin", pa.string()), ("date", pa.date32()), ("price", pa.float64()), ("sales_rank", pa.int64())])
    with pa_csv.CSVWriter(path, schema, write_options=pa_csv.WriteOptions(quoting_style="none")) as writer:

        def write(rows: np.ndarray, day: np.ndarray, price: np.ndarray) -> None:
            columns = [ids[rows], FIRST_DAY + day, np.maximum(np.round(price, 2), 0.01), dice.integers(1, 10**6, len(rows))]
            writer.write_table(pa.table([pa.array(column) for column in columns], schema=schema))

        if by_day:
            for day in np.linspace(0, DAYS, points).astype(int):
                order = dice.permutation(products)
                level *= np.exp(dice.normal(0, 0.02, products))
                write(order, np.full(products, day), level[order])
            return
        for start in range(0, products, 20_000):
            rows = np.arange(start, min(start + 20_000, products))
            days = np.sort(dice.integers(0, DAYS + 1, (len(rows), points)), axis=1)
            prices = level[rows, None] * np.exp(np.cumsum(dice.normal(0, 0.02, (len(rows), points)), axis=1))
            write(np.repeat(rows, points), days.ravel(), prices.ravel())


def differences(ours: Path, theirs: Path) -> list[str]:
    """Columns in which two answers differ: whole numbers at all, real ones by more than 1e-9 (the logarithm's by 1e-6)."""
    one, other = pq.read_table(ours), pq.read_table(theirs)
    other = other.sort_by("asin").select(one.column_names)
    wrong = [] if one.num_rows == other.num_rows else ["rows"]
    for name in one.column_names if not wrong else ():
        if one.schema.field(name).type == pa.float64():
            a, b = (table[name].to_numpy().astype(float) for table in (one, other))
            if not np.allclose(a, b, rtol=0, atol=1e-6 if name == "sdlog90" else 1e-9, equal_nan=True):
                wrong.append(name)
        elif not one[name].equals(other[name].cast(one.schema.field(name).type)):
            wrong.append(name)
    return wrong


def main() -> None:
    """Make the file, then run all in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=300_000)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--by-day", action="store_true")
    parser.add_argument("--engines", nargs="*", default=["polars", "duckdb", "pandas"])
    parser.add_argument("--scripts", nargs="*", type=Path, default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv, out = folder / "prices.csv", folder / "ours.parquet"
        write_market(csv, asked.products, asked.points, asked.by_day)
        print(
            f"{asked.products * asked.points:,} lines, {csv.stat().st_size / 1e6:,.0f} MB, {'day by day' if asked.by_day else 'by product'}"
        )
        words = {"ours": ["-m", "benchmarks.history", str(csv), str(out), "--as-of", AS_OF], "pyarrow reads": ["-c", SCAN, str(csv)]}
        for engine in asked.engines:
            words[engine] = ["-m", "benchmarks.history_peers", engine, str(csv), str(folder / f"{engine}.parquet"), "--as-of", AS_OF]
        for script in asked.scripts:
            words[script.name] = [str(script), str(csv), str(folder / f"{script.name}.parquet")]
        seconds: dict[str, list[float]] = {engine: [] for engine in words}
        for _ in range(asked.rounds):
            for engine, taken in seconds.items():
                begin = time.perf_counter()
                subprocess.run([sys.executable, *words[engine]], check=True, stdout=subprocess.DEVNULL)
                taken.append(time.perf_counter() - begin)
        for engine, taken in seconds.items():
            ratios = [theirs / ours for theirs, ours in zip(taken, seconds["ours"], strict=True)]
            told = f"{statistics.median(taken):.2f} s ({min(taken):.2f}..{max(taken):.2f})"
            print(f"{engine:14} {told:28} {statistics.median(ratios):.2f} times ours ({min(ratios):.2f}..{max(ratios):.2f})")
        for engine in [*asked.engines, *(script.name for script in asked.scripts)]:
            wrong = differences(out, folder / f"{engine}.parquet")
            print(f"{engine}: {'the same answer' if not wrong else 'differs in ' + ', '.join(wrong)}")


if __name__ == "__main__":
    main()
