"""The posterior of the return rate: beta-binomial, with an interval that widens where evidence is thin.

The prior Beta(m n0, (1 - m) n0), configured by category or fitted to the seller's own records (`stages/returns/prior.py`), is moved by
what is known: Keepa's Low or High shifts m, a rate without a count is worth a few pseudo-orders, counted mature orders update it at a
discount. Nothing known leaves the prior, and the row says so (`docs/returns.md`; evidence levels E0 to E4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincc, betaincinv

from pipeline.config.plan import Returns
from pipeline.stages.returns.prior import ReturnModel
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import real, real_series, text, whole, whole_series

CONFIGURED, FITTED = "configured", "fitted"  # where a row's prior comes from


@stage(
    reads="currency return_class return_flag return_rate returned_orders returned_units sold_orders sold_units",
    adds="""
        is_return_excess return_alpha return_beta return_evidence return_orders return_over_limit_probability return_prior
        return_prior_mean return_prior_orders return_rate_high return_rate_low return_rate_mean
    """,
    optional="price_cents title",
)
def return_risk(candidates: Columns, counts: pd.DataFrame, plan: Returns, model: ReturnModel | None = None) -> pd.DataFrame:
    """Posterior return rate of every candidate.

    Parameters
    ----------
    candidates : DataFrame, n rows
        Reads `return_class` (key of the plan's priors), `return_flag` (low, high), `return_rate` (fraction) and, as counts that a tool
        states without dates, `sold_orders`, `returned_orders`, `sold_units`, `returned_units`; with a model `price_cents`, `currency`
        too, and with one that holds title words `title`.
    counts : DataFrame, n rows
        The seller's own records: `mature_orders`, `mature_returned` (orders older than the return window, and how many of them came
        back), `own_sold_orders`, `own_orders_back`, `own_sold_units`, `own_returned_units` (all of them); missing where there are none.
    plan : Returns
    model : ReturnModel, optional
        A fitted prior; without one the plan's priors serve.

    Returns
    -------
    DataFrame, n rows
        `return_alpha`, `return_beta`, `return_rate_mean`, `return_rate_low`, `return_rate_high` (90 % interval),
        `return_over_limit_probability`, `return_orders` (Int64, mature orders behind the rate), `return_evidence` (E0 ... E4),
        `return_prior` (configured, fitted), `return_prior_mean`, `return_prior_orders` (its strength), `is_return_excess` (more returned
        than sold: the window is wrong, the counts are not used).
    """
    mean, strength = _prior(candidates, plan, model)
    level = np.full(len(candidates), "E0", dtype=object)
    flags = text(candidates, "return_flag")
    shifted = mean * np.where(flags == "low", plan.low_factor, np.where(flags == "high", plan.high_factor, 1.0))
    level[(flags == "low") | (flags == "high")] = "E1"
    shifted = np.minimum(shifted, 0.95)
    alpha, beta_ = shifted * strength, (1 - shifted) * strength

    evidence = counted_evidence(candidates, counts)
    sold, returned = evidence.sold, evidence.returned
    level[evidence.is_own], level[~evidence.is_own & (sold > 0)] = "E4", "E3"

    rate = real(candidates, "return_rate")
    stated = ~np.isnan(rate) & (sold == 0)
    level[stated] = "E2"
    alpha = alpha + np.where(stated, np.nan_to_num(rate) * plan.stated_rate_orders, plan.evidence_discount * returned)
    beta_ = beta_ + np.where(stated, (1 - np.nan_to_num(rate)) * plan.stated_rate_orders, plan.evidence_discount * (sold - returned))

    low, high, over = _posterior(alpha, beta_, plan.rate_max)
    string = candidates["currency"].dtype
    columns = {
        "return_alpha": real_series(alpha),
        "return_beta": real_series(beta_),
        "return_rate_mean": real_series(alpha / (alpha + beta_)),
        "return_rate_low": real_series(low),
        "return_rate_high": real_series(high),
        "return_over_limit_probability": real_series(over),
        "return_orders": whole_series(sold, np.ones(len(candidates), dtype=bool)),
        "return_evidence": pd.Series(level, dtype=string),
        "return_prior": pd.Series([FITTED if model is not None else CONFIGURED] * len(candidates), dtype=string),
        "return_prior_mean": real_series(shifted),
        "return_prior_orders": real_series(strength),
        "is_return_excess": pd.Series(evidence.is_excess, dtype="boolean"),
    }
    return pd.DataFrame(columns).set_index(candidates.index)


@dataclass(frozen=True)
class Evidence:
    """Counts that move the prior, one entry a candidate: 0 orders where there are none that can be used."""

    sold: np.ndarray
    returned: np.ndarray
    is_own: np.ndarray
    is_excess: np.ndarray


def counted_evidence(candidates: Columns, counts: pd.DataFrame) -> Evidence:
    """The best counts of each candidate, not their sum: own mature orders, else a tool's orders, else units."""
    own, own_returned, own_excess = _counted(counts, "mature_orders", "mature_returned", "own_sold_orders", "own_orders_back")
    orders, orders_returned, orders_excess = _counted(candidates, "sold_orders", "returned_orders", "sold_orders", "returned_orders")
    units, units_returned, units_excess = _counted(candidates, "sold_units", "returned_units", "sold_units", "returned_units")
    # More units back than ever sold say the same of the window, even where the orders fit.
    own_excess |= _counted(counts, "own_sold_units", "own_returned_units", "own_sold_units", "own_returned_units")[2]
    own, own_returned = np.where(own_excess, 0, own), np.where(own_excess, 0, own_returned)
    use_own = own > 0
    use_orders = ~use_own & (orders > 0)
    use_units = ~use_own & ~use_orders & (units > 0)
    return Evidence(
        sold=np.select([use_own, use_orders, use_units], [own, orders, units], 0),
        returned=np.select([use_own, use_orders, use_units], [own_returned, orders_returned, units_returned], 0),
        is_own=use_own,
        is_excess=own_excess | orders_excess | units_excess,
    )


def _posterior(alpha: np.ndarray, beta_: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of the 90 % interval and P(rate > limit)."""
    pairs, back = _distinct(alpha, beta_)
    a, b = pairs[:, 0], pairs[:, 1]
    return betaincinv(a, b, 0.05)[back], betaincinv(a, b, 0.95)[back], betaincc(a, b, limit)[back]


def _distinct(alpha: np.ndarray, beta_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs of parameters, shape (u, 2), and which is whose; most candidates have no evidence and share theirs."""
    turn = np.lexsort((beta_, alpha))
    pairs = np.column_stack([alpha[turn], beta_[turn]])
    new = np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)][: len(pairs)]
    back = np.empty(len(alpha), dtype=np.int64)
    back[turn] = np.cumsum(new) - 1
    return pairs[new], back


def configured_priors(candidates: Columns, plan: Returns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class (objects, a key of the plan's priors), mean and strength of the configured prior of each candidate."""
    classes = text(candidates, "return_class").copy()
    classes[~np.isin(classes.astype(str), list(plan.priors))] = "other"
    mean, strength = np.zeros(len(candidates)), np.zeros(len(candidates))
    for key, prior in plan.priors.items():
        here = classes == key
        mean[here], strength[here] = prior.mean, prior.orders
    return classes, mean, strength


def _prior(candidates: Columns, plan: Returns, model: ReturnModel | None) -> tuple[np.ndarray, np.ndarray]:
    classes, mean, strength = configured_priors(candidates, plan)
    if model is None:
        return mean, strength
    price, known = whole(candidates, "price_cents")
    mean = model.titled_mean(mean, text(candidates, "title") if model.titles is not None else None)
    return model.prior(mean, classes, model.log_price(np.where(known, price, 0), text(candidates, "currency")))


def _counted(frame: pd.DataFrame, sold: str, returned: str, all_sold: str, all_returned: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts that can be used; more returned than sold means that the window is wrong: the counts are neither clamped nor used, and a
    flag says so.
    """
    n, has_n = whole(frame, sold)
    k, has_k = whole(frame, returned)
    total, has_total = whole(frame, all_sold)
    back, has_back = whole(frame, all_returned)
    excess = (has_total & has_back & (back > total)) | (has_n & has_k & (k > n))
    usable = has_n & has_k & (n > 0) & ~excess
    return np.where(usable, n, 0), np.where(usable, k, 0), excess
