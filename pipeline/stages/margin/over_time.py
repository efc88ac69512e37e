"""Shares of time at which the margin held and may hold, and the distribution of profit over price forecast and return posterior."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.costs.fees import FeeTable
from pipeline.stages.margin.order_profit import Target, Terms, cost_lines
from pipeline.stages.margin.solving import PRICE_CEILING
from pipeline.stages.prices.distribution import LEVELS, NAMES, Atoms
from pipeline.stages.returns.quantiles import POSTERIOR_POINTS, rate_points

_ATOMS = 1 << 16  # prices at a time, so that a block's columns stay in the cache
_ROWS = 2048  # candidates at a time: 361 pairs of price and rate each
_EXACT = 1 << 22  # minor units up to which single precision holds a profit to half a minor unit


def held_share(atoms: Atoms, terms: Terms, fees: FeeTable, target: Target, between: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Share of each candidate's weight on prices at which the target holds; NaN for a candidate without prices.

    `between` are, per candidate, the smallest price at which it holds (0: none up to PRICE_CEILING) and one from which on it surely does:
    only prices between the two, and those above the ceiling, are worked out.
    """
    smallest, sure = (bound[atoms.row] for bound in between)
    held = (atoms.cents >= sure) & (smallest > 0)
    open_prices = np.flatnonzero((atoms.cents >= smallest) & ((smallest > 0) | (atoms.cents > PRICE_CEILING)) & ~held)
    for start in range(0, len(open_prices), _ATOMS):
        part = open_prices[start : start + _ATOMS]
        rows, price = atoms.row[part], atoms.cents[part]
        held[part] = target.holds(price, cost_lines(price, terms.take(rows), fees).net, rows)
    return atoms.share(held, len(terms.landed))


def profit_spread(
    forecast: np.ndarray, alpha: np.ndarray, beta_: np.ndarray, terms: Terms, fees: FeeTable
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Profit of an order over 19 prices (n, 19) x 19 return rates, taken as independent; minor units.

    Returns the expected profit, its tenth and ninetieth percentile (of the expected profit of an order, not of a single order), and the
    profit before return loss at the median price. The expectation is exact over the posterior: profit is linear in the rate.
    """
    n = len(alpha)
    expected, low, high, kept_median = (np.zeros(n, dtype=np.int64) for _ in range(4))
    for start in range(0, n, _ROWS):
        part = slice(start, start + _ROWS)
        lines = cost_lines(forecast[part], terms.take(part), fees)
        kept = lines.net + lines.return_loss
        expected[part] = (2 * lines.net.sum(axis=1) + LEVELS) // (2 * LEVELS)
        kept_median[part] = kept[:, NAMES.index("p50")]
        low[part], high[part] = _percentiles(kept, lines.return_cost, rate_points(alpha[part], beta_[part]))
    return expected, low, high, kept_median


def _percentiles(kept: np.ndarray, return_cost: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tenth and ninetieth percentile of kept - rate x return cost over all pairs; rows (n, 19) each.

    Worked out as the way from the profit at the median price, so that a cost which takes the same of every price moves both by that.
    """
    middle = kept[:, kept.shape[1] // 2]
    apart = kept - middle[:, None]
    kind: type[np.floating[Any]] = np.float32 if max(np.abs(apart).max(initial=0), return_cost.max(initial=0)) < _EXACT else np.float64
    grid: np.ndarray = np.multiply(return_cost.astype(kind)[:, :, None], rates.astype(kind)[:, None, :])
    np.subtract(apart.astype(kind)[:, :, None], grid, out=grid)
    pairs = LEVELS * POSTERIOR_POINTS
    ordered = np.sort(grid.reshape(len(kept), pairs), axis=1)
    at = [int(np.ceil(share * pairs)) - 1 for share in (0.10, 0.90)]
    low, high = np.floor(ordered[:, at].astype(np.float64) + 0.5).astype(np.int64).T + middle
    return low, high
