"""The plan's amounts in each candidate's currency, as columns in minor units, and the terms of its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.plan import Plan
from pipeline.costs.fees import PPM, half_up
from pipeline.stages.margin.order_profit import BILLION, Limits, Target, Terms
from pipeline.stages.offers.costs import label_costs
from pipeline.tables.columns import Columns
from pipeline.tables.frames import flag, real, whole


@dataclass(frozen=True)
class MoneyTerms:
    """Per candidate: minor units in a major unit, whether the plan knows the currency, and the plan's amounts in minor units."""

    scale: np.ndarray
    known: np.ndarray
    return_label: np.ndarray
    restocking: np.ndarray
    least_profit: np.ndarray
    plan_fee: np.ndarray
    has_plan_fee: np.ndarray
    fba_inbound: np.ndarray


def money_terms(currency: pd.Series, plan: Plan, digits: Mapping[str, int]) -> MoneyTerms:
    """One look-up for each currency that occurs; n rows."""
    codes, names = pd.factorize(currency)
    held = [plan.money.get(name) for name in names]
    scales = np.array([*(10 ** digits.get(name, 2) for name in names), 100], dtype=np.int64)

    def amounts(name: str) -> np.ndarray:
        major = np.array([*((getattr(money, name) or 0.0) if money else 0.0 for money in held), 0.0])
        return np.rint(major * scales).astype(np.int64)[codes]

    units = plan.costs.plan_fee_units
    has_fee = np.array([*(money is not None and money.plan_fee_month is not None and units is not None for money in held), False])[codes]
    return MoneyTerms(
        scale=scales[codes],
        known=np.array([*(money is not None for money in held), False])[codes],
        return_label=amounts("return_label_cost"),
        restocking=amounts("restocking_fee"),
        least_profit=amounts("net_profit_min"),
        plan_fee=np.where(has_fee, half_up(2 * amounts("plan_fee_month"), 2 * (units or 1)), 0),
        has_plan_fee=has_fee,
        fba_inbound=amounts("fba_inbound_cost"),
    )


def order_terms(
    candidates: Columns, entry: np.ndarray, money: MoneyTerms, plan: Plan, digits: Mapping[str, int]
) -> tuple[Terms, np.ndarray]:
    """The terms of n orders, and which of them have a label (stated, a carrier's or assumed). Rates are those of the posterior's mean."""
    label, has_label = whole(candidates, "shipping_cost_cents")
    assumed, can_assume, _, _ = label_costs(candidates, plan, digits)
    costs = plan.costs
    days, _ = whole(candidates, "return_days")
    refunded = flag(candidates, "accepts_returns")[0] & (days >= costs.supplier_return_days_min)
    share = max(costs.supplier_refund_share, costs.returned_goods_share)
    terms = Terms(
        landed=whole(candidates, "landed_cost_cents")[0],
        label=np.where(has_label, label, assumed),
        plan_fee=money.plan_fee,
        return_label=money.return_label,
        return_ppb=np.rint(np.nan_to_num(real(candidates, "return_rate_mean")) * BILLION).astype(np.int64),
        goods_back_ppm=np.where(refunded, round(share * PPM), round(costs.returned_goods_share * PPM)),
        restocking=money.restocking,
        entry=entry,
        advertising_ppm=round(costs.advertising_share * PPM),
        payment_ppm=round(costs.payment_share * PPM),
        returnless_ppm=round(costs.returnless_share * PPM),
    )
    return terms, has_label | can_assume


def money_limits(money: MoneyTerms, plan: Plan) -> Limits:
    """The plan's money rules as parts per million, and the least profit in minor units."""
    rules = plan.rules
    return Limits(
        round(rules.landed_share_max * PPM),
        round(rules.gross_margin_min * PPM),
        Target(round(rules.net_margin_min * PPM), money.least_profit),
    )
