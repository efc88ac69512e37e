"""One week in order: facts of one bucket of products in, decisions out; no file is touched.

Read this file first. Every line below is one stage, a pure function in `stages/`; what needs all buckets (the list) is `choose_list`.
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
from pipeline.costs.customs import ImportRule
from pipeline.stages.categories.gate import CategoryPolicy, CategoryRules, classify
from pipeline.stages.categories.overrides import is_override, with_overrides
from pipeline.stages.fitted_models import NO_MODELS, FittedModels
from pipeline.stages.margin.unit_economics import Tariff, unit_economics
from pipeline.stages.offers.choice import choose_offers, with_quotes
from pipeline.stages.offers.costs import Buying
from pipeline.stages.offers.identity import gtins_invalid, packs_differ
from pipeline.stages.offers.lateness import supplier_lateness
from pipeline.stages.prices.arrays import packed_orders, placed
from pipeline.stages.prices.distribution import price_distributions
from pipeline.stages.records.candidates import one_row_per_product
from pipeline.stages.records.duplicates import without_repeats
from pipeline.stages.records.earlier_weeks import known_orders, known_returns
from pipeline.stages.records.orders import order_facts
from pipeline.stages.records.own_records import own_counts, period_counts, seller_marks
from pipeline.stages.returns.drift import fresh_returns
from pipeline.stages.returns.posterior import return_risk
from pipeline.stages.rules import verdicts
from pipeline.stages.rules.limits import evaluate
from pipeline.stages.score.score import score
from pipeline.tables import price_rows
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
    imports: Mapping[str, tuple[ImportRule, ...]]
    marketplaces: Mapping[str, Marketplace]
    digits: Mapping[str, int]
    category_rules: CategoryRules
    category_policy: CategoryPolicy
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
    the candidates' rows (`stages.prices.distribution.arrays.placed`).
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
    """One bucket of products from facts to verdicts."""
    plan, as_of = facts.plan, facts.as_of
    orders = order_facts(bucket.orders, as_of, plan.returns.window_days, plan.rules.fba_window_days)
    sales = known_orders(bucket.kept_orders, bucket.orders)
    sold = orders if sales is bucket.orders else order_facts(sales, as_of, plan.returns.window_days, plan.rules.fba_window_days)
    merged = one_row_per_product(bucket.candidates)
    frame = with_ordered_products(merged.candidates, orders.candidates)
    returns, repeated_returns = without_repeats(bucket.returns)
    returns = known_returns(bucket.kept_returns, returns)
    told_prices, repeated_prices, superseded = one_price_a_day(bucket.price_files, orders.history)
    # History that a candidate's own record holds is no line of the file: its repeats are none either.
    beside = set(bucket.candidates["file"])
    repeated_prices = {file: count for file, count in repeated_prices.items() if file not in beside}
    known_prices = with_earlier_weeks(told_prices, bucket.kept_prices)

    placed_prices = placed(known_prices, frame)
    prices = price_distributions(frame, placed_prices, as_of, plan.forecast, facts.models.prices)
    frame = _added(frame, prices.frame)
    frame = _added(frame, _department(frame, facts))
    frame = _added(frame, _identity(frame, facts))
    frame = _added(frame, seller_marks(frame, facts.decisions[~is_override(facts.decisions)], facts.listed, as_of, plan.list.skip_weeks))
    duty_free = {code: market.duty_free_origins for code, market in facts.marketplaces.items()}
    buying = Buying(plan, facts.tariff.rates, facts.digits, duty_free, facts.imports, as_of)
    frame = _added(frame, choose_offers(frame, _matched(bucket.offers, frame), buying))
    frame = with_quotes(frame, plan)
    frame = _added(frame, pd.DataFrame({"is_pack_suspect": packs_differ(frame["title"], frame["offer_title"], frame["pack_quantity"])}))
    counts = own_counts(frame, sold.counts, period_counts(returns, as_of, plan.returns.window_days))
    frame = _added(frame, counts)
    frame = _added(frame, return_risk(frame, counts, plan.returns, facts.models.returns))
    frame = _added(frame, unit_economics(frame, prices, plan, facts.tariff))
    frame = _added(frame, supplier_lateness(frame["supplier_id"], facts.lateness, plan.rules))
    frame = _added(frame, score(frame, plan.score))

    outcomes = evaluate(frame, plan, facts.digits)
    missing = verdicts.missing_facts(frame)
    frame = _added(frame, pd.DataFrame({"verdict": pd.Series(verdicts.verdicts(outcomes, missing), dtype=frame["title"].dtype)}))
    return Decided(
        frame=frame,
        reasons=verdicts.reasons(outcomes, len(frame)),
        missing=pa.array(list(missing), type=pa.list_(pa.string())),
        prices=told_prices,
        known_prices=placed_prices,
        repeats=_sum(merged.repeats, orders.repeats, repeated_prices, repeated_returns),
        superseded=superseded,
        conflicts=merged.conflicts,
        rejects_alone=verdicts.rejects_alone(outcomes, frame),
        fresh_returns=fresh_returns(frame, sold.sales, facts.models.returns_to, as_of - plan.returns.window_days),
    )


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


def _department(frame: pd.DataFrame, facts: WeekFacts) -> pd.DataFrame:
    """What the category gate says of each listing; its guess at the fee category is kept apart from a stated one."""
    reported = classify(frame, facts.category_rules, facts.category_policy, facts.models.categories)
    reported = with_overrides(reported, frame, facts.decisions, facts.as_of, facts.category_policy)
    version = pd.Series(facts.category_rules.digest[:16], index=reported.index, dtype=reported["department"].dtype)
    return reported.rename(columns={"fee_category": "guessed_fees"}).assign(rules_version=version)


def _identity(frame: pd.DataFrame, facts: WeekFacts) -> pd.DataFrame:
    """What the fee schedule and the rules need to know of the listing itself."""
    regions = {code: market.vat_region or None for code, market in facts.marketplaces.items()}
    stated = frame["fee_category"].notna()
    return pd.DataFrame(
        {
            "is_gtin_invalid": gtins_invalid(frame["gtin"]),
            "vat_region": frame["marketplace"].map(regions).astype(frame["title"].dtype),
            "fee_category": frame["fee_category"].where(stated, frame["guessed_fees"]),
            "is_fee_category_assumed": (~stated & frame["fee_category_assumed"].astype(bool)).astype("boolean"),
        }
    )


def _matched(offers: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Each offer with the position of its candidate (`row`); one without a marketplace serves every marketplace of its product."""
    offers = offers.reset_index(drop=True)
    places = frame[KEY].assign(row=np.arange(len(frame)))
    bound = offers[offers["marketplace"].notna()].merge(places, on=KEY, how="inner")
    free = offers[offers["marketplace"].isna()].drop(columns="marketplace").merge(places, on="product_id", how="inner")
    joined = pd.concat([bound, free], ignore_index=True).reindex(columns=[*offers.columns, "row"])
    # What an offer says, not where it stood, orders equal offers.
    said = [name for name in offers.columns if name not in ("source", "file", "line", "byte_offset")]
    joined = joined.sort_values(["row", *said], kind="stable").drop_duplicates(["row", *said]).reset_index(drop=True)
    return joined.assign(offer_order=np.arange(len(joined)))


def _added(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """The frame with a stage's columns; a stage's word replaces the raw one."""
    return pd.concat([frame.drop(columns=[c for c in more.columns if c in frame.columns]), more], axis=1)


def _sum(*counts: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total
