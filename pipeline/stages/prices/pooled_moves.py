"""Pooled price behaviour of all products, for products with little history: hazard, kernel of moves, shares of staying.

Learnt one horizon back: at each origin the last price is known, and what followed within the horizon is looked up.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.stages.prices.forecast import observed_changes

PRODUCTS_MIN = 30  # the kernel of fewer products is worse than a stored one (docs/models.md)
KERNEL_POINTS = 99
_FRESH_DAYS = 28


class PriceModel(BaseModel):
    """What the seller's own price history says of products in general; a part is missing where too little was seen.

    `kernel`: 99 quantiles of price(t + u) / price(t), u up to the horizon, given that the price changed. `stay_share_*`: share of the
    horizon spent at today's price, for a product with one observation, with flat averages, with averages that moved. `hazard`: changes
    a day over all products. `trust_share`: how much of the trust in a product's own past is left, so that true prices lie in the 80 %
    band as often as they should.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kernel: tuple[float, ...] | None = None
    hazard: float | None = None
    stay_share_snapshot: float | None = None
    stay_share_flat: float | None = None
    stay_share_moved: float | None = None
    trust_share: float | None = None


def learn_prices(
    row: np.ndarray, day: np.ndarray, price: np.ndarray, today: int, horizon_days: int, flat_tolerance: float = 0.002
) -> PriceModel:
    """Learn from dated prices (int64 arrays sorted by (row, day), none after `today`): origins lie one and two horizons back."""
    if not len(row):
        return PriceModel()
    products = int(row[-1]) + 1
    seen = observed_changes(row, day, price, products)
    ratios, held, is_flat, owners = [], [], [], []
    for back in (1, 2):
        at = today - back * horizon_days
        ratio, owner, flat = _followed(row, day, price, at, horizon_days, flat_tolerance)
        ratios.append(ratio)
        owners.append(owner)
        is_flat.append(flat)
        held.append(np.abs(ratio - 1) <= 1e-9)
    ratio, owner, flat, same = (np.concatenate(parts) for parts in (ratios, owners, is_flat, held))
    moved = ratio[~same]
    changed, intervals = float(seen.changes.sum()), float(seen.intervals.sum())
    watched = intervals * float((seen.gap_days * seen.intervals).sum() / max(intervals, 1))
    gap = watched / max(intervals, 1)
    watched_enough = np.count_nonzero(seen.intervals) >= PRODUCTS_MIN
    enough = len(np.unique(owner)) >= PRODUCTS_MIN
    has_moves = len(np.unique(owner[~same])) >= PRODUCTS_MIN
    shares = (np.arange(KERNEL_POINTS) + 0.5) / KERNEL_POINTS
    return PriceModel(
        kernel=tuple(float(r) for r in np.quantile(moved, shares)) if has_moves else None,
        hazard=max(float(-np.log1p(-min(changed / intervals, 0.98)) / gap), 1e-5) if watched_enough else None,
        stay_share_snapshot=_mean_share(same, owner) if enough else None,
        stay_share_flat=_mean_share(same[flat], owner[flat]),
        stay_share_moved=_mean_share(same[~flat], owner[~flat]),
    )


def _mean_share(same: np.ndarray, owner: np.ndarray) -> float | None:
    """Mean over products of the share at the old price, or None for too few products."""
    _, place = np.unique(owner, return_inverse=True)
    count = np.bincount(place) if len(place) else np.zeros(0)
    if len(count) < PRODUCTS_MIN:
        return None
    return float(np.mean(np.bincount(place, weights=same) / count))


def _followed(
    row: np.ndarray, day: np.ndarray, price: np.ndarray, origin: int, horizon_days: int, flat_tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios to the last price (not older than 28 days) within the horizon, whose they are, and whether averages before were flat."""
    products = int(row[-1]) + 1
    before = (day <= origin) & (day > origin - _FRESH_DAYS)
    last = np.zeros(products, dtype=np.int64)
    last[row[before]] = price[before]  # sorted by day: the latest is written last
    after = (day > origin) & (day <= origin + horizon_days) & (last[row] > 0)
    ratio, owner = price[after] / last[row[after]], row[after]
    flat = np.ones(products, dtype=bool)
    for length in (30, 90):
        some = (day <= origin) & (day > origin - length)
        count = np.bincount(row[some], minlength=products)
        mean = np.bincount(row[some], weights=price[some], minlength=products) / np.maximum(count, 1)
        flat &= np.abs(mean - last) <= flat_tolerance * last
    return ratio, owner, flat[owner]
