"""The job of `benchmarks.history` in other engines, as one would write it there: DuckDB, Polars, pandas.

    python -m benchmarks.history_peers duckdb|polars|pandas CSV OUT.parquet --as-of 2026-11-20

They parse typed columns and stop at a bad line; the line contract is not asked of them. DuckDB and Polars also take Parquet, and several
files named by a pattern.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

LEVELS = range(1, 20)
NAMES = [
    "asin", "n", "first_date", "last_date", "last_price_cents", "twm90", "twm365", *(f"q{5 * k:02d}" for k in LEVELS), "sdlog90", "mdd365",
    "nchg90", "days_since_change",
]  # fmt: skip
TYPES = {"asin": "VARCHAR", "date": "DATE", "price": "DECIMAL(9,2)", "sales_rank": "INTEGER"}


def by_duckdb(csv: Path, out: Path, as_of: dt.date) -> None:
    """Windows over (product, day), then over (product, price)."""
    import duckdb

    day, quarter, year = (f"DATE '{as_of - dt.timedelta(days=back)}'" for back in (0, 90, 365))
    levels = ", ".join(f"min(c) FILTER (WHERE 20 * upto >= {k} * whole)::INTEGER AS q{5 * k:02d}" for k in LEVELS)
    source = f"read_parquet('{csv}')" if csv.suffix == ".parquet" else f"read_csv('{csv}', header = true, columns = {TYPES})"
    duckdb.sql(f"""
        COPY (WITH told AS (
            SELECT asin, date, (price * 100)::INTEGER AS c, row_number() OVER () AS line
            FROM {source} WHERE date <= {day}),
        known AS (SELECT asin, date, arg_max(c, line) AS c FROM told GROUP BY ALL),
        steps AS (
            SELECT *, lead(date, 1, {day}) OVER w AS until, lag(c) OVER w AS before
            FROM known WINDOW w AS (PARTITION BY asin ORDER BY date)),
        held AS (
            SELECT *, greatest(until - greatest(date, {quarter}), 0) AS d90, greatest(until - greatest(date, {year}), 0) AS d365,
                max(CASE WHEN until > {year} THEN c END) OVER (PARTITION BY asin ORDER BY date) AS peak FROM steps),
        facts AS (
            SELECT asin, count(*)::INTEGER AS n, min(date) AS first_date, max(date) AS last_date, arg_max(c, date) AS last_price_cents,
                sum(d90 * c) / nullif(sum(d90) * 100.0, 0)::DOUBLE AS twm90, sum(d365 * c) / nullif(sum(d365) * 100.0, 0)::DOUBLE AS twm365,
                sum(d90 * ln(c)) / nullif(sum(d90), 0) AS mu,
                sqrt(greatest(sum(d90 * ln(c) * ln(c)) / nullif(sum(d90), 0) - mu * mu, 0)) AS sdlog90,
                max(CASE WHEN until > {year} THEN 1 - c / peak::DOUBLE ELSE 0 END) AS mdd365,
                (count(*) FILTER (WHERE before <> c AND date > {quarter}))::INTEGER AS nchg90,
                ({day} - max(date) FILTER (WHERE before IS NULL OR before <> c))::INTEGER AS days_since_change
            FROM held GROUP BY asin),
        ranked AS (
            SELECT asin, c, sum(d90) OVER (PARTITION BY asin ORDER BY c ROWS UNBOUNDED PRECEDING) AS upto,
                sum(d90) OVER (PARTITION BY asin) AS whole FROM held WHERE d90 > 0),
        levels AS (SELECT asin, {levels} FROM ranked GROUP BY asin)
        SELECT {", ".join(NAMES)} FROM facts LEFT JOIN levels USING (asin) ORDER BY asin
        ) TO '{out}' (FORMAT parquet, COMPRESSION zstd)""")


def by_polars(csv: Path, out: Path, as_of: dt.date) -> None:
    """Sorted once; shifts over each product; the streaming engine reads."""
    import polars as pl

    quarter, year = as_of - dt.timedelta(days=90), as_of - dt.timedelta(days=365)
    col, schema = pl.col, {"asin": pl.String, "date": pl.Date, "price": pl.Float64, "sales_rank": pl.Int32}
    read = pl.scan_parquet(csv) if csv.suffix == ".parquet" else pl.scan_csv(csv, schema=schema)
    told = read.filter(col("date") <= as_of)
    told = told.select("asin", "date", c=(col("price") * 100).round().cast(pl.Int64)).collect(engine="streaming")
    last = (col("asin") != col("asin").shift(-1)).fill_null(True)
    known = told.sort("asin", "date", maintain_order=True).filter(last | (col("date") != col("date").shift(-1)))
    new = (col("asin") != col("asin").shift(1)).fill_null(True)
    steps = known.with_columns(until=pl.when(last).then(pl.lit(as_of)).otherwise(col("date").shift(-1)), new=new)
    steps = steps.with_columns(
        changed=col("new") | (col("c") != col("c").shift(1)),
        d90=(col("until") - pl.max_horizontal("date", pl.lit(quarter))).dt.total_days().clip(0),
        d365=(col("until") - pl.max_horizontal("date", pl.lit(year))).dt.total_days().clip(0),
        shown=pl.when(col("until") > year).then("c").otherwise(0),
        log=col("c").log(),
    ).with_columns(peak=col("shown").cum_max().over("asin"))
    recent, whole = col("d90"), col("d90").sum()
    mean_log = (recent * col("log")).sum() / whole
    facts = steps.lazy().group_by("asin").agg(
        n=pl.len().cast(pl.Int32), first_date=col("date").min(), last_date=col("date").max(),
        last_price_cents=col("c").last().cast(pl.Int32),
        twm90=pl.when(whole > 0).then((recent * col("c")).sum() / (whole * 100.0)),
        twm365=pl.when(col("d365").sum() > 0).then((col("d365") * col("c")).sum() / (col("d365").sum() * 100.0)),
        sdlog90=pl.when(whole > 0).then(((recent * col("log") * col("log")).sum() / whole - mean_log * mean_log).clip(0).sqrt()),
        mdd365=pl.when(col("until") > year).then(1 - col("c") / col("peak")).otherwise(0.0).max(),
        nchg90=(col("changed") & ~col("new") & (col("date") > quarter)).sum().cast(pl.Int32),
        days_since_change=(pl.lit(as_of) - col("date").filter("changed").max()).dt.total_days().cast(pl.Int32),
    )  # fmt: skip
    ranked = steps.lazy().filter(col("d90") > 0).select("asin", "c", "d90").sort("asin", "c")
    ranked = ranked.with_columns(upto=col("d90").cum_sum().over("asin"), whole=col("d90").sum().over("asin"))
    levels = ranked.group_by("asin").agg(
        **{f"q{5 * k:02d}": col("c").filter(20 * col("upto") >= k * col("whole")).min().cast(pl.Int32) for k in LEVELS}
    )
    facts.join(levels, on="asin", how="left").select(NAMES).sort("asin").collect().write_parquet(
        out, compression="zstd", compression_level=1
    )


def by_pandas(csv: Path, out: Path, as_of: dt.date) -> None:
    """Codes for the ids, one sort, numpy over whole columns, sums per product."""
    import numpy as np
    import pandas as pd

    read = pd.read_csv(csv, engine="pyarrow", usecols=["asin", "date", "price"], parse_dates=["date"])
    code, ids = pd.factorize(read["asin"], sort=True)
    end = np.datetime64(as_of).astype(int)
    day = read["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    told = pd.DataFrame({"k": code, "day": day, "c": np.rint(read["price"].to_numpy() * 100).astype(np.int64)})[day <= end]
    told = told.sort_values(["k", "day"], kind="stable").drop_duplicates(["k", "day"], keep="last")
    new, last = told["k"] != told["k"].shift(1), told["k"] != told["k"].shift(-1)
    told["until"] = told["day"].shift(-1).where(~last, end).astype(np.int64)
    changed = new | (told["c"] != told["c"].shift(1))
    for days in (90, 365):
        told[f"d{days}"] = (told["until"] - told["day"].clip(lower=end - days)).clip(lower=0)
        told[f"v{days}"] = told[f"d{days}"] * told["c"]
    in_year = told["until"] > end - 365
    told["fall"] = (1 - told["c"] / told["c"].where(in_year, 0).groupby(told["k"]).cummax()).where(in_year, 0.0)
    told["log"], told["change_day"] = told["d90"] * np.log(told["c"]), told["day"].where(changed, 0)
    told["square"], told["moved"] = told["log"] * np.log(told["c"]), changed & ~new & (told["day"] > end - 90)
    facts = told.groupby("k").agg(
        n=("day", "size"), first_date=("day", "first"), last_date=("day", "last"), last_price_cents=("c", "last"), d90=("d90", "sum"),
        d365=("d365", "sum"), v90=("v90", "sum"), v365=("v365", "sum"), log=("log", "sum"), square=("square", "sum"),
        mdd365=("fall", "max"),
        nchg90=("moved", "sum"), change_day=("change_day", "max"),
    )  # fmt: skip
    for days in (90, 365):
        facts[f"twm{days}"] = facts[f"v{days}"] / (facts[f"d{days}"].where(facts[f"d{days}"] > 0) * 100.0)
    held = facts["d90"].where(facts["d90"] > 0)
    facts["sdlog90"] = np.sqrt((facts["square"] / held - (facts["log"] / held) ** 2).clip(lower=0))
    facts["days_since_change"] = end - facts["change_day"]
    ranked = told.loc[told["d90"] > 0, ["k", "c", "d90"]].sort_values(["k", "c"])
    upto, whole = ranked.groupby("k")["d90"].cumsum(), ranked["k"].map(facts["d90"])
    for k in LEVELS:
        first = ranked[20 * upto >= k * whole].drop_duplicates("k").set_index("k")["c"]
        facts[f"q{5 * k:02d}"] = first.reindex(facts.index).astype("Int32")
    for name in ("first_date", "last_date"):
        facts[name] = pd.array(facts[name].to_numpy().astype("datetime64[D]"), dtype="date32[pyarrow]")
    whole_numbers = ("n", "last_price_cents", "nchg90", "days_since_change")
    facts = facts.astype(dict.fromkeys(whole_numbers, np.int32)).assign(asin=np.asarray(ids)[facts.index])
    facts[NAMES].to_parquet(out, compression="zstd", index=False)


PEERS = {"duckdb": by_duckdb, "polars": by_polars, "pandas": by_pandas}


def main() -> None:
    """Run one engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=PEERS)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, required=True)
    asked = parser.parse_args()
    PEERS[asked.engine](asked.csv, asked.out, asked.as_of)


if __name__ == "__main__":
    main()
