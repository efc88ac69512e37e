"""Price distributions of a product over the last 90 and the next 28 days, as weighted prices ("atoms").

Facts come from the price history (a step function: a price holds until the next row; an empty price is out of stock and no price
at all), else from a summary (average and standard deviation), else from the current price with a wide stated spread. The forecast
is the mixture "stays at today's price / goes back to where it has been / moves as other products do" (`docs/prices.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config.plan import Forecast
from pipeline.stages.prices.forecast import (
    LEVELS,
    Atoms,
    Mixture,
    change_hazard,
    joined,
    lognormal_atoms,
    normalised,
    quantiles,
    stay_share,
    thinned,
)
from pipeline.stages.prices.pooled_moves import KERNEL_POINTS, PriceModel
from pipeline.stages.prices.steps import PriceSteps, remembered, steps_of
from pipeline.stages.prices.weekly_samples import weekly_changes
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import days, whole, whole_series
from pipeline.tables.price_rows import PriceRows, in_order

__all__ = ["FACT_DAYS", "LEVELS", "NAMES", "Atoms", "Prices", "price_distributions", "quantiles", "stored_kernel"]

FACT_DAYS = 90
NAMES = tuple(f"p{5 * level:02d}" for level in range(1, LEVELS + 1))


@dataclass(frozen=True)
class Prices:
    """Prices of n candidates.

    `frame` (n rows): `price_cents`, `gate_price_cents`, `price_p05_cents` ... , `price_forecast_p05_cents` ... (Int64, minor units) and
    `price_evidence` (history, summary, snapshot, or missing). `facts` weighs the last 90 days (in days, or 1 for each of 19
    quantiles), `forecast` the next 28 days (weights of a candidate sum to 1). `mixture` is the forecast itself: `mixture.survival` gives
    the share of the next 28 days at or above any price, exactly; `forecast` is `mixture` as weighted prices.
    """

    frame: pd.DataFrame
    facts: Atoms
    forecast: Atoms
    mixture: Mixture


QUANTILE_COLUMNS = tuple(f"{kind}_{name}_cents" for kind in ("price", "price_forecast") for name in NAMES)


@stage(
    reads="avg30_price_cents avg90_price_cents currency price_cents sd90_price_cents",
    adds=" ".join(("price_cents", "gate_price_cents", "price_evidence", *QUANTILE_COLUMNS)),
)
def price_distributions(candidates: Columns, history: pd.DataFrame, as_of: int, plan: Forecast, model: PriceModel | None = None) -> Prices:
    """Price facts and forecast of every candidate.

    Parameters
    ----------
    candidates : DataFrame, n rows
        Reads `price_cents`, `avg30_price_cents`, `avg90_price_cents`, `avg180_price_cents`, `sd90_price_cents` (Int64, minor units).
    history : DataFrame
        `row` (position of the candidate), `date`, `price_cents` (missing = out of stock from that day); one row per (row, date).
    as_of : int
        Days since 1970-01-01; later rows are not used. A price holds up to this day, the day itself not counted.
    plan : Forecast
    model : PriceModel, optional
        What `shortlist train` learnt of products in general; without it the plan's kernel and shares serve.

    Returns
    -------
    Prices

    Notes
    -----
    A candidate without a current price has no forecast and no gate price: its history says what it was, not that it can be sold today.
    """
    n = len(candidates)
    steps = price_steps(history, as_of)
    price, known = whole(candidates, "price_cents")
    facts = days_held(steps, FACT_DAYS)
    from_history = np.bincount(facts.row, minlength=n) > 0
    average, has_average = whole(candidates, "avg90_price_cents")
    summary = ~from_history & known & has_average
    snapshot = ~from_history & known & ~has_average
    sigma = np.where(summary, _summary_sigma(candidates, price, plan), plan.snapshot_spread)
    centre = np.where(summary, average, price)
    centre_log = np.log(np.maximum(centre, 1)) - np.where(summary, sigma**2 / 2, 0.0)
    facts = joined(facts, lognormal_atoms(np.flatnonzero(summary | snapshot), centre_log, sigma))
    # Without a current price nothing can be sold, so nothing is forecast; its past still stands as facts.
    today = np.where(known, price, 0)
    past = (np.where(summary, centre_log, np.nan), np.where(summary, sigma, np.nan))
    mixture = mixture_of(candidates, steps, Known(today, *past, from_history), plan, model or PriceModel())
    forecast = mixture.atoms()

    fact_values, has_facts = quantiles(facts, n)
    forecast_values, has_forecast = quantiles(forecast, n)
    evidence = np.full(n, None, dtype=object)
    evidence[from_history], evidence[summary], evidence[snapshot] = "history", "summary", "snapshot"
    median = fact_values[:, NAMES.index("p50")]
    columns = {
        "price_cents": whole_series(price, known),
        "gate_price_cents": whole_series(np.where(has_facts, np.minimum(price, median), price), known),
        "price_evidence": pd.Series(evidence, dtype=candidates["currency"].dtype),
    }
    for level, name in enumerate(NAMES):
        columns[f"price_{name}_cents"] = whole_series(fact_values[:, level], has_facts)
    for level, name in enumerate(NAMES):
        columns[f"price_forecast_{name}_cents"] = whole_series(forecast_values[:, level], has_forecast)
    return Prices(pd.DataFrame(columns).set_index(candidates.index), facts, forecast, mixture)


def price_steps(history: pd.DataFrame, as_of: int) -> PriceSteps:
    """A history (`row`, `date`, `price_cents`, see `price_distributions`) as steps whose keys are the rows; a repeated price is no new
    step.
    """
    day, _ = days(history, "date")
    row = history["row"].to_numpy(dtype=np.int64)
    cents, priced = whole(history, "price_cents")
    used = row >= 0
    rows = PriceRows(row[used].astype(np.uint64), day[used].astype(np.int32), np.where(priced, cents, 0)[used].astype(np.int32))
    return steps_of(in_order(rows), as_of).once()


def days_held(steps: PriceSteps, window: int) -> Atoms:
    """Days that each price was in force during the last `window` days."""
    held = steps.days_in_force(window)
    used = held > 0
    return Atoms(steps.row[used], steps.cents[used], held[used])


def _summary_sigma(candidates: Columns, price: np.ndarray, plan: Forecast) -> np.ndarray:
    average, _ = whole(candidates, "avg90_price_cents")
    spread, has_spread = whole(candidates, "sd90_price_cents")
    average = np.maximum(average, 1)
    relative = np.where(has_spread, spread / average, np.maximum(np.abs(1 - average / np.maximum(price, 1)), plan.summary_spread_min))
    return np.sqrt(np.log1p(relative**2))


@dataclass(frozen=True)
class Known:
    """What is known of n candidates beside their steps, in minor units and logs: today's price (0: none), the centre and spread of a
    summary (NaN without one), and whether there is a history.
    """

    today: np.ndarray
    past_log: np.ndarray
    past_sigma: np.ndarray
    from_history: np.ndarray


def mixture_of(candidates: Columns, steps: PriceSteps, known: Known, plan: Forecast, model: PriceModel) -> Mixture:
    """Next prices of n candidates in minor units, as weighted points: today's price, earlier prices, and a spread around it.

    An untrained `model` leaves the plan's values.
    """
    today, from_history = known.today, known.from_history
    n = len(today)
    prior = model.hazard if model.hazard is not None else plan.hazard_prior
    seen = weekly_changes(steps, n)
    stay = stay_share(change_hazard(seen, prior, plan.hazard_prior_days), plan.horizon_days)
    if model.stay_share_snapshot is not None:
        stay = np.where(seen.intervals == 0, model.stay_share_snapshot, stay)
    trust = seen.intervals / (seen.intervals + plan.own_history_trust) * (1.0 if model.trust_share is None else model.trust_share)
    # Where it has been: an exponential memory of the days each price was in force.
    row, weight = steps.row, remembered(steps.day, steps.until, steps.as_of, plan.half_life_days)
    used = (weight > 0) & from_history[row]
    memory = normalised(row[used], steps.cents[used], weight[used], n)
    trust = np.where(np.bincount(memory.row, minlength=n) > 0, trust, 0.0)
    summary = ~np.isnan(known.past_sigma)
    return Mixture(
        today=today,
        stay=np.where(summary, _summary_stay(candidates, today, plan, model), stay) if summary.any() else stay,
        trust=np.where(summary, 1.0, np.where(from_history, trust, 0.0)),
        memory=memory,
        past_log=known.past_log,
        past_sigma=known.past_sigma,
        # The forecast's weighted prices and its exact evaluation look at the same ratios.
        kernel=thinned(np.array(model.kernel) if model.kernel is not None else stored_kernel(plan), LEVELS),
    )


def _summary_stay(candidates: Columns, price: np.ndarray, plan: Forecast, model: PriceModel) -> np.ndarray:
    flat = np.ones(len(price), dtype=bool)
    for name in ("avg30_price_cents", "avg90_price_cents"):
        average, known = whole(candidates, name)
        flat &= ~known | (np.abs(average - price) <= plan.flat_tolerance * np.maximum(price, 1))
    at_flat = model.stay_share_flat if model.stay_share_flat is not None else plan.stay_share_flat
    at_moved = model.stay_share_moved if model.stay_share_moved is not None else plan.stay_share_moved
    return np.where(flat, at_flat, at_moved)


def stored_kernel(plan: Forecast) -> np.ndarray:
    """99 equally likely ratios: the plan's kernel joined by straight lines in log ratio, level beyond both ends."""
    shares, ratios = np.array(plan.kernel).T
    return np.exp(np.interp((np.arange(KERNEL_POINTS) + 0.5) / KERNEL_POINTS, shares, np.log(ratios)))
