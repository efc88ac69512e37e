"""The highest unit cost that meets all money rules, in the marketplace's and the supplier's currency: the price to negotiate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.config.plan import Plan
from pipeline.costs.fees import PPM, FeeTable, half_up
from pipeline.stages.margin.order_profit import Terms, cost_lines
from pipeline.stages.offers.costs import Rates, converted
from pipeline.tables.columns import Columns
from pipeline.tables.frames import flag, whole, whole_series

_E4 = 10_000


def max_purchase(ceiling: np.ndarray, solvable: np.ndarray, candidates: Columns, label: np.ndarray, plan: Plan) -> np.ndarray:
    """`ceiling` less label, freight, duty and import VAT: minor units of the marketplace, 0 where nothing is left (n rows).

    Freight and a stated duty are those of the chosen offer (0 without one); an assumed share of duty or VAT moves with the cost that is
    looked for, and the answer is the last minor unit that stays within the ceiling.
    """
    freight, duty, vat = (whole(candidates, f"{name}_cents")[0] for name in ("freight", "duty", "import_vat"))
    duty_ppm = np.where(flag(candidates, "is_duty_assumed")[0], round((plan.costs.assumed_duty_share or 0.0) * PPM), 0)
    vat_ppm = np.where(flag(candidates, "is_import_vat_assumed")[0], round((plan.costs.assumed_import_vat_share or 0.0) * PPM), 0)
    duty, vat = np.where(duty_ppm > 0, 0, duty), np.where(vat_ppm > 0, 0, vat)
    budget = np.where(solvable, ceiling - label, 0)

    def spent(cost: np.ndarray) -> np.ndarray:
        border = duty + half_up(cost * duty_ppm, PPM)
        return cost + freight + border + vat + half_up((cost + freight + border) * vat_ppm, PPM)

    shares = (1 + duty_ppm / PPM) * (1 + vat_ppm / PPM)
    most = np.maximum(np.floor((budget - spent(np.zeros_like(budget))) / shares).astype(np.int64) + 3, 0)
    # Two lines are rounded by half a minor unit each: the guess is at most a few too high.
    while (high := (spent(most) > budget) & (most > 0)).any():
        most -= high
    return most


def in_currency(most: np.ndarray, own: pd.Series, target: pd.Series, rates: Rates, digits: Mapping[str, int]) -> pd.Series:
    """The most that may be paid in another currency: the last of its minor units that, converted, is not above `most` (n rows).

    `own` is the currency to pay in, `target` that of `most`; missing where there is no dated rate.
    """
    codes = pd.factorize(own)[0] * 1000 + pd.factorize(target)[0]
    answer, known = np.zeros(len(most), dtype=np.int64), np.zeros(len(most), dtype=bool)
    for _, first in zip(*np.unique(codes, return_index=True), strict=True):
        here = codes == codes[first]
        pair = own.iloc[first], target.iloc[first]
        found = None if pd.isna(pair[0]) or pd.isna(pair[1]) else rates.find(*pair)
        if found is None:
            continue
        step, scale = _E4 // 10 ** digits[pair[0]], 10 ** digits.get(pair[1], 2)
        paid = np.floor((most[here] + 0.5) / found[0] / scale * 10 ** digits[pair[0]]).astype(np.int64) + 1
        while (high := converted(paid * step, found[0], scale) > most[here]).any():
            paid -= high
        answer[here], known[here] = np.maximum(paid, 0), True
    return whole_series(answer, known)


def sourcing_profit(gate: np.ndarray, share: float, terms: Terms, fees: FeeTable) -> np.ndarray:
    """What an order would earn at the gate price if goods, duty, freight and label cost that share of it (n rows, minor units)."""
    landed = half_up(gate * round(share * PPM), PPM) - terms.label
    return cost_lines(gate, terms.landing_at(landed), fees).net
