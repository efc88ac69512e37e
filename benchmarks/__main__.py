"""`make bench`: a whole run on an invented market, with one worker and with two, in turn.

python -m benchmarks [--products 100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def measure(dump: Path, data: Path, workers: int) -> dict[str, float]:
    """One run as a process of its own: seconds per stage, all seconds, peak memory in MB."""
    words = [sys.executable, "-m", "pipeline", "run", str(dump), "--data", str(data), "--workers", str(workers), "--json"]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    timings = told["timings"]
    return {**timings["seconds"], "total": timings["total_seconds"], "peak MB": timings["peak_memory_mb"]}


def main() -> None:
    """Make the market once, then run it in turn with one and two workers; print medians and the spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        market = Path(folder) / "market"
        make = [sys.executable, "-m", "pipeline", "demo", str(market), "--products", str(asked.products), "--seed", "5"]
        subprocess.run(make, check=True, capture_output=True)
        dump = next((market / "dumps").iterdir())
        size = sum(path.stat().st_size for path in dump.iterdir())
        print(f"{asked.products:,} products, 26 weeks of prices, {size / 1e6:,.0f} MB of CSV; {asked.rounds} rounds, median (min..max)")
        found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for place in range(asked.rounds):
            for workers, runs in found.items():
                runs.append(measure(dump, Path(folder) / f"data-{workers}-{place}", workers))
        for workers, runs in found.items():
            parts = []
            for name in runs[0]:
                values = [run[name] for run in runs]
                parts.append(f"{name} {statistics.median(values):.1f} ({min(values):.1f}..{max(values):.1f})")
            print(f"workers {workers}: " + ", ".join(parts))
        ratios = [one["total"] / two["total"] for one, two in zip(found[1], found[2], strict=True)]
        print(f"one worker takes {statistics.median(ratios):.2f} times as long as two ({min(ratios):.2f}..{max(ratios):.2f})")


if __name__ == "__main__":
    main()
