"""What a product's price was in the last 90 days, and where it may be in the next 28: as weighted prices ("atoms").

Facts come from the price history (a step function: a price holds until the next row; an empty price is out of stock and no price
at all), else from a summary (average and standard deviation), else from the current price with a wide stated spread. The forecast
is the mixture "stays at today's price / goes back to where it has been / moves as other products do" (`docs/prices.md`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.frames import days, whole, whole_series
from pipeline.plan import Forecast
from pipeline.stages.price_forecast import (
    LEVELS,
    Atoms,
    Changes,
    Mixture,
    change_hazard,
    joined,
    lognormal_atoms,
    normalised,
    quantiles,
    stay_share,
    thinned,
)
from pipeline.stages.price_learning import KERNEL_POINTS, PriceModel, learn_prices
from pipeline.stages.price_steps import remembered

__all__ = ["FACT_DAYS", "LEVELS", "NAMES", "Atoms", "Prices", "learn_from_history", "price_distributions", "quantiles", "stored_kernel"]

FACT_DAYS = 90
NAMES = tuple(f"p{5 * level:02d}" for level in range(1, LEVELS + 1))
_GRID_DAYS = 7  # the price is looked at once a week, so that a row per change and a row per week tell the same hazard
_GRID_POINTS = 26
_TRUST_SHARES = tuple(round(1 - 0.05 * step, 2) for step in range(16))  # 1 ... 0.25
_RANKS_MIN = 400  # fewer prices cannot tell 80 % from 75 %
_GOLDEN = 0.6180339887498949
_GAP_WEEKS_MAX = 4  # over a longer gap out of stock nobody can say how often a price changed


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


def price_distributions(
    candidates: pd.DataFrame, history: pd.DataFrame, as_of: int, plan: Forecast, model: PriceModel | None = None
) -> Prices:
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
    steps = _steps(history, as_of)
    price, known = whole(candidates, "price_cents")
    facts = steps.window(FACT_DAYS)
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
    mixture = _mixture(candidates, today, steps, past, from_history, plan, model or PriceModel())
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


@dataclass(frozen=True)
class _Steps:
    """Price steps up to the as-of day, sorted by (row, start): `cents` (0 = out of stock) holds on [start, end); neighbours differ.

    The last step of a row runs on beyond the as-of day, at which it is cut.
    """

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    cents: np.ndarray
    runs_on: np.ndarray
    as_of: int

    def window(self, length: int) -> Atoms:
        """Days that each price was in force during the last `length` days."""
        lasted = self.end - np.maximum(self.start, self.as_of - length)
        used = (lasted > 0) & (self.cents > 0)
        return Atoms(self.row[used], self.cents[used], lasted[used])


def _steps(history: pd.DataFrame, as_of: int) -> _Steps:
    start, _ = days(history, "date")
    row = history["row"].to_numpy(dtype=np.int64)
    cents, priced = whole(history, "price_cents")
    used = (start <= as_of) & (row >= 0)
    row, start, cents = row[used], start[used], np.where(priced, cents, 0)[used]
    rises = (row[1:] > row[:-1]) | ((row[1:] == row[:-1]) & (start[1:] > start[:-1]))
    if not rises.all():
        order = np.lexsort((start, row))
        row, start, cents = row[order], start[order], cents[order]
    # A price told again is no new step.
    new = np.r_[True, (row[1:] != row[:-1]) | (cents[1:] != cents[:-1])][: len(row)]
    row, start, cents = row[new], start[new], cents[new]
    runs_on = np.r_[row[1:] != row[:-1], True][: len(row)]
    end = np.where(runs_on, as_of, np.r_[start[1:], as_of][: len(row)])
    return _Steps(row, start, end, cents, runs_on, as_of)


def _summary_sigma(candidates: pd.DataFrame, price: np.ndarray, plan: Forecast) -> np.ndarray:
    average, _ = whole(candidates, "avg90_price_cents")
    spread, has_spread = whole(candidates, "sd90_price_cents")
    average = np.maximum(average, 1)
    relative = np.where(has_spread, spread / average, np.maximum(np.abs(1 - average / np.maximum(price, 1)), plan.summary_spread_min))
    return np.sqrt(np.log1p(relative**2))


def _mixture(
    candidates: pd.DataFrame,
    today: np.ndarray,
    steps: _Steps,
    past: tuple[np.ndarray, np.ndarray],
    from_history: np.ndarray,
    plan: Forecast,
    model: PriceModel,
) -> Mixture:
    n = len(today)
    prior = model.hazard if model.hazard is not None else plan.hazard_prior
    seen = weekly_changes(steps, n)
    stay = stay_share(change_hazard(seen, prior, plan.hazard_prior_days), plan.horizon_days)
    if model.stay_share_snapshot is not None:
        stay = np.where(seen.intervals == 0, model.stay_share_snapshot, stay)
    trust = seen.intervals / (seen.intervals + plan.own_history_trust) * (1.0 if model.trust_share is None else model.trust_share)
    # Where it has been: an exponential memory of the days each price was in force.
    weight = np.where(steps.cents > 0, remembered(steps.start, steps.end, steps.as_of, plan.half_life_days), 0.0)
    used = (weight > 0) & from_history[steps.row]
    memory = normalised(steps.row[used], steps.cents[used], weight[used], n)
    trust = np.where(np.bincount(memory.row, minlength=n) > 0, trust, 0.0)
    summary = ~np.isnan(past[1])
    return Mixture(
        today=today,
        stay=np.where(summary, _summary_stay(candidates, today, plan, model), stay) if summary.any() else stay,
        trust=np.where(summary, 1.0, np.where(from_history, trust, 0.0)),
        memory=memory,
        past_log=past[0],
        past_sigma=past[1],
        # The forecast's weighted prices and its exact evaluation look at the same ratios.
        kernel=thinned(np.array(model.kernel) if model.kernel is not None else stored_kernel(plan), LEVELS),
    )


def weekly_changes(steps: _Steps, products: int) -> Changes:
    """Changes between the weekly looks back from the as-of day (26 of them) at which the product was in stock."""
    seen, latest, oldest = _looks(steps)
    row, cents, latest, oldest = steps.row[seen], steps.cents[seen], latest[seen], oldest[seen]
    inside = np.bincount(row, weights=oldest - latest, minlength=products)
    pair = (row[1:] == row[:-1]) & (latest[:-1] - oldest[1:] <= _GAP_WEEKS_MAX)
    owner = row[1:][pair]
    between = np.bincount(owner, minlength=products)
    changes = np.bincount(owner, weights=cents[1:][pair] != cents[:-1][pair], minlength=products)
    return Changes(changes, inside + between, np.full(products, float(_GRID_DAYS)))


def _looks(steps: _Steps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which steps are seen at a weekly look with a price, and their latest and oldest look (0 = the as-of day).

    A step in force on [start, end) is seen at the looks j with start <= as_of - 7 j < end; the one that runs on is seen today too.
    """
    latest = np.where(steps.runs_on, 0, (steps.as_of - steps.end) // _GRID_DAYS + 1)
    oldest = np.minimum((steps.as_of - steps.start) // _GRID_DAYS, _GRID_POINTS - 1)
    return (oldest >= latest) & (steps.cents > 0), latest, oldest


def learn_from_history(history: pd.DataFrame, as_of: int, plan: Forecast) -> PriceModel:
    """What the weekly looks at a price history (`row`, `date`, `price_cents`, as in `price_distributions`) say of products in general."""
    steps = _steps(history, as_of)
    seen, latest, oldest = _looks(steps)
    times = (oldest - latest + 1)[seen]
    row = np.repeat(steps.row[seen], times)
    cents = np.repeat(steps.cents[seen], times)
    first = np.cumsum(times) - times
    look = np.repeat(oldest[seen], times) - (np.arange(len(row)) - np.repeat(first, times))
    model = learn_prices(row, as_of - _GRID_DAYS * look, cents, as_of, plan.horizon_days, plan.flat_tolerance)
    return model.model_copy(update={"trust_share": _trust_share(history, as_of, plan, model)})


def _trust_share(history: pd.DataFrame, as_of: int, plan: Forecast, model: PriceModel) -> float | None:
    """The share of trust in the past at which the 80 % band of a horizon ago held nearest to 80 % of what followed.

    By randomised ranks, since half of the probability often lies on one price; the luck is a sequence without clusters, not dice.
    """
    origin = as_of - plan.horizon_days
    before, after = _steps(history, origin), _steps(history, as_of)
    products = int(after.row[-1]) + 1 if len(after.row) else 0
    today = _price_on(after, products, origin)
    nothing = np.full(products, np.nan)
    told = _mixture(pd.DataFrame(index=range(products)), today, before, (nothing, nothing), today > 0, plan, model)
    owners, truths = [], []
    for ahead in range(_GRID_DAYS, plan.horizon_days + 1, _GRID_DAYS):
        true = _price_on(after, products, origin + ahead)
        owners.append(np.flatnonzero((today > 0) & (true > 0)))
        truths.append(true)
    if sum(len(owner) for owner in owners) < _RANKS_MIN:
        return None

    def gap(share: float) -> float:
        mixture = replace(told, trust=told.trust * share)
        inside = total = 0
        for owner, true in zip(owners, truths, strict=True):
            least, above = mixture.survival(true)[owner], mixture.survival(true + 1)[owner]
            luck = (owner * _GOLDEN) % 1
            inside += int(np.count_nonzero(np.abs(0.5 - least + luck * (least - above)) <= 0.4))
            total += len(owner)
        return abs(inside / total - 0.8)

    return min(_TRUST_SHARES, key=gap)


def _price_on(steps: _Steps, products: int, day: int) -> np.ndarray:
    """The price in force on a day, 0 where there is none."""
    there = (steps.start <= day) & ((steps.end > day) | steps.runs_on)
    price = np.zeros(products, dtype=np.int64)
    price[steps.row[there]] = steps.cents[there]
    return price


def _summary_stay(candidates: pd.DataFrame, price: np.ndarray, plan: Forecast, model: PriceModel) -> np.ndarray:
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
