"""Which supplier's offer a candidate is bought by, and what the goods cost when they leave for the buyer.

An offer is allowed when no rule would reject it (platform, tracking, handling, still valid). Among the allowed the cheapest whose facts
are all known is taken, then the cheapest with open questions; when none is allowed the best of the others is shown with its reasons.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config import ExchangeRate, Plan
from pipeline.fees import half_up
from pipeline.tables import days, flag, real, text, whole, whole_series

_E4 = 10_000  # a supplier's cost is kept in ten-thousandths of its currency


@dataclass(frozen=True)
class Rates:
    """Exchange rates in force: (from, to) -> (rate, age in days)."""

    table: Mapping[tuple[str, str], tuple[float, int]]

    @classmethod
    def on(cls, rates: tuple[ExchangeRate, ...], as_of: int) -> Rates:
        """The newest rate on or before a day (days since 1970-01-01) for each pair of currencies."""
        table: dict[tuple[str, str], tuple[float, int]] = {}
        for rate in sorted(rates, key=lambda r: r.date):
            age = as_of - int(np.datetime64(rate.date, "D").astype(np.int64))
            if age >= 0:
                table[rate.from_, rate.to] = (rate.rate, age)
        return cls(table)


def fold_platform(name: str | None) -> str | None:
    """A platform's name as rules compare it: `Taobao.com ` and `www.taobao.com` are `taobao`."""
    if name is None:
        return None
    folded = unicodedata.normalize("NFKC", name).strip().casefold().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    known = {
        "淘宝": "taobao",
        "天猫": "tmall",
        "速卖通": "aliexpress",
        "拼多多": "pinduoduo",
        "亚马逊": "amazon",
        "沃尔玛": "walmart",
    }
    folded = known.get(folded, folded).split("/")[0].split(".")[0]
    return folded or None


def choose_offers(
    candidates: pd.DataFrame, offers: pd.DataFrame, plan: Plan, rates: Rates, digits: Mapping[str, int], as_of: int
) -> pd.DataFrame:
    """The offer to buy each candidate by, with its cost in the marketplace's currency.

    Parameters
    ----------
    candidates : DataFrame, n rows
        Reads `marketplace`, `product_id`, `currency`, `title`, `package_weight_g`.
    offers : DataFrame
        Matched offers in the columns of `tables.OFFERS`, and `row` (position of the candidate) and `matched_by`
        (product_id, sku, gtin, title).
    plan, rates, digits, as_of
        The plan, exchange rates in force, decimals by currency, and the day in days since 1970-01-01.

    Returns
    -------
    DataFrame, n rows
        `supplier_id`, `backup_suppliers` (text, a blank between), `suppliers` (distinct allowed), `offer_count_read`, cost lines
        `unit_cost_cents`, `freight_cents`, `duty_cents`, `landed_cost_cents`, `shipping_cost_cents` (Int64, minor units of the
        marketplace, missing where not known), the offer's facts and the flags `is_label_assumed`, `is_freight_scope_unknown`,
        `is_duty_assumed`, `is_rate_old`, `lacks_rate`, `lacks_duty`, `is_pack_suspect`.
    """
    n = len(candidates)
    costs = _costs(offers, candidates, plan, rates, digits)
    facts = _facts(offers, plan, as_of)
    total = costs["landed"] + costs["label"]
    rejectable = facts["is_forbidden"] | facts["is_slow"] | facts["has_no_tracking"] | facts["is_expired"]
    tier = np.where(rejectable, 3, np.where(~costs["complete"], 2, np.where(facts["has_open_question"], 1, 0)))
    handling = np.where(facts["handling_known"], facts["handling"], 99)
    supplier = text(offers, "supplier_id")
    line = offers["offer_order"].to_numpy(dtype=np.int64)
    row = offers["row"].to_numpy(dtype=np.int64)
    order = np.lexsort((line, handling, np.where(costs["complete"], total, np.iinfo(np.int64).max), tier, row))
    order = order[row[order] >= 0]
    first = np.r_[True, row[order][1:] != row[order][:-1]] if len(order) else np.zeros(0, dtype=bool)
    best = order[first]
    chosen = np.full(n, -1, dtype=np.int64)
    chosen[row[best]] = best

    result = _taken(chosen, offers, costs, facts, candidates.index)
    backups, counts = _backups(order, row, supplier, tier, chosen, n)
    result["backup_suppliers"] = pd.Series(backups, index=candidates.index, dtype=candidates["currency"].dtype)
    result["suppliers"] = whole_series(counts, np.ones(n, dtype=bool)).set_axis(candidates.index)
    result["offers_read"] = whole_series(np.bincount(row[row >= 0], minlength=n), np.ones(n, dtype=bool)).set_axis(candidates.index)
    return result


def _costs(offers: pd.DataFrame, candidates: pd.DataFrame, plan: Plan, rates: Rates, digits: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Cost lines of each offer in minor units of its candidate's currency, and which of them could not be known."""
    row = np.maximum(offers["row"].to_numpy(dtype=np.int64), 0)
    target = text(candidates, "currency")[row] if len(candidates) else np.zeros(0, dtype=object)
    own = text(offers, "currency")
    rate, has_rate, age = np.ones(len(offers)), np.ones(len(offers), dtype=bool), np.zeros(len(offers), dtype=np.int64)
    for pair in sorted({(a, b) for a, b in zip(own, target, strict=True) if a != b and a and b}):
        here = (own == pair[0]) & (target == pair[1])
        found = rates.table.get(pair)
        rate[here], age[here], has_rate[here] = (found[0], found[1], True) if found else (0.0, 0, False)
    scale = np.array([10 ** digits.get(currency or "", 2) for currency in target], dtype=np.int64)

    def cents(name: str, times: np.ndarray | int = 1) -> tuple[np.ndarray, np.ndarray]:
        value, known = whole(offers, name)
        same = own == target
        exact = half_up(value * times * scale, _E4)
        converted = np.floor(value * times * rate * scale / _E4 + 0.5 + 1e-9).astype(np.int64)
        return np.where(same, exact, converted), known

    packs, has_packs = whole(offers, "pack_quantity")
    goods, has_goods = cents("unit_cost_e4", np.where(has_packs, packs, 1))
    freight, has_freight = cents("freight_e4")
    stated_duty, has_duty = cents("duty_e4")
    stated_label, has_label = cents("shipping_cost_e4")
    duty, duty_known, duty_assumed = _duty(offers, candidates, row, goods, (stated_duty, has_duty), plan)
    label, label_known, label_assumed, label_heavy = _label(offers, candidates, row, target, (stated_label, has_label), plan, scale)
    return {
        "unit": goods,
        "freight": np.where(has_freight, freight, 0),
        "freight_known": has_freight,
        "duty": np.where(duty_known, duty, 0),
        "landed": goods + np.where(has_freight, freight, 0) + np.where(duty_known, duty, 0),
        "label": np.where(label_known, label, 0),
        "complete": has_goods & has_rate & duty_known & label_known,
        "has_rate": has_rate,
        "duty_known": duty_known,
        "label_known": label_known,
        "is_duty_assumed": duty_assumed,
        "is_label_assumed": label_assumed,
        "is_label_heavy": label_heavy,
        "is_rate_old": age > plan.exchange.rate_age_days_max,
        "is_freight_scope_unknown": freight_scope(offers, plan) == "unknown",
    }


def freight_scope(offers: pd.DataFrame, plan: Plan) -> np.ndarray:
    """How far each offer's freight reaches: the offer's word, else the supplier's, else the plan's."""
    scope = text(offers, "freight_to")
    named = {name: facts.freight_to for name, facts in plan.suppliers.items() if facts.freight_to}
    supplier = text(offers, "supplier_id")
    return np.array([s or named.get(who) or plan.costs.freight_to for s, who in zip(scope, supplier, strict=True)], dtype=object)


def _duty(
    offers: pd.DataFrame,
    candidates: pd.DataFrame,
    row: np.ndarray,
    goods: np.ndarray,
    stated: tuple[np.ndarray, np.ndarray],
    plan: Plan,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    included, included_known = flag(offers, "duty_included")
    named = {name: facts.ship_from for name, facts in plan.suppliers.items() if facts.ship_from}
    origin = np.array(
        [o or named.get(s) for o, s in zip(text(offers, "ship_from"), text(offers, "supplier_id"), strict=True)], dtype=object
    )
    market = text(candidates, "marketplace")[row] if len(candidates) else np.zeros(0, dtype=object)
    free = set(plan.costs.duty_free_origins)
    domestic = np.array(
        [o is None or o.upper() == m or (m == "US" and o.upper() in free) for o, m in zip(origin, market, strict=True)],
        dtype=bool,
    )
    value, known = stated
    amount = np.where(known, value, 0)
    settled = known | (included_known & included) | domestic
    assumed = np.zeros(len(goods), dtype=bool)
    if plan.costs.assumed_duty_share is not None:
        assumed = ~settled
        amount = np.where(assumed, half_up(goods * round(plan.costs.assumed_duty_share * 1e6), 1_000_000), amount)
        settled = settled | assumed
    return np.where(included_known & included & ~known, 0, amount), settled, assumed


def label_assumption(weight: np.ndarray, currency: np.ndarray, plan: Plan, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plan's label cost by weight: (minor units, mask of the known, mask of those too heavy to assume without a look)."""
    cost, known, heavy = (
        np.zeros(len(weight), dtype=np.int64),
        np.zeros(len(weight), dtype=bool),
        np.zeros(len(weight), dtype=bool),
    )
    for code, money in plan.money.items():
        here = currency == code
        with np.errstate(invalid="ignore"):
            major = np.where(np.isnan(weight), money.label_cost_unknown_weight, money.label_cost)
            heavy |= here & (weight > money.label_weight_review_g)
        cost = np.where(here, np.rint(major * scale).astype(np.int64), cost)
        known |= here
    return cost, known, heavy


def _label(
    offers: pd.DataFrame,
    candidates: pd.DataFrame,
    row: np.ndarray,
    currency: np.ndarray,
    stated: tuple[np.ndarray, np.ndarray],
    plan: Plan,
    scale: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    weight = real(candidates, "package_weight_g")[row] if len(candidates) else np.zeros(0)
    assumed_cost, assumed_known, heavy = label_assumption(weight, currency, plan, scale)
    reaches_buyer = freight_scope(offers, plan) == "buyer"
    value, known = stated
    assumed = ~known & ~reaches_buyer
    cost = np.where(known, value, np.where(reaches_buyer, 0, assumed_cost))
    return cost, known | reaches_buyer | assumed_known, assumed & assumed_known, assumed & heavy


def _facts(offers: pd.DataFrame, plan: Plan, as_of: int) -> dict[str, np.ndarray]:
    """Facts of each offer, the plan's word about the supplier filling what the offer leaves open."""
    supplier = text(offers, "supplier_id")
    named = plan.suppliers

    def filled(name: str, attribute: str) -> np.ndarray:
        values = text(offers, name)
        for who, facts in named.items():
            word = getattr(facts, attribute)
            if word is not None:
                values = np.where((supplier == who) & pd.isna(values), word, values)
        return values

    platform = np.array([fold_platform(p) for p in filled("platform", "platform")], dtype=object)
    tracking = filled("has_tracking", "has_tracking")
    handling = filled("handling_days_max", "handling_days_max")
    shortest, shortest_known = whole(offers, "handling_days_min")
    handling_known = ~pd.isna(handling)
    days_max = np.where(handling_known, handling, 0).astype(np.int64)
    days_max = np.where(handling_known & shortest_known, np.maximum(days_max, shortest), days_max)
    valid, has_valid = days(offers, "valid_until")
    quoted, has_quoted = days(offers, "quoted_at")
    stock, has_stock = whole(offers, "stock")
    forbidden = set(plan.rules.forbidden_platforms)
    is_forbidden = np.array([p in forbidden for p in platform], dtype=bool)
    has_no_tracking = np.array([t is False or t == 0 for t in tracking], dtype=bool) & ~pd.isna(tracking)
    return {
        "platform": platform,
        "tracking": tracking,
        "contact": filled("supplier_contact", "contact"),
        "accepts_returns": filled("accepts_returns", "accepts_returns"),
        "handling": days_max,
        "handling_known": handling_known,
        "quote_age": np.where(has_quoted, as_of - quoted, 0),
        "has_quote_age": has_quoted,
        "is_forbidden": is_forbidden,
        "is_slow": handling_known & (days_max > plan.rules.handling_days_max),
        "has_no_tracking": has_no_tracking,
        "is_expired": (has_valid & (valid < as_of)) | (has_stock & (stock <= 0)),
        "has_open_question": pd.isna(platform)
        | pd.isna(tracking)
        | ~handling_known
        | (has_quoted & (as_of - quoted > plan.rules.quote_age_days_max)),
    }


def _backups(
    order: np.ndarray, row: np.ndarray, supplier: np.ndarray, tier: np.ndarray, chosen: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Other allowed suppliers of each candidate, cheapest first, and how many distinct allowed suppliers there are."""
    allowed = order[tier[order] < 3]
    pairs = pd.DataFrame({"row": row[allowed], "supplier": supplier[allowed]}).drop_duplicates()
    counts = np.bincount(pairs["row"].to_numpy(dtype=np.int64), minlength=n)
    taken = np.where(chosen >= 0, supplier[np.maximum(chosen, 0)], None) if len(supplier) else np.full(n, None, dtype=object)
    others = pairs[pairs["supplier"].to_numpy() != taken[pairs["row"].to_numpy(dtype=np.int64)]]
    joined = others.groupby("row", sort=False)["supplier"].agg(" ".join)
    backups = np.full(n, None, dtype=object)
    backups[joined.index.to_numpy(dtype=np.int64)] = joined.to_numpy(dtype=object)
    return backups, counts


def _taken(
    chosen: np.ndarray, offers: pd.DataFrame, costs: Mapping[str, np.ndarray], facts: Mapping[str, np.ndarray], index: pd.Index
) -> pd.DataFrame:
    has = chosen >= 0
    at = np.maximum(chosen, 0)

    def pick(values: np.ndarray, fill: Any) -> np.ndarray:
        return np.where(has, values[at], fill) if len(values) else np.full(len(chosen), fill)

    def cents(name: str, known: str | None = None) -> pd.Series:
        mask = pick(costs["has_rate"], False).astype(bool)
        if known is not None:
            mask &= pick(costs[known], False).astype(bool)
        return whole_series(pick(costs[name], 0), mask)

    def boolean(values: np.ndarray) -> pd.Series:
        return pd.Series(pick(values, False).astype(bool), dtype="boolean")

    string = pd.StringDtype(na_value=float("nan"))
    complete = pick(costs["complete"], False).astype(bool)
    packs, has_packs = whole(offers, "pack_quantity")
    columns = {
        "has_offer": pd.Series(has, dtype="boolean"),
        "supplier_id": pd.Series(pick(text(offers, "supplier_id"), None), dtype=string),
        "offer_title": pd.Series(pick(text(offers, "title"), None), dtype=string),
        "matched_by": pd.Series(pick(text(offers, "matched_by"), None), dtype=string),
        "unit_cost_cents": cents("unit"),
        "freight_cents": cents("freight"),
        "duty_cents": cents("duty", "duty_known"),
        "landed_cost_cents": cents("landed", "duty_known"),
        "shipping_cost_cents": cents("label", "label_known"),
        "is_cost_complete": pd.Series(complete, dtype="boolean"),
        "lacks_rate": boolean(~costs["has_rate"]),
        "lacks_duty": boolean(~costs["duty_known"]),
        "pack_quantity": whole_series(pick(packs, 1), pick(has_packs, False).astype(bool)),
        "platform": pd.Series(pick(facts["platform"], None), dtype=string),
        "supplier_contact": pd.Series(pick(facts["contact"], None), dtype=string),
        "has_tracking": pd.Series(pick(facts["tracking"], None), dtype="boolean"),
        "accepts_returns": pd.Series(pick(facts["accepts_returns"], None), dtype="boolean"),
        "handling_days": whole_series(pick(facts["handling"], 0), pick(facts["handling_known"], False).astype(bool)),
        "quote_age_days": whole_series(pick(facts["quote_age"], 0), pick(facts["has_quote_age"], False).astype(bool)),
        "is_offer_expired": boolean(facts["is_expired"]),
    }
    for name in ("is_label_assumed", "is_label_heavy", "is_duty_assumed", "is_rate_old", "is_freight_scope_unknown"):
        columns[name] = boolean(costs[name])
    return pd.DataFrame(columns).set_index(index)


def with_quotes(frame: pd.DataFrame) -> pd.DataFrame:
    """The chosen offers with the seller's own valid quote (`quoted_cost_cents`) in place of the listed unit cost."""
    quote, quoted = whole(frame, "quoted_cost_cents")
    unit, has_unit = whole(frame, "unit_cost_cents")
    landed, has_landed = whole(frame, "landed_cost_cents")
    quoted = quoted & has_unit
    return frame.assign(
        unit_cost_cents=whole_series(np.where(quoted, quote, unit), has_unit).set_axis(frame.index),
        landed_cost_cents=whole_series(np.where(quoted, landed - unit + quote, landed), has_landed).set_axis(frame.index),
        is_quoted=pd.Series(quoted, index=frame.index, dtype="boolean"),
    )
