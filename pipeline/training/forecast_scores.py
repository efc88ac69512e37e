"""Scores of a return forecast: log score per order, Brier score, calibration by decile, coverage by randomised ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaln, gammaln

_SMALL = 1e-12


@dataclass(frozen=True)
class ReturnScores:
    """Scores per order, times 10,000 where they are losses; lower is better. `coverage` of central intervals by their level."""

    products: int
    orders: int
    returned: int
    nll_beta_binomial: float
    nll_binomial: float
    brier: float
    mae: float
    decile_error: float
    observed_over_predicted: float


def return_scores(alpha: np.ndarray, beta_: np.ndarray, returned: np.ndarray, orders: np.ndarray) -> ReturnScores:
    """Score Beta(alpha, beta) forecasts of products against what came back; all arrays of shape (n,).

    `nll_beta_binomial` is minus the log predictive without the binomial coefficient, so that it compares with the plain binomial
    loss of the mean (`nll_binomial`); `mae` compares rates product by product, weighted by orders; `decile_error` is the mean gap of
    observed and predicted rate over ten groups of equal orders, by rising prediction.
    """
    total = float(orders.sum())
    rate = np.clip(alpha / (alpha + beta_), _SMALL, 1 - _SMALL)
    rows = calibration(rate, returned, orders)
    gaps = [row["orders"] * abs(row["observed"] - row["predicted"]) for row in rows]
    expected = float((rate * orders).sum())
    return ReturnScores(
        products=len(orders),
        orders=int(total),
        returned=int(returned.sum()),
        nll_beta_binomial=1e4 * beta_binomial_loss(alpha, beta_, returned, orders).sum() / total,
        nll_binomial=1e4 * binomial_loss(rate, returned, orders).sum() / total,
        brier=1e4 * float((returned * (1 - rate) ** 2 + (orders - returned) * rate**2).sum()) / total,
        mae=1e4 * float(np.abs(returned - rate * orders).sum()) / total,
        decile_error=1e4 * sum(gaps) / total,
        observed_over_predicted=float(returned.sum()) / max(expected, _SMALL),
    )


def beta_binomial_loss(alpha: np.ndarray, beta_: np.ndarray, returned: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Minus the log predictive of each product, without the binomial coefficient, shape (n,)."""
    return -(betaln(alpha + returned, beta_ + orders - returned) - betaln(alpha, beta_))


def binomial_loss(rate: np.ndarray, returned: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Log loss of a point rate strictly between 0 and 1, shape (n,)."""
    return -(returned * np.log(rate) + (orders - returned) * np.log1p(-rate))


def calibration(rate: np.ndarray, returned: np.ndarray, orders: np.ndarray, groups: int = 10) -> list[dict[str, float]]:
    """Predicted and observed rate over groups of about equal orders, by rising prediction; a product stands in one group."""
    turn = np.argsort(rate, kind="stable")
    middle = np.cumsum(orders[turn]) - orders[turn] / 2
    group = np.minimum((groups * middle / max(orders.sum(), 1)).astype(np.int64), groups - 1)
    rows = []
    for number in range(groups):
        some = turn[group == number]
        sold = float(orders[some].sum())
        if sold > 0:
            rows.append(
                {
                    "orders": sold,
                    "predicted": float((rate[some] * orders[some]).sum() / sold),
                    "observed": float(returned[some].sum() / sold),
                }
            )
    return rows


def randomised_ranks(alpha: np.ndarray, beta_: np.ndarray, returned: np.ndarray, orders: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """P(K < k) + luck P(K = k) under each beta-binomial: uniform on 0..1 when the forecast is right; shape (n,).

    A discrete interval covers too much when it is not randomised. `luck` is uniform on 0..1, from the caller: a stage throws no dice.
    """
    ranks = np.empty(len(returned))
    for at, (a, b, k, n) in enumerate(zip(alpha, beta_, returned, orders, strict=True)):
        values = np.arange(int(k) + 1)
        logs = gammaln(n + 1) - gammaln(values + 1) - gammaln(n - values + 1) + betaln(values + a, n - values + b) - betaln(a, b)
        chances = np.exp(logs)
        ranks[at] = chances[:-1].sum() + luck[at] * chances[-1]
    return np.clip(ranks, 0.0, 1.0)


def coverage(ranks: np.ndarray, level: float) -> float:
    """Share of ranks inside the central interval of this level."""
    return float(np.mean(np.abs(ranks - 0.5) <= level / 2))


def rate_ranks(alpha: np.ndarray, beta_: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Where known true rates lie in their posteriors, 0..1, shape (n,)."""
    return betainc(alpha, beta_, rate)
