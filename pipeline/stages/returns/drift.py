"""Drift of returns: orders that became mature since a model was fitted, against its expectation, in whole numbers that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipeline.tables.frames import real

KEY = ["marketplace", "product_id"]
PPM = 1_000_000
RETURNED_MIN = 10  # fewer expected returns cannot tell drift from luck
SIGMAS = 3.0
RATIO = 1.25  # and a drift of less than a quarter either way is not worth a warning


def fresh_returns(candidates: pd.DataFrame, sales: pd.DataFrame, since: int, until: int) -> dict[str, int]:
    """Orders of days after `since` and before `until`, how many came back, how many were expected and with what variance (in ppm).

    `candidates` reads `marketplace`, `product_id`, `return_prior_mean`, `return_prior_orders`; `sales` is of `orders.linked_sales`.
    The expectation is that of the prior, since these orders are themselves part of a product's evidence.
    """
    fresh = sales[(sales["day"] > since) & (sales["day"] < until)]
    counted = fresh.groupby(KEY).agg(orders=("came_back", "size"), returned=("came_back", "sum"))
    reported = counted.join(candidates.set_index(KEY)[["return_prior_mean", "return_prior_orders"]], how="inner")
    n, mean, strength = (
        reported["orders"].to_numpy(dtype=np.float64),
        real(reported, "return_prior_mean"),
        real(reported, "return_prior_orders"),
    )
    variance = n * mean * (1 - mean) * (strength + n) / (strength + 1)
    return {
        "orders": int(n.sum()),
        "returned": int(reported["returned"].sum()),
        "expected_ppm": int(np.rint(n * mean * PPM).astype(np.int64).sum()),
        "variance_ppm": int(np.rint(variance * PPM).astype(np.int64).sum()),
    }


def added_up(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums over all buckets."""
    total = Counter[str]()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))


def drift_warning(fresh: Mapping[str, int], to: str, card_ratio: float | None = None) -> str | None:
    """A sentence where recent orders come back clearly more or less often than the model says; `to` is its last day of data."""
    expected, spread = fresh.get("expected_ppm", 0) / PPM, (fresh.get("variance_ppm", 0) / PPM) ** 0.5
    if expected < RETURNED_MIN:
        return None
    ratio = fresh["returned"] / expected
    if abs(fresh["returned"] - expected) <= SIGMAS * spread or 1 / RATIO <= ratio <= RATIO:
        return None
    before = f" (in its own check {card_ratio:.2f} times)" if card_ratio is not None else ""
    return (
        f"return model: of {fresh['orders']:,} orders since {to} {fresh['returned']:,} came back, {ratio:.2f} times what it says{before}; "
        "run `shortlist train` again"
    )
