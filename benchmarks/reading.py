"""A clean candidates file of many rows: bare `pyarrow.csv` into typed columns against a whole read, in turn, each as a process.

python -m benchmarks.reading [--rows 1000000] [--rounds 5] [--folder FOLDER, in which the files are made once and kept]

*bare* parses the bytes into typed columns in memory and checks nothing; *read* finds the source, checks every line and cell, and writes
typed Parquet spills by bucket, as a run does; *quote* is *read* with one stray quote in the middle of the file. All have two threads.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import mmap
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as pa_csv

from pipeline.config.files import load_plan
from pipeline.ingest.dump import DumpFile
from pipeline.runs.read_task import ReadTask, read_context, read_task, sources

THREADS = 2
_BUCKET_BYTES = 16 << 20
_TEXT, _REAL, _WHOLE = pa.string(), pa.float64(), pa.int64()
TYPES = {
    **dict.fromkeys(("product_id", "title", "currency", "marketplace", "brand", "category_path", "gtin", "fee_category"), _TEXT),
    **dict.fromkeys(("price", "avg30_price", "avg90_price", "avg180_price", "sd90_price"), _REAL),
    **dict.fromkeys(("out_of_stock_share_90", "amazon_share_90", "rating", "return_rate"), _REAL),
    **dict.fromkeys(("package_weight_g", "package_length_mm", "package_width_mm", "package_height_mm"), _REAL),
    **dict.fromkeys(("rating_count", "sales_rank", "monthly_sold", "offer_count", "sold_orders", "returned_orders"), _WHOLE),
    **dict.fromkeys(("is_hazmat", "return_flag"), _TEXT),
    "listed_since": pa.date32(),
}
WORDS = (
    "Bamboo",
    "Drawer",
    "Organizer",
    "Set",
    "Adjustable",
    "Kitchen",
    "Storage",
    "Box",
    "Large",
    "Small",
    "White",
    "Steel",
    "Foldable",
    "Garden",
    "Desk",
    "Lamp",
)


def write_candidates(path: Path, rows: int) -> None:
    """An invented market's candidates; a third of the titles hold a comma and stand in quotes, a tenth of the cells is empty."""
    rng = np.random.default_rng(1)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(TYPES)
        for start in range(0, rows, 50_000):
            count = min(50_000, rows - start)
            columns = [_column(name, start, count, rng) for name in TYPES]
            writer.writerows(zip(*columns, strict=True))


def write_quoted(clean: Path, quote: Path) -> None:
    """The same file with one stray quote in the middle."""
    with clean.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as content, quote.open("wb") as target:
        middle = content.find(b",USD,", len(content) // 2) + 1
        for piece in (memoryview(content)[:middle], b'"', memoryview(content)[middle:]):
            target.write(piece)
            del piece


def _column(name: str, start: int, count: int, rng: np.random.Generator) -> list[object]:
    places = range(start, start + count)
    match name:
        case "product_id":
            return [f"B0{place * 2654435761 % 10**8:08d}" for place in places]
        case "title":
            words = np.array(WORDS)[rng.integers(0, len(WORDS), (count, 6))].tolist()
            return [f"{' '.join(w)}{', ' if i % 3 == 0 else ' '}{i}" for i, w in zip(places, words, strict=True)]
        case "currency" | "marketplace":
            return [{"currency": "USD", "marketplace": "US"}[name]] * count
        case "brand":
            return [f"Brand {number}" for number in rng.integers(0, 5_000, count)]
        case "category_path":
            return [f"Home & Kitchen > Storage {n % 20} > Shelf {n}" for n in rng.integers(0, 400, count)]
        case "gtin":
            return [str(2_000_000_000_000 + place) for place in places]
        case "fee_category":
            return np.array(["home_kitchen", "everything_else", "toys"])[rng.integers(0, 3, count)].tolist()
        case "is_hazmat":
            return np.array(["no", "yes"])[(rng.random(count) < 0.03).astype(int)].tolist()
        case "return_flag":
            return np.array(["", "", "", "low", "high"])[rng.integers(0, 5, count)].tolist()
        case "listed_since":
            return (np.datetime64("2016-01-01") + rng.integers(0, 3_900, count)).astype(str).tolist()
        case _:
            return _numbers(name, count, rng)


def _numbers(name: str, count: int, rng: np.random.Generator) -> list[object]:
    if TYPES[name] == _WHOLE:
        found = rng.integers(1, 50_000, count).tolist()
    elif name.startswith("package"):
        found = rng.integers(10, 900, count).tolist()
    else:
        found = np.round(rng.random(count) * (1 if "share" in name or "rate" in name else 5 if name == "rating" else 90) + 0.01, 2).tolist()
    empty = rng.random(count) < (0 if name == "price" else 0.1)
    if "share" in name or name == "return_rate":
        found = [min(1.0, value) for value in found]
    return ["" if none else value for value, none in zip(found, empty, strict=True)]


def _bare(path: Path) -> None:
    pa.set_cpu_count(THREADS)
    pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(column_types=TYPES))


def _read(path: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        buckets = -(-path.stat().st_size // _BUCKET_BYTES)
        answer = read_task(ReadTask(DumpFile(path.name, path), 0, read_context(load_plan(None)), Path(work), buckets, THREADS))
    aside = sum(answer.report.set_aside.values())
    assert aside == (1 if path.name == "quote.csv" else 0), answer.report.set_aside


def _measured(what: str, path: Path) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.reading", "--one", what, str(path)]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def _one(what: str, path: Path) -> None:
    sources()
    work = _bare if what == "bare" else _read
    start, cpu = time.perf_counter(), time.process_time()
    work(path)
    # Not `ru_maxrss`: that one remembers the process that started this one.
    peak = int(Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "peak_mb": peak}))


def main() -> None:
    """Make the files, measure in turn, print medians and ratios within each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        _one(asked.one[0], Path(asked.one[1]))
        return
    with contextlib.nullcontext(asked.folder) if asked.folder else tempfile.TemporaryDirectory() as folder:
        clean, quote = Path(folder) / "clean.csv", Path(folder) / "quote.csv"
        if not clean.exists():
            write_candidates(clean, asked.rows)
        if not quote.exists():
            write_quoted(clean, quote)
        size = clean.stat().st_size
        print(f"{asked.rows:,} rows, {len(TYPES)} columns, {size / 1e6:,.0f} MB; {asked.rounds} rounds", flush=True)
        found: dict[str, list[dict[str, float]]] = {"bare": [], "read": [], "quote": []}
        for _ in range(asked.rounds):
            for what, runs in found.items():
                runs.append(_measured(what, quote if what == "quote" else clean))
        for what, runs in found.items():
            print(what + ": " + ", ".join(f"{name} {statistics.median(run[name] for run in runs):.2f}" for name in runs[0]))
        for one, other in (("read", "bare"), ("quote", "read")):
            for name in ("seconds", "cpu"):
                ratios = [a[name] / b[name] for a, b in zip(found[one], found[other], strict=True)]
                print(f"{one} / {other}, {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})")


if __name__ == "__main__":
    main()
