"""An absolute, additive score from 0 to 100, and the list that follows from it: a total order, kept diverse.

Each part goes through 1 - exp(-x / x0), not a capped ramp (caps make ties), and depends on its own candidate only, never on the batch.
A part that is not known earns a fixed share of its weight, and `score_coverage` says how much of the score is known. No risk is charged
twice: margin is profit before return loss, returns is the expected loss, stability is the gap from the expected profit to its p10.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.config.plan import ListPlan, ScorePlan
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import real, real_series, text, whole

PARTS = ("margin", "stability", "returns", "supply", "demand")


@stage(
    reads="""
        expected_return_loss_cents handling_days kept_profit_cents late_probability monthly_sold net_profit_expected_cents
        net_profit_p10_cents price_cents price_forecast_p50_cents suppliers
    """,
    adds="score score_coverage score_demand score_margin score_returns score_stability score_supply",
)
def score(frame: Columns, plan: ScorePlan) -> pd.DataFrame:
    """Points of every candidate.

    Parameters
    ----------
    frame : DataFrame, n rows
        `price_forecast_p50_cents`, `kept_profit_cents`, `net_profit_expected_cents`, `net_profit_p10_cents`, `expected_return_loss_cents`,
        `price_cents` (Int64, minor units), `suppliers`, `handling_days`, `late_probability`, `monthly_sold`.
    plan : ScorePlan

    Returns
    -------
    DataFrame, n rows
        `score` (0..100, the exact sum of its parts), `score_margin`, `score_stability`, `score_returns`, `score_supply`,
        `score_demand` (points) and `score_coverage` (share of the weights whose facts are known).
    """
    price, has_price = whole(frame, "price_cents")
    price = np.where(has_price, np.maximum(price, 1), 1)
    median, has_median = whole(frame, "price_forecast_p50_cents")
    kept, has_kept = whole(frame, "kept_profit_cents")
    expected, has_expected = whole(frame, "net_profit_expected_cents")
    low, _ = whole(frame, "net_profit_p10_cents")
    loss, has_loss = whole(frame, "expected_return_loss_cents")
    suppliers, _ = whole(frame, "suppliers")
    handling, has_handling = whole(frame, "handling_days")
    late = real(frame, "late_probability")
    sold, has_sold = whole(frame, "monthly_sold")

    strength = suppliers - np.maximum(handling - 1, 0) - np.nan_to_num(late)
    shares = {
        "margin": (_rising(kept / np.maximum(median, 1), plan.margin_scale), has_kept & has_median),
        "stability": (_falling((expected - low) / price, plan.stability_scale), has_expected),
        "returns": (_falling(loss / price, plan.returns_scale), has_loss),
        "supply": (_rising(strength, plan.supply_scale), has_handling & (suppliers > 0)),
        "demand": (_rising(sold, plan.demand_scale), has_sold),
    }
    columns, total, coverage = {}, np.zeros(len(frame)), np.zeros(len(frame))
    for part in PARTS:
        weight = float(getattr(plan, f"{part}_weight"))
        share, known = shares[part]
        points = np.round(weight * np.where(known, share, plan.missing_share), 6)
        columns[f"score_{part}"] = real_series(points)
        total, coverage = total + points, coverage + np.where(known, weight, 0.0)
    columns = {"score": real_series(np.round(total, 6)), **columns, "score_coverage": real_series(coverage / 100)}
    return pd.DataFrame(columns).set_index(frame.index)


def _rising(x: np.ndarray, scale: float) -> np.ndarray:
    return -np.expm1(-np.maximum(x, 0.0) / scale)


def _falling(x: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-np.maximum(x, 0.0) / scale)


def select(passed: pd.DataFrame, plan: ListPlan, top: int) -> pd.DataFrame:
    """The list: best score first, ties to the smaller (product_id, marketplace), at most so many per parent, supplier and brand.

    Parameters
    ----------
    passed : DataFrame
        Candidates that passed and are not hidden: `marketplace`, `product_id`, `score`, `parent_id`, `supplier_id`, `brand_key`,
        `brand_state`.
    plan : ListPlan
    top : int
        Length of the list.

    Returns
    -------
    DataFrame
        The same rows in the order of the list, with `rank` (1.. for the listed, missing for the others) and `displaced_by` (the
        product that took the last place of its parent, supplier or brand; missing where nothing displaced it).
    """
    ordered = passed.sort_values(["score", "product_id", "marketplace"], ascending=[False, True, True], kind="stable").reset_index(
        drop=True
    )
    limits: Mapping[str, int] = {
        "parent": plan.parent_max,
        "supplier": max(1, int(top * plan.supplier_share_max + 1e-9)),
        "brand": max(1, int(top * plan.brand_share_max + 1e-9)),
    }
    groups = {
        "parent": text(ordered, "parent_id"),
        "supplier": text(ordered, "supplier_id"),
        # Generic and missing brands are not one brand.
        "brand": text(ordered.assign(brand_key=ordered["brand_key"].where(ordered["brand_state"].isin(["known", "unknown"]))), "brand_key"),
    }
    market, product = text(ordered, "marketplace"), text(ordered, "product_id")
    taken: dict[tuple[str, str, str], list[str]] = {}
    rank = np.zeros(len(ordered), dtype=np.int64)
    displaced = np.full(len(ordered), None, dtype=object)
    listed = 0
    for row in range(len(ordered)):
        if listed == top:
            break
        # A parent's variations live in one marketplace; a supplier or a brand is one risk everywhere.
        places = [(kind, market[row] if kind == "parent" else "", value[row]) for kind, value in groups.items() if value[row] is not None]
        full = next((place for place in places if len(taken.get(place, [])) >= limits[place[0]]), None)
        if full is not None:
            displaced[row] = f"{full[0]} {full[2]}: {taken[full][-1]}"
            continue
        for place in places:
            taken.setdefault(place, []).append(product[row])
        listed += 1
        rank[row] = listed
    ordered["rank"] = pd.arrays.IntegerArray(rank, rank == 0)
    ordered["displaced_by"] = pd.Series(displaced, dtype=passed["product_id"].dtype)
    return ordered
