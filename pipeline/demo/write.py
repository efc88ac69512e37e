"""The invented market on disk: `shortlist demo DIR`.

    DIR/dumps/<week>/   one dump a week in the program's own CSV form; the first holds 26 weeks of prices, later ones seven days
    DIR/keepa/<week>/   the same market as a Keepa export, with the suppliers' price list and the matches
    DIR/truth/          what only tests and backtests may read

No clock: the weeks end with `until`, a week's as-of is its Sunday. The same arguments give the same bytes; a market with
more products, more weeks or another seed is another market.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from pipeline.demo import files, keepa, truth
from pipeline.demo.export_facts import World
from pipeline.demo.market import build_market
from pipeline.demo.prices import build_steps
from pipeline.demo.records import build_deliveries, build_listed, build_orders, build_return_counts
from pipeline.demo.text import csv_bytes, csv_header
from pipeline.demo.trade import build_offers, build_suppliers
from pipeline.store.files import write_files

DEFAULT_UNTIL = "2026-W47"


@dataclass(frozen=True)
class DemoReport:
    """What was written."""

    target: Path
    weeks: tuple[str, ...]
    products: int
    suppliers: int
    offers: int
    rows: dict[str, int]  # relative path of a file -> its rows, watermarks included

    @property
    def newest_dump(self) -> Path:
        """The folder to run."""
        return self.target / "dumps" / self.weeks[-1]


def build_world(products: int, weeks: int, seed: int, until: str) -> World:
    """Draw the market, its prices, suppliers and records; raises `UsageError` for a week that is none."""
    market = build_market(products, weeks, seed, until)
    steps = build_steps(market)
    suppliers = build_suppliers(market)
    offers = build_offers(market, suppliers)
    return World(
        market=market,
        steps=steps,
        suppliers=suppliers,
        offers=offers,
        orders=build_orders(market, steps),
        counts=build_return_counts(market),
        deliveries=build_deliveries(market, suppliers, offers),
        listed=build_listed(market, offers),
    )


def tables_of(world: World) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Every file of the market: its path below DIR and its pieces, made as they are asked for."""
    for week in range(world.market.calendar.weeks):
        name = world.market.calendar.name(week)
        for table, of_week in files.TABLES.items():
            yield f"dumps/{name}/{table}.csv", of_week(world, week)
        yield f"keepa/{name}/{keepa.file_name(world, week)}", keepa.product_finder(world, week)
        yield f"keepa/{name}/offers.csv", files.offers(world, week)
        yield f"keepa/{name}/matches.csv", files.matches(world, week)
    for table, of_market in truth.TABLES.items():
        yield f"truth/{table}.csv", of_market(world)


def make_market(products: int, weeks: int, seed: int, until: str = DEFAULT_UNTIL) -> Iterator[tuple[str, pa.Table]]:
    """The market in memory: (path below DIR, table of text columns), empty files are left out."""
    for path, pieces in tables_of(build_world(products, weeks, seed, until)):
        tables = list(pieces)
        if tables:
            yield path, pa.concat_tables(tables)


def write_demo(target: Path, products: int, weeks: int, seed: int, until: str = DEFAULT_UNTIL) -> DemoReport:
    """Write the market into a new folder, all or nothing.

    Parameters
    ----------
    target : Path
        Must not exist or be empty.
    products, weeks, seed : int
        At least 1, 1 and 0.
    until : str
        The last ISO week, such as `2026-W47`.

    Raises
    ------
    UsageError
        A number is too small, `until` is no ISO week, or `target` holds something.
    NotWritten
        The disk refused.
    """
    world = build_world(products, weeks, seed, until)
    rows: dict[str, int] = {}

    def chunks(path: str, first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[bytes]:
        yield csv_header(first.column_names)
        rows[path] = 0
        for piece in chain([first], rest):
            rows[path] += piece.num_rows
            yield csv_bytes(piece)

    def files() -> Iterator[tuple[str, Iterator[bytes]]]:
        for path, pieces in tables_of(world):
            first = next(pieces, None)
            if first is not None:
                yield path, chunks(path, first, pieces)

    write_files(target, files())
    calendar = world.market.calendar
    names = tuple(calendar.name(week) for week in range(calendar.weeks))
    return DemoReport(target, names, products, len(world.suppliers), len(world.offers), rows)


def demo_lines(report: DemoReport) -> list[str]:
    """What was written and what to do next, for a person."""
    prices = sum(rows for path, rows in report.rows.items() if path.endswith("/price_history.csv"))
    return [
        f"invented {report.products:,} products, {report.offers:,} offers of {report.suppliers:,} suppliers "
        f"and {prices:,} prices for {_weeks(report.weeks)} in {report.target}",
        f"  {report.target}/dumps/  one folder a week, the first with 26 weeks of prices",
        f"  {report.target}/keepa/  the same weeks as Keepa exports",
        f"  {report.target}/truth/  what is really so: read it only to judge a run",
        f"next: shortlist run {report.newest_dump} --data {report.target}/data",
    ]


def _weeks(weeks: tuple[str, ...]) -> str:
    return weeks[0] if len(weeks) == 1 else f"{weeks[0]} to {weeks[-1]}"
