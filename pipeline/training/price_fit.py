"""Fitting the price model: how often prices change, where to, and how much weight a product's own past deserves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.config.plan import Forecast
from pipeline.stages.prices.distribution import Known, mixture_of, price_steps
from pipeline.stages.prices.pooled_moves import PriceModel, learn_prices
from pipeline.stages.prices.steps import PriceSteps
from pipeline.stages.prices.weekly_samples import GRID_DAYS, weekly_samples
from pipeline.tables.columns import Columns

_TRUST_SHARES = tuple(round(1 - 0.05 * step, 2) for step in range(16))  # 1 ... 0.25
_RANKS_MIN = 400  # fewer prices cannot tell 80 % from 75 %
_GOLDEN = 0.6180339887498949


def learn_from_history(history: pd.DataFrame, as_of: int, plan: Forecast) -> PriceModel:
    """What the weekly looks at a price history (`row`, `date`, `price_cents`, as in `price_distributions`) say of products in general."""
    steps = price_steps(history, as_of)
    seen, latest, oldest = weekly_samples(steps)
    times = (oldest - latest + 1)[seen]
    row = np.repeat(steps.row[seen], times)
    cents = np.repeat(steps.cents[seen], times)
    first = np.cumsum(times) - times
    look = np.repeat(oldest[seen], times) - (np.arange(len(row)) - np.repeat(first, times))
    model = learn_prices(row, as_of - GRID_DAYS * look, cents, as_of, plan.horizon_days, plan.flat_tolerance)
    return model.model_copy(update={"trust_share": _trust_share(history, as_of, plan, model)})


def _trust_share(history: pd.DataFrame, as_of: int, plan: Forecast, model: PriceModel) -> float | None:
    """The share of trust in the past at which the 80 % band of a horizon ago held nearest to 80 % of what followed.

    By randomised ranks, since half of the probability often lies on one price; the luck is a sequence without clusters, not dice.
    """
    origin = as_of - plan.horizon_days
    before, after = price_steps(history, origin), price_steps(history, as_of)
    products = int(after.key[-1]) + 1 if len(after.key) else 0
    today = _price_on(after, products, origin)
    nothing = np.full(products, np.nan)
    reported = mixture_of(Columns(pd.DataFrame(index=range(products))), before, Known(today, nothing, nothing, today > 0), plan, model)
    owners, truths = [], []
    for ahead in range(GRID_DAYS, plan.horizon_days + 1, GRID_DAYS):
        true = _price_on(after, products, origin + ahead)
        owners.append(np.flatnonzero((today > 0) & (true > 0)))
        truths.append(true)
    if sum(len(owner) for owner in owners) < _RANKS_MIN:
        return None

    def gap(share: float) -> float:
        mixture = replace(reported, trust=reported.trust * share)
        inside = total = 0
        for owner, true in zip(owners, truths, strict=True):
            least, above = mixture.survival(true)[owner], mixture.survival(true + 1)[owner]
            luck = (owner * _GOLDEN) % 1
            inside += int(np.count_nonzero(np.abs(0.5 - least + luck * (least - above)) <= 0.4))
            total += len(owner)
        return abs(inside / total - 0.8)

    return min(_TRUST_SHARES, key=gap)


def _price_on(steps: PriceSteps, products: int, day: int) -> np.ndarray:
    """The price in force on a day, 0 where there is none."""
    there = (steps.day <= day) & ((steps.until > day) | steps.runs_on)
    price = np.zeros(products, dtype=np.int64)
    price[steps.row[there]] = steps.cents[there]
    return price
