"""The choice of the supplier's offer for each candidate, with its cost when the goods leave for the buyer.

An offer is allowed when no rule would reject it (platform, tracking, handling, still valid). Among the allowed the cheapest whose facts
are all known is taken, then the cheapest with open questions; when none is allowed the best of the others is shown with its reasons.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.plan import Plan
from pipeline.costs.fees import PPM, half_up
from pipeline.stages.offers.costs import Buying, OfferCosts, offer_costs
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import days, flag, text, whole, whole_series

_COST_FLAGS = (
    "is_label_assumed", "is_label_heavy", "is_duty_assumed", "is_duty_unknown", "is_import_vat_assumed", "is_import_vat_unknown",
    "is_rate_old", "is_freight_scope_unknown",
)  # fmt: skip
_REJECTABLE = 3  # tier of offers that a rule would reject


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


@stage(
    reads="currency marketplace package_height_mm package_length_mm package_weight_g package_width_mm price_cents",
    adds="""
        accepts_returns backup_suppliers duty_basis duty_cents freight_cents handling_days has_offer has_tracking import_vat_cents
        is_cost_complete is_duty_assumed is_duty_unknown is_freight_scope_unknown is_import_vat_assumed is_import_vat_unknown
        is_label_assumed is_label_heavy is_offer_expired is_rate_old lacks_duty lacks_freight lacks_rate landed_cost_cents matched_by
        offer_title offers_read pack_quantity platform quote_age_days return_days shipping_cost_cents supplier_contact supplier_currency
        supplier_id suppliers unit_cost_cents
    """,
)
def choose_offers(candidates: Columns, offers: pd.DataFrame, buying: Buying) -> pd.DataFrame:
    """The offer to buy each candidate by, with its cost in the marketplace's currency.

    Parameters
    ----------
    candidates : DataFrame, n rows
        Reads `marketplace`, `product_id`, `currency`, `title`, `package_weight_g`.
    offers : DataFrame
        Matched offers in the columns of `tables.schemas.OFFERS`, and `row` (position of the candidate) and `matched_by`
        (product_id, sku, gtin), and `offer_order` (a total order of the offers by what they say).
    buying : Buying
        The plan, exchange rates in force, decimals, duty-free origins, and the day.

    Returns
    -------
    DataFrame, n rows
        `supplier_id`, `backup_suppliers` (text, one a line), `suppliers` (distinct allowed), `offers_read`, cost lines
        `unit_cost_cents`, `freight_cents`, `duty_cents`, `import_vat_cents`, `landed_cost_cents`, `shipping_cost_cents` (Int64, minor
        units of the marketplace, missing where not known), `duty_basis`, `supplier_currency`, the offer's facts and the flags
        `is_label_assumed`, `is_freight_scope_unknown`, `is_duty_assumed`, `is_duty_unknown`, `is_import_vat_assumed`,
        `is_import_vat_unknown`, `is_rate_old`, `lacks_rate`, `lacks_freight`, `lacks_duty`.
    """
    n = len(candidates)
    costs = offer_costs(offers, candidates, buying)
    facts = _facts(offers, buying.plan, buying.as_of)
    total = costs.landed + costs.label
    rejectable = facts["is_forbidden"] | facts["is_slow"] | facts["has_no_tracking"] | facts["is_expired"]
    open_question = facts["has_open_question"] | costs.is_duty_unknown
    tier = np.where(rejectable, _REJECTABLE, np.where(~costs.is_complete, 2, np.where(open_question, 1, 0)))
    handling = np.where(facts["handling_known"], facts["handling"], 99)
    supplier = text(offers, "supplier_id")
    line = offers["offer_order"].to_numpy(dtype=np.int64)
    row = offers["row"].to_numpy(dtype=np.int64)
    order = np.lexsort((line, handling, np.where(costs.is_complete, total, np.iinfo(np.int64).max), tier, row))
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
    forbidden = {fold_platform(name) for name in plan.rules.forbidden_platforms} - {None}
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
    allowed = order[tier[order] < _REJECTABLE]
    pairs = pd.DataFrame({"row": row[allowed], "supplier": supplier[allowed]}).drop_duplicates()
    counts = np.bincount(pairs["row"].to_numpy(dtype=np.int64), minlength=n)
    taken = np.where(chosen >= 0, supplier[np.maximum(chosen, 0)], None) if len(supplier) else np.full(n, None, dtype=object)
    others = pairs[pairs["supplier"].to_numpy() != taken[pairs["row"].to_numpy(dtype=np.int64)]]
    joined = others.groupby("row", sort=False)["supplier"].agg("\n".join)
    backups = np.full(n, None, dtype=object)
    backups[joined.index.to_numpy(dtype=np.int64)] = joined.to_numpy(dtype=object)
    return backups, counts


def _taken(chosen: np.ndarray, offers: pd.DataFrame, costs: OfferCosts, facts: Mapping[str, np.ndarray], index: pd.Index) -> pd.DataFrame:
    has = chosen >= 0
    at = np.maximum(chosen, 0)

    def pick(values: np.ndarray, fill: Any) -> np.ndarray:
        return np.where(has, values[at], fill) if len(values) else np.full(len(chosen), fill)

    def cents(values: np.ndarray, known: np.ndarray) -> pd.Series:
        return whole_series(pick(values, 0), pick(known & costs.has_rate, False).astype(bool))

    def boolean(values: np.ndarray) -> pd.Series:
        return pd.Series(pick(values, False).astype(bool), dtype="boolean")

    string = pd.StringDtype(na_value=float("nan"))
    packs, has_packs = whole(offers, "pack_quantity")
    columns = {
        "has_offer": pd.Series(has, dtype="boolean"),
        "supplier_id": pd.Series(pick(text(offers, "supplier_id"), None), dtype=string),
        "offer_title": pd.Series(pick(text(offers, "title"), None), dtype=string),
        "matched_by": pd.Series(pick(text(offers, "matched_by"), None), dtype=string),
        "unit_cost_cents": cents(costs.unit, costs.has_rate),
        "freight_cents": cents(costs.freight, costs.has_freight),
        "duty_cents": cents(costs.duty, costs.has_duty),
        "import_vat_cents": cents(costs.import_vat, costs.has_duty),
        "duty_basis": pd.Series(pick(costs.duty_basis, None), dtype=string),
        "supplier_currency": pd.Series(pick(text(offers, "currency"), None), dtype=string),
        "landed_cost_cents": cents(costs.landed, costs.has_freight & costs.has_duty),
        "shipping_cost_cents": cents(costs.label, costs.has_label),
        "is_cost_complete": boolean(costs.is_complete),
        "lacks_rate": boolean(~costs.has_rate),
        "lacks_freight": boolean(~costs.has_freight),
        "lacks_duty": boolean(~costs.has_duty),
        "pack_quantity": whole_series(pick(packs, 1), pick(has_packs, False).astype(bool)),
        "platform": pd.Series(pick(facts["platform"], None), dtype=string),
        "supplier_contact": pd.Series(pick(facts["contact"], None), dtype=string),
        "has_tracking": pd.Series(pick(facts["tracking"], None), dtype="boolean"),
        "accepts_returns": pd.Series(pick(facts["accepts_returns"], None), dtype="boolean"),
        "handling_days": whole_series(pick(facts["handling"], 0), pick(facts["handling_known"], False).astype(bool)),
        "return_days": whole_series(pick(whole(offers, "return_days")[0], 0), pick(whole(offers, "return_days")[1], False).astype(bool)),
        "quote_age_days": whole_series(pick(facts["quote_age"], 0), pick(facts["has_quote_age"], False).astype(bool)),
        "is_offer_expired": boolean(facts["is_expired"]),
    }
    for name in _COST_FLAGS:
        columns[name] = boolean(getattr(costs, name))
    return pd.DataFrame(columns).set_index(index)


@stage(
    reads="""
        duty_cents freight_cents import_vat_cents is_duty_assumed is_import_vat_assumed landed_cost_cents own_quote_age_days
        quote_age_days quoted_cost_cents unit_cost_cents
    """,
    adds="duty_cents import_vat_cents is_quoted landed_cost_cents quote_age_days unit_cost_cents",
)
def quoted_costs(frame: Columns, plan: Plan) -> pd.DataFrame:
    """Costs of the chosen offers with the seller's own valid quote (`quoted_cost_cents`) in place of the listed unit cost.

    What is an assumed share of the cost, duty or VAT at the border, follows the quote.
    """
    quote, quoted = whole(frame, "quoted_cost_cents")
    unit, has_unit = whole(frame, "unit_cost_cents")
    landed, has_landed = whole(frame, "landed_cost_cents")
    freight, (duty, has_duty), (vat, has_vat) = (
        whole(frame, "freight_cents")[0],
        whole(frame, "duty_cents"),
        whole(frame, "import_vat_cents"),
    )
    quoted = quoted & has_unit
    unit = np.where(quoted, quote, unit)
    assumed_duty = half_up(unit * round((plan.costs.assumed_duty_share or 0.0) * PPM), PPM)
    duty = np.where(quoted & flag(frame, "is_duty_assumed")[0], assumed_duty, duty)
    assumed_vat = half_up((unit + freight + duty) * round((plan.costs.assumed_import_vat_share or 0.0) * PPM), PPM)
    vat = np.where(quoted & flag(frame, "is_import_vat_assumed")[0], assumed_vat, vat)
    columns = {
        "unit_cost_cents": whole_series(unit, has_unit),
        "duty_cents": whole_series(duty, has_duty),
        "import_vat_cents": whole_series(vat, has_vat),
        "landed_cost_cents": whole_series(np.where(quoted, unit + freight + duty + vat, landed), has_landed),
        "quote_age_days": frame["own_quote_age_days"].where(quoted, frame["quote_age_days"]).reset_index(drop=True),
        "is_quoted": pd.Series(quoted, dtype="boolean"),
    }
    return pd.DataFrame(columns).set_index(frame.index)
