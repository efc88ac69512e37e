"""The price forecast: a price stays, returns to an earlier level, or moves as other products do.

Plain arrays in, plain arrays out: how observations came to be is the caller's matter (`stages/prices/distribution.py` takes them from a
step
function, a benchmark from dated observations). Source of the form and its constants: `docs/models.md`. Prices are whole minor units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

LEVELS = 19  # p05, p10 ... p95
_CHANGED_MAX = 0.98  # a product that changed in every interval has still some hold on its price


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
class Changes:
    """How often each product's price changed: `changes` of `intervals` that are `gap_days` long on average; arrays of shape (n,)."""

    changes: np.ndarray
    intervals: np.ndarray
    gap_days: np.ndarray


def observed_changes(row: np.ndarray, day: np.ndarray, price: np.ndarray, products: int, gap_max_days: int = 28) -> Changes:
    """Changes between consecutive observations of a product; a pair further apart than `gap_max_days` says nothing.

    Parameters
    ----------
    row, day, price : int64, shape (m,)
        Sorted by (row, day); only real prices.
    products : int
        Rows lie in 0 .. products - 1.

    Returns
    -------
    Changes
        A product without an interval has the mean gap of all, or 7 days.
    """
    gap = np.diff(day)
    pair = (row[1:] == row[:-1]) & (gap <= gap_max_days)
    owner = row[1:][pair]
    intervals = np.bincount(owner, minlength=products)
    changes = np.bincount(owner, weights=price[1:][pair] != price[:-1][pair], minlength=products)
    span = np.bincount(owner, weights=gap[pair], minlength=products)
    usual = float(gap[pair].mean()) if pair.any() else 7.0
    return Changes(changes, intervals, np.where(intervals > 0, span / np.maximum(intervals, 1), usual))


def change_hazard(seen: Changes, prior_hazard: float, prior_days: float) -> np.ndarray:
    """Changes a day, shape (n,), drawn to `prior_hazard` as by `prior_days` more days of watching.

    Interval-censored: an interval shows whether the price changed, not how often, so the hazard is -ln(1 - share changed) / gap.
    """
    weight = prior_days / seen.gap_days
    expected = weight * -np.expm1(-prior_hazard * seen.gap_days)
    changed = np.minimum((seen.changes + expected) / (seen.intervals + weight), _CHANGED_MAX)
    return -np.log1p(-changed) / seen.gap_days


def stay_share(hazard: np.ndarray, horizon_days: int, step_days: float | np.ndarray = 1.0) -> np.ndarray:
    """Mean chance, over the days ahead (every `step_days`-th up to the horizon), that the price has not changed yet; shape of `hazard`.

    The mean of exp(-hazard u) over u = step, 2 step ... as the sum of a geometric series.
    """
    steps = np.maximum(np.floor(horizon_days / step_days + 1e-9), 1.0)
    one = np.maximum(hazard * step_days, 1e-12)
    return np.exp(-one) * np.expm1(-one * steps) / np.expm1(-one) / steps


@dataclass(frozen=True)
class Mixture:
    """The forecast of n products.

    `today` (int64, 0 = not known: no forecast), `stay` (share of the horizon at today's price), `trust` (in where the price has been).
    Where it has been is `memory` (weights of a product sum to 1) or, where `past_sigma` is not NaN, a lognormal with `past_log` as mean
    of the logarithm. `kernel`: equally likely ratios to today's price, ascending.
    """

    today: np.ndarray
    stay: np.ndarray
    trust: np.ndarray
    memory: Atoms
    past_log: np.ndarray
    past_sigma: np.ndarray
    kernel: np.ndarray

    def survival(self, threshold: np.ndarray) -> np.ndarray:
        """Share of the horizon at a price of at least `threshold` (n,), exact; NaN without a price today."""
        n = len(self.today)
        limit = np.asarray(threshold, dtype=np.float64) * (1 - 1e-9)
        past = np.bincount(self.memory.row, weights=self.memory.weight * (self.memory.cents >= limit[self.memory.row]), minlength=n)
        with np.errstate(divide="ignore", invalid="ignore"):
            lognormal = ndtr((self.past_log - np.log(limit)) / self.past_sigma)
            ratio = limit / self.today
        past = np.where(np.isnan(self.past_sigma), past, lognormal)
        others = 1 - np.searchsorted(self.kernel, ratio, side="left") / len(self.kernel)
        held = self.stay * (self.today >= limit) + (1 - self.stay) * (self.trust * past + (1 - self.trust) * others)
        return np.where(self.today > 0, held, np.nan)

    def atoms(self, points: int = LEVELS) -> Atoms:
        """The mixture as weighted prices; lognormal and kernel as `points` equally likely ones each, at the middle of their shares."""
        priced = self.today > 0
        today = np.flatnonzero(priced)
        parts = [Atoms(today, self.today[today], self.stay[today])]
        memory = self.memory
        moves = (1 - self.stay) * self.trust
        used = priced[memory.row] & (memory.weight > 0) & (moves[memory.row] > 0)
        row = memory.row[used]
        parts.append(Atoms(row, memory.cents[used], moves[row] * memory.weight[used]))
        past = lognormal_atoms(np.flatnonzero(priced & ~np.isnan(self.past_sigma)), self.past_log, self.past_sigma, points)
        parts.append(Atoms(past.row, past.cents, moves[past.row] / points))
        doubtful = np.flatnonzero(priced & (self.trust < 1))
        cents = np.maximum(np.rint(self.today[doubtful, None] * thinned(self.kernel, points)[None, :]).astype(np.int64), 1)
        weight = np.repeat((1 - self.stay[doubtful]) * (1 - self.trust[doubtful]) / points, points)
        parts.append(Atoms(np.repeat(doubtful, points), cents.ravel(), weight))
        return joined(*parts)


def thinned(kernel: np.ndarray, points: int) -> np.ndarray:
    """As many equally likely ratios as asked, joined by straight lines in the logarithm between the middles of their shares."""
    if len(kernel) == points:
        return kernel
    middles = (np.arange(len(kernel)) + 0.5) / len(kernel)
    return np.exp(np.interp((np.arange(points) + 0.5) / points, middles, np.log(kernel)))


def lognormal_atoms(rows: np.ndarray, centre_log: np.ndarray, sigma: np.ndarray, points: int = LEVELS) -> Atoms:
    """Prices of equal weight per row, at the middle quantiles of a lognormal; the middle one is its median."""
    z = ndtri((np.arange(points) + 0.5) / points)
    cents = np.rint(np.exp(centre_log[rows, None] + sigma[rows, None] * z[None, :])).astype(np.int64)
    return Atoms(np.repeat(rows, points), np.maximum(cents, 1).ravel(), np.ones(len(rows) * points, dtype=np.int64))


def normalised(row: np.ndarray, cents: np.ndarray, weight: np.ndarray, products: int) -> Atoms:
    """Weights of each product brought to the sum 1."""
    total = np.bincount(row, weights=weight, minlength=products)
    return Atoms(row, cents, weight / total[row])


def joined(*parts: Atoms) -> Atoms:
    """All atoms, by rising row."""
    row = np.concatenate([part.row for part in parts])
    order = np.argsort(row, kind="stable")
    return Atoms(
        row[order],
        np.concatenate([part.cents for part in parts])[order],
        np.concatenate([part.weight for part in parts])[order],
    )


def _by_row_and_price(atoms: Atoms) -> np.ndarray:
    """The order by (row, cents): one whole key sorts more than ten times as fast as two, as long as it fits."""
    bits = int(atoms.cents.max(initial=0)).bit_length()
    if bits + int(atoms.row.max(initial=0)).bit_length() > 62:
        return np.lexsort((atoms.cents, atoms.row))
    return np.argsort((atoms.row << bits) + atoms.cents, kind="stable")


def quantiles(atoms: Atoms, candidates: int, levels: int = LEVELS) -> tuple[np.ndarray, np.ndarray]:
    """Equally spaced quantiles of each candidate: the smallest price at which (levels + 1) x (weight so far) >= k x (whole weight).

    Returns (int64 of shape (candidates, levels), mask of candidates with atoms). Whole weights are compared exactly.
    """
    parts = levels + 1
    order = _by_row_and_price(atoms)
    row, cents, weight = atoms.row[order], atoms.cents[order], atoms.weight[order]
    values = np.zeros((candidates, levels), dtype=np.int64)
    known = np.zeros(candidates, dtype=bool)
    if not len(row):
        return values, known
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    last = np.r_[first[1:], len(row)] - 1
    so_far = np.cumsum(weight)
    before = np.repeat(np.r_[weight.dtype.type(0), so_far[last[:-1]]], last - first + 1)
    total = np.repeat(so_far[last] - np.r_[weight.dtype.type(0), so_far[last[:-1]]], last - first + 1)
    if weight.dtype.kind == "i":
        upto = (parts * (so_far - before)) // total
    else:
        upto = np.floor(parts * (so_far - before) / total + 1e-9).astype(np.int64)
        upto[last] = parts
    down_from = np.r_[0, upto[:-1]]
    down_from[first] = 0
    spread = np.repeat(cents, upto - down_from).reshape(-1, parts)
    values[row[first]] = spread[:, :levels]
    known[row[first]] = True
    return values, known
