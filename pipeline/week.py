"""One week in order: facts of one bucket of products in, decisions out; no file is touched.

Read this file first. Each `table.run` in `decide` is one stage, a pure function in `stages/`. The list itself, which needs all buckets,
is chosen in
`stages/score/score.py` (`select`) when the ledger is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config.files import Marketplace
from pipeline.config.plan import Plan
from pipeline.stages.categories.department import Gate, departments
from pipeline.stages.fitted_models import NO_MODELS, FittedModels
from pipeline.stages.margin.unit_economics import Tariff, unit_economics
from pipeline.stages.offers.choice import choose_offers, quoted_costs
from pipeline.stages.offers.costs import Buying
from pipeline.stages.offers.identity import pack_suspects
from pipeline.stages.offers.lateness import supplier_lateness
from pipeline.stages.offers.listing import listing_facts
from pipeline.stages.offers.matching import offers_by_row
from pipeline.stages.prices.arrays import packed_orders, placed
from pipeline.stages.prices.distribution import price_distributions
from pipeline.stages.records.candidates import one_row_per_product
from pipeline.stages.records.duplicates import without_repeats
from pipeline.stages.records.earlier_weeks import known_orders, known_returns
from pipeline.stages.records.orders import OrderFacts, order_facts
from pipeline.stages.records.own_records import own_counts, period_counts, seller_marks
from pipeline.stages.returns.drift import fresh_returns
from pipeline.stages.returns.posterior import return_risk
from pipeline.stages.rules.verdicts import apply_rules, reasons
from pipeline.stages.score.score import score
from pipeline.tables import price_rows
from pipeline.tables.columns import Columns
from pipeline.tables.frames import conform
from pipeline.tables.price_rows import PriceRows, newest_observation
from pipeline.tables.schemas import CANDIDATES, ORIGIN

KEY = ["marketplace", "product_id"]


@dataclass(frozen=True)
class WeekFacts:
    """What is the same for every bucket: the day, the plan, what is charged on the day, the seller's small tables."""

    as_of: int
    plan: Plan
    tariff: Tariff
    buying: Buying
    vat_regions: Mapping[str, str | None]
    marketplaces: Mapping[str, Marketplace]
    digits: Mapping[str, int]
    gate: Gate
    category_decisions: pd.DataFrame
    decisions: pd.DataFrame
    listed: pd.DataFrame
    lateness: pd.DataFrame
    models: FittedModels = NO_MODELS


@dataclass(frozen=True)
class Bucket:
    """The facts of the products of one bucket, in the columns of `tables`.

    `price_files` are this dump's prices, file by file in the order of their names; the `kept_*` are observations of earlier weeks, with a
    generation (the larger, the later). Offers have `matched_by`.
    """

    candidates: pd.DataFrame
    price_files: Sequence[PriceFile]
    kept_prices: Mapping[str, tuple[PriceRows, np.ndarray]]
    offers: pd.DataFrame
    orders: pd.DataFrame
    kept_orders: pd.DataFrame
    returns: pd.DataFrame
    kept_returns: pd.DataFrame


@dataclass(frozen=True)
class PriceFile:
    """Prices of one marketplace from one file, in file order."""

    file: str
    market: str
    rows: PriceRows


@dataclass(frozen=True)
class Decided:
    """Decisions of a bucket (all but the rank), `reasons` and `missing` as Arrow lists, and what was merged or set aside on the way.

    `prices` is what this dump adds to the price history of each marketplace, `known_prices` that and the earlier weeks' as a table of
    the candidates' rows (`stages.prices.arrays.placed`).
    """

    frame: pd.DataFrame
    reasons: pa.Array
    missing: pa.Array
    prices: Mapping[str, PriceRows]
    known_prices: pd.DataFrame
    repeats: dict[str, int]
    superseded: dict[str, int]
    conflicts: pd.DataFrame
    rejects_alone: dict[str, int]
    fresh_returns: dict[str, int]


def decide(bucket: Bucket, facts: WeekFacts) -> Decided:
    """One bucket of products from facts to verdicts: each line runs a stage on the table and adds the columns that it declares."""
    plan, as_of, models = facts.plan, facts.as_of, facts.models
    records = known_records(bucket, facts)
    prices_by_market, repeated_prices, superseded = one_price_a_day(bucket.price_files, records.orders.history)
    table = Columns(records.candidates)
    known_prices = placed(with_earlier_weeks(prices_by_market, bucket.kept_prices), table)

    prices = table.run(price_distributions, known_prices, as_of, plan.forecast, models.prices)
    table.run(departments, facts.gate, facts.category_decisions, as_of)
    table.run(listing_facts, facts.vat_regions)
    table.run(seller_marks, facts.decisions, facts.listed, as_of, plan.list.skip_weeks)
    table.run(choose_offers, offers_by_row(bucket.offers, table), facts.buying)
    table.run(quoted_costs, plan)
    table.run(pack_suspects)
    counts = table.run(own_counts, records.sold.counts, period_counts(records.returns, as_of, plan.returns.window_days))
    table.run(return_risk, counts, plan.returns, models.returns)
    table.run(unit_economics, prices, plan, facts.tariff)
    table.run(supplier_lateness, facts.lateness, plan.rules)
    table.run(score, plan.score)
    judgement = table.run(apply_rules, plan, facts.digits)

    frame = table.to_frame()
    return Decided(
        frame=frame,
        reasons=reasons(judgement.outcomes, len(frame)),
        missing=pa.array(list(judgement.missing), type=pa.list_(pa.string())),
        prices=prices_by_market,
        known_prices=known_prices,
        repeats=_sum(records.repeats, _without(repeated_prices, bucket.candidates)),
        superseded=superseded,
        conflicts=records.conflicts,
        rejects_alone=judgement.rejects_alone,
        fresh_returns=fresh_returns(frame, records.sold.sales, models.returns_to, as_of - plan.returns.window_days),
    )


@dataclass(frozen=True)
class _Records:
    """A bucket's records without repeats: `orders` of this dump, `sold` of all weeks."""

    candidates: pd.DataFrame
    orders: OrderFacts
    sold: OrderFacts
    returns: pd.DataFrame
    repeats: dict[str, int]
    conflicts: pd.DataFrame


def known_records(bucket: Bucket, facts: WeekFacts) -> _Records:
    """One row per candidate, and the orders and returns known by now; the newest dump replaces what it repeats."""
    days = (facts.as_of, facts.plan.returns.window_days, facts.plan.rules.fba_window_days)
    orders = order_facts(bucket.orders, *days)
    sales = known_orders(bucket.kept_orders, bucket.orders)
    sold = orders if sales is bucket.orders else order_facts(sales, *days)
    merged = one_row_per_product(bucket.candidates)
    returns, repeated_returns = without_repeats(bucket.returns)
    return _Records(
        candidates=with_ordered_products(merged.candidates, orders.candidates),
        orders=orders,
        sold=sold,
        returns=known_returns(bucket.kept_returns, returns),
        repeats=_sum(merged.repeats, orders.repeats, repeated_returns),
        conflicts=merged.conflicts,
    )


def _without(repeated_prices: Mapping[str, int], candidates: pd.DataFrame) -> dict[str, int]:
    """History that a candidate's own record holds is no line of the file: its repeats are none either."""
    embedded = set(candidates["file"])
    return {file: count for file, count in repeated_prices.items() if file not in embedded}


def one_price_a_day(files: Sequence[PriceFile], ordered: pd.DataFrame) -> tuple[dict[str, PriceRows], dict[str, int], dict[str, int]]:
    """One price per marketplace, product and day of this dump (`tables.price_rows.one_price_a_day`).

    Also how many rows of each file repeat another one of it, and how many gave way to another row of the same product and day.
    """
    from_orders = packed_orders(ordered).rows
    reported: dict[str, PriceRows] = {}
    repeats, superseded = Counter[str](), Counter[str]()
    for market in sorted({*(entry.market for entry in files), *from_orders}):
        here = [entry for entry in files if entry.market == market]
        reported[market], again, lost = price_rows.one_price_a_day(
            [entry.rows for entry in here], from_orders.get(market, PriceRows.none())
        )
        for entry, repeated, given_way in zip(here, again, lost, strict=True):
            repeats[entry.file] += repeated
            superseded[entry.file] += given_way
    return reported, dict(+repeats), dict(+superseded)


def with_earlier_weeks(reported: Mapping[str, PriceRows], kept: Mapping[str, tuple[PriceRows, np.ndarray]]) -> dict[str, PriceRows]:
    """This dump's prices and those of earlier weeks; on the same product and day the newest dump wins."""
    known = dict(reported)
    for market, (rows, generation) in kept.items():
        own = reported.get(market, PriceRows.none())
        newest = int(generation.max()) + 1 if len(generation) else 0
        known[market] = newest_observation(PriceRows.of([rows, own]), np.append(generation, np.full(len(own), newest)))
    return known


def with_ordered_products(candidates: pd.DataFrame, ordered: pd.DataFrame) -> pd.DataFrame:
    """Candidates of the dump, and those that only order lines name."""
    known = pd.MultiIndex.from_frame(candidates[KEY])
    unknown = known.get_indexer(pd.MultiIndex.from_frame(ordered[KEY])) < 0
    more = conform(ordered[unknown], CANDIDATES + ORIGIN)
    both = pd.concat([candidates, more], ignore_index=True) if len(more) else candidates
    return both.sort_values(KEY, kind="stable").reset_index(drop=True)


def _sum(*counts: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total
