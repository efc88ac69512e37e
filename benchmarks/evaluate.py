"""`make evaluate`: figures on the real files that `SHORTLIST_TEST_DATA` names (tests/README.md); says so where it names none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.returns import ARTICLE, read_table

DATA = Path(os.environ.get("SHORTLIST_TEST_DATA", ""))


def price_tables(folder: Path) -> None:
    """UCI's and Aldi's prices as `benchmarks.prices` wants them: daily median by article, daily least by brand, name and weight."""
    lines = read_table(DATA / "uci_online_retail" / "by-day").drop_duplicates()
    article, price = lines["StockCode"].str.upper(), lines["UnitPrice"].astype(float)
    sold = ~lines["InvoiceNo"].str.startswith("C") & (lines["Quantity"].astype(int) > 0) & (price > 0) & article.str.fullmatch(ARTICLE)
    uci = pd.DataFrame({"product": article, "date": lines["InvoiceDate"].str[:10], "price": price})[sold]
    uci.groupby(["product", "date"], as_index=False)["price"].median().to_csv(folder / "uci.csv", index=False)
    parts = []
    for path in sorted((DATA / "aldi_daily_prices").glob("*/*.csv")):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if list(table.columns) == ["brand", "name", "weight", "price"]:
            table["product"] = table["brand"] + "|" + table["name"] + "|" + table["weight"]
            table["date"] = pd.to_datetime(path.parent.name, format="%Y%m%d").date()
            table["price"] = table["price"].str.replace("[$,]", "", regex=True).astype(float)
            parts.append(table[["product", "date", "price"]])
    pd.concat(parts).groupby(["product", "date"], as_index=False)["price"].min().to_csv(folder / "aldi.csv", index=False)


def run(*words: object) -> None:
    """One benchmark as a command of its own, told before it begins."""
    print(f"\n== python -m {' '.join(str(word) for word in words)}", flush=True)
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True)


def forecasts() -> None:
    """Both forecasts on the given files: the first 40 days of UCI train, the rest test."""
    uci = DATA / "uci_online_retail" / "by-day"
    for more in ((), ("--thin", 10), ("--thin", 3)):
        run("benchmarks.returns", "orders", uci, "--cut", "2011-10-18", "--until", "2011-11-17", "--window", 14, *more)
    with tempfile.TemporaryDirectory() as folder:
        price_tables(Path(folder))
        run("benchmarks.prices", Path(folder) / "uci.csv", "--at", "2011-10-18")
        run("benchmarks.prices", Path(folder) / "aldi.csv", "--at", "2025-11-06", "--minimum", 4)


def main() -> None:
    """Run each evaluation on its folder."""
    if not os.environ.get("SHORTLIST_TEST_DATA"):
        print("SHORTLIST_TEST_DATA names no folder of real files (tests/README.md): nothing to evaluate")
        return
    print("== categories and brands", flush=True)
    subprocess.run([sys.executable, "-m", "benchmarks.categories", str(DATA / "category_truth"), str(DATA / "google_taxonomy")], check=True)
    run("benchmarks.category_model", DATA / "category_truth", DATA / "google_taxonomy")
    forecasts()


if __name__ == "__main__":
    main()
