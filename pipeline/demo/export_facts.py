"""Facts of one weekly export of the invented market, shared by the canonical form and Keepa's, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.demo import text
from pipeline.demo.calendar import stream
from pipeline.demo.market import KEEPA_FLAG, Flag, Market, Real, Whole
from pipeline.demo.prices import Steps, Window, window
from pipeline.demo.records import Deliveries, Listed, OrderLines, ReturnCounts, first_day
from pipeline.demo.trade import Offers, Suppliers

CHUNK = 50_000  # rows of products held as text at once


@dataclass(frozen=True)
class World:
    """Everything that was drawn."""

    market: Market
    steps: Steps
    suppliers: Suppliers
    offers: Offers
    orders: OrderLines
    counts: ReturnCounts
    deliveries: Deliveries
    listed: Listed


@dataclass(frozen=True)
class Shown:
    """What an export of one week says of some products; whole numbers are -1 and shares NaN where it does not say."""

    rows: Whole
    price: Whole  # cents, 0 = none
    avg30: Whole
    avg90: Whole
    avg180: Whole
    sd90: Whole
    out_of_stock_share: Real
    rank: Whole
    rating_count: Whole
    monthly_sold: Whole
    return_flag: Whole  # 0 low, 1 high
    listed_day: Whole
    has_listed_day: Flag


def active(market: Market, week: int) -> Flag:
    """Which products are listed in a week."""
    return (market.products.first_week <= week) & (week <= market.products.last_week)


def slices(market: Market, which: Flag) -> Iterator[tuple[int, int, Whole]]:
    """Pieces of the market: first product, last product (not included), those of them that `which` picks."""
    for start in range(0, len(which), CHUNK):
        stop = min(start + CHUNK, len(which))
        rows = np.flatnonzero(which[start:stop]) + start
        if len(rows):
            yield start, stop, rows


def pieces_of(rows: Whole) -> Iterator[Whole]:
    """The rows in pieces of bounded size."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def shown(world: World, week: int) -> Iterator[Shown]:
    """The week's products with their facts, piece by piece; the canonical and Keepa's form hold the same facts."""
    market, products = world.market, world.market.products
    as_of = market.calendar.as_of(week)
    n = len(products)
    start = first_day(market)
    luck = stream(market.seed, 40)
    listed_day = np.where(products.first_week > 0, start, -luck.integers(0, 2_000, size=n))
    has_listed_day = luck.random(n) < 0.7
    weekly = stream(market.seed, 41, week)
    demand = products.demand * np.exp(0.15 * weekly.standard_normal(n))
    rank = np.rint(1.5e6 / (demand + 1) * np.exp(0.3 * weekly.standard_normal(n))).astype(np.int64)
    rank = np.where(luck.random(n) < 0.05, -1, np.maximum(rank, 1))
    # Amazon's badge: a lower bound in round numbers, none below 50.
    unit = np.select([demand < 100, demand < 1000], [50, 100], 1000)
    sold = np.where(demand < 50, -1, (demand // unit) * unit).astype(np.int64)
    ratio = products.return_rate / market.catalogue.return_mean[products.line]
    flag = np.where(products.evidence == KEEPA_FLAG, np.where(ratio > 1, 1, 0), -1)
    ratings = products.rating_count + (0.02 * week * products.demand).astype(np.int64)
    price_evidence = products.price_evidence

    for low, high, rows in slices(market, active(market, week)):
        some, here = rows - low, world.steps.of(low, high)

        def held(days: int, some: Whole = some, here: Steps = here, low: int = low, high: int = high) -> Window:
            whole = window(here, start[low:high], as_of, days)
            return Window(whole.mean_cents[some], whole.sd_cents[some], whole.out_of_stock_share[some])

        summarised = np.isin(price_evidence[rows], [0, 2])
        month, quarter, half = held(30), held(90), held(180)
        averages = [np.where(summarised, text.rounded(w.mean_cents), -1) for w in (month, quarter, half)]
        yield Shown(
            rows=rows,
            price=np.where(price_evidence[rows] == 4, 0, here.price(some, as_of)),
            avg30=averages[0],
            avg90=averages[1],
            avg180=averages[2],
            sd90=np.where(summarised, text.rounded(quarter.sd_cents), -1),
            out_of_stock_share=np.where(summarised, quarter.out_of_stock_share, np.nan),
            rank=rank[rows],
            rating_count=ratings[rows],
            monthly_sold=sold[rows],
            return_flag=flag[rows],
            listed_day=listed_day[rows],
            has_listed_day=has_listed_day[rows],
        )
