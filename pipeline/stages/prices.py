"""What a product's price was in the last 90 days, and where it may be in the next 28: as weighted prices ("atoms").

Facts come from the price history (a step function: a price holds until the next row; an empty price is out of stock and no price
at all), else from a summary (average and standard deviation), else from the current price with a wide stated spread. The forecast
is the mixture "stays at today's price / goes back to where it has been / moves as other products do" (`docs/prices.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from pipeline.frames import days, whole, whole_series
from pipeline.plan import Forecast

FACT_DAYS = 90
LEVELS = 19  # p05, p10 ... p95
NAMES = tuple(f"p{5 * level:02d}" for level in range(1, LEVELS + 1))
_GRID_DAYS = 7  # the price is looked at once a week, so that a row per change and a row per week tell the same hazard
_GRID_POINTS = 26


@dataclass(frozen=True)
class Atoms:
    """Weighted prices: atom i says that candidate `row[i]` has `cents[i]` with `weight[i]`; rows ascend."""

    row: np.ndarray
    cents: np.ndarray
    weight: np.ndarray

    def share(self, held: np.ndarray, candidates: int) -> np.ndarray:
        """Share of each candidate's weight on atoms where `held` is true; NaN for a candidate without atoms."""
        total = np.bincount(self.row, weights=self.weight, minlength=candidates)
        part = np.bincount(self.row, weights=self.weight * held, minlength=candidates)
        with np.errstate(invalid="ignore"):
            return np.where(total > 0, np.minimum(part / total, 1.0), np.nan)


@dataclass(frozen=True)
class Prices:
    """Prices of n candidates.

    `frame` (n rows): `price_cents`, `gate_price_cents`, `price_p05_cents` ... , `price_forecast_p05_cents` ... (Int64, minor units) and
    `price_evidence` (history, summary, snapshot, or missing). `facts` weighs the last 90 days (in days, or 1 for each of 19
    quantiles), `forecast` the next 28 days (weights of a candidate sum to 1).
    """

    frame: pd.DataFrame
    facts: Atoms
    forecast: Atoms


def quantiles(atoms: Atoms, candidates: int) -> tuple[np.ndarray, np.ndarray]:
    """The 19 quantiles of each candidate: the smallest price at which 20 x (weight so far) >= k x (whole weight).

    Returns (int64 of shape (candidates, 19), mask of candidates with atoms). Whole weights are compared exactly.
    """
    order = np.lexsort((atoms.cents, atoms.row))
    row, cents, weight = atoms.row[order], atoms.cents[order], atoms.weight[order]
    values = np.zeros((candidates, LEVELS), dtype=np.int64)
    known = np.zeros(candidates, dtype=bool)
    if not len(row):
        return values, known
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    last = np.r_[first[1:], len(row)] - 1
    so_far = np.cumsum(weight)
    before = np.repeat(np.r_[weight.dtype.type(0), so_far[last[:-1]]], last - first + 1)
    total = np.repeat(so_far[last] - np.r_[weight.dtype.type(0), so_far[last[:-1]]], last - first + 1)
    if weight.dtype.kind == "i":
        upto = (20 * (so_far - before)) // total
    else:
        upto = np.floor(20 * (so_far - before) / total + 1e-9).astype(np.int64)
        upto[last] = 20
    down_from = np.r_[0, upto[:-1]]
    down_from[first] = 0
    spread = np.repeat(cents, upto - down_from).reshape(-1, 20)
    values[row[first]] = spread[:, :LEVELS]
    known[row[first]] = True
    return values, known


def price_distributions(candidates: pd.DataFrame, history: pd.DataFrame, as_of: int, plan: Forecast) -> Prices:
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
    facts = _joined(facts, _lognormal(np.flatnonzero(summary | snapshot), centre_log, sigma))
    # Without a current price nothing can be sold, so nothing is forecast; its past still stands as facts.
    forecast = _forecast(candidates, price, known, steps, (centre_log, sigma), (from_history, summary, snapshot), plan)

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
    return Prices(pd.DataFrame(columns).set_index(candidates.index), facts, forecast)


@dataclass(frozen=True)
class _Steps:
    """Price steps up to the as-of day, sorted by (row, start): `cents` (0 = out of stock) holds on [start, end)."""

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    cents: np.ndarray
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
    order = np.lexsort((start, row))
    row, start, cents = row[order], start[order], cents[order]
    same = np.r_[row[1:] == row[:-1], False] if len(row) else np.zeros(0, dtype=bool)
    end = np.where(same, np.r_[start[1:], 0] if len(row) else start, as_of)
    return _Steps(row, start, end, cents, as_of)


def _summary_sigma(candidates: pd.DataFrame, price: np.ndarray, plan: Forecast) -> np.ndarray:
    average, _ = whole(candidates, "avg90_price_cents")
    spread, has_spread = whole(candidates, "sd90_price_cents")
    average = np.maximum(average, 1)
    relative = np.where(has_spread, spread / average, np.maximum(np.abs(1 - average / np.maximum(price, 1)), plan.summary_spread_min))
    return np.sqrt(np.log1p(relative**2))


def _lognormal(rows: np.ndarray, centre_log: np.ndarray, sigma: np.ndarray) -> Atoms:
    """19 prices of equal weight per row, at the middle quantiles of a lognormal; the tenth is its median."""
    z = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    cents = np.rint(np.exp(centre_log[rows, None] + sigma[rows, None] * z[None, :])).astype(np.int64)
    return Atoms(np.repeat(rows, LEVELS), np.maximum(cents, 1).ravel(), np.ones(len(rows) * LEVELS, dtype=np.int64))


def _joined(*parts: Atoms) -> Atoms:
    row = np.concatenate([part.row for part in parts])
    order = np.argsort(row, kind="stable")
    return Atoms(
        row[order],
        np.concatenate([part.cents for part in parts])[order],
        np.concatenate([part.weight for part in parts])[order],
    )


def _forecast(
    candidates: pd.DataFrame,
    price: np.ndarray,
    known: np.ndarray,
    steps: _Steps,
    lognormal: tuple[np.ndarray, np.ndarray],
    evidence: tuple[np.ndarray, np.ndarray, np.ndarray],
    plan: Forecast,
) -> Atoms:
    n = len(price)
    from_history, summary, snapshot = (kind & known for kind in evidence)
    stay, trust = _stay_and_trust(n, steps, plan)
    stay = np.where(summary, _summary_stay(candidates, price, plan), stay)
    stay = np.where(snapshot, np.mean(np.exp(-plan.hazard_prior * np.arange(1, plan.horizon_days + 1))), stay)
    trust = np.where(from_history, trust, np.where(summary, 1.0, 0.0))

    today = np.flatnonzero(known)
    parts = [Atoms(today, price[today], stay[today])]
    # Where it has been: an exponential memory of the days each price was in force.
    decay = np.log(2) / plan.half_life_days
    remembered = np.exp(-decay * (steps.as_of - steps.end)) - np.exp(-decay * (steps.as_of - steps.start))
    remembered = np.where((steps.cents > 0) & known[steps.row], remembered, 0.0)
    whole_memory = np.bincount(steps.row, weights=remembered, minlength=n)
    trust = np.where(from_history & (whole_memory <= 0), 0.0, trust)
    used = (remembered > 0) & from_history[steps.row]
    row = steps.row[used]
    parts.append(Atoms(row, steps.cents[used], (1 - stay[row]) * trust[row] * remembered[used] / whole_memory[row]))
    # A summary's past is a lognormal around its average.
    past = _lognormal(np.flatnonzero(summary), *lognormal)
    parts.append(Atoms(past.row, past.cents, (1 - stay[past.row]) / LEVELS))
    # As other products do: ratios to today's price, given that it changed.
    doubtful = np.flatnonzero(known & (trust < 1))
    ratios = _kernel_ratios(plan)
    cents = np.maximum(np.rint(price[doubtful, None] * ratios[None, :]).astype(np.int64), 1)
    weight = np.repeat((1 - stay[doubtful]) * (1 - trust[doubtful]) / LEVELS, LEVELS)
    parts.append(Atoms(np.repeat(doubtful, LEVELS), cents.ravel(), weight))
    return _joined(*parts)


def _stay_and_trust(n: int, steps: _Steps, plan: Forecast) -> tuple[np.ndarray, np.ndarray]:
    """Share of the horizon spent at today's price (shrunk weekly change hazard), and the trust in a product's own history."""
    changes, intervals = np.zeros(n), np.zeros(n)
    if len(steps.row):
        lowest = int(steps.start.min())
        key = steps.row * (1 << 24) + (steps.start - lowest)
        later: np.ndarray | None = None
        for back in range(_GRID_POINTS):
            day = steps.as_of - _GRID_DAYS * back
            at = np.searchsorted(key, np.arange(n) * (1 << 24) + (day - lowest), side="right") - 1
            there = (at >= 0) & (steps.row[np.maximum(at, 0)] == np.arange(n)) & (day >= lowest)
            cents = np.where(there, steps.cents[np.maximum(at, 0)], 0)
            if later is not None:
                both = (cents > 0) & (later > 0)
                intervals += both
                changes += both & (cents != later)
            later = np.where(cents > 0, cents, later if later is not None else 0)
    prior = plan.hazard_prior_days / _GRID_DAYS
    expected = prior * -np.expm1(-plan.hazard_prior * _GRID_DAYS)
    changed = np.minimum((changes + expected) / (intervals + prior), 0.98)
    hazard = -np.log1p(-changed) / _GRID_DAYS
    stay = np.exp(-hazard[:, None] * np.arange(1, plan.horizon_days + 1)[None, :]).mean(axis=1)
    return stay, intervals / (intervals + plan.own_history_trust)


def _summary_stay(candidates: pd.DataFrame, price: np.ndarray, plan: Forecast) -> np.ndarray:
    flat = np.ones(len(price), dtype=bool)
    for name in ("avg30_price_cents", "avg90_price_cents"):
        average, known = whole(candidates, name)
        flat &= ~known | (np.abs(average - price) <= plan.flat_tolerance * np.maximum(price, 1))
    return np.where(flat, plan.stay_share_flat, plan.stay_share_moved)


def _kernel_ratios(plan: Forecast) -> np.ndarray:
    """19 ratios of equal weight: the kernel's points joined by straight lines in log ratio, level beyond both ends."""
    shares, ratios = np.array(plan.kernel).T
    return np.exp(np.interp((np.arange(LEVELS) + 0.5) / LEVELS, shares, np.log(ratios)))
