"""Prices sampled once a week, so that a row per change and a row per week give the same hazard of a change."""

from __future__ import annotations

import numpy as np

from pipeline.stages.prices.forecast import Changes
from pipeline.stages.prices.steps import PriceSteps

GRID_DAYS = 7
_GRID_POINTS = 26
_GAP_WEEKS_MAX = 4  # over a longer gap out of stock nobody can say how often a price changed


def weekly_changes(steps: PriceSteps, products: int) -> Changes:
    """Changes between the weekly looks back from the as-of day (26 of them) at which the product was in stock."""
    seen, latest, oldest = weekly_samples(steps)
    row, cents, latest, oldest = steps.row[seen], steps.cents[seen], latest[seen], oldest[seen]
    inside = np.bincount(row, weights=oldest - latest, minlength=products)
    pair = (row[1:] == row[:-1]) & (latest[:-1] - oldest[1:] <= _GAP_WEEKS_MAX)
    owner = row[1:][pair]
    between = np.bincount(owner, minlength=products)
    changes = np.bincount(owner, weights=cents[1:][pair] != cents[:-1][pair], minlength=products)
    return Changes(changes, inside + between, np.full(products, float(GRID_DAYS)))


def weekly_samples(steps: PriceSteps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which steps are seen at a weekly look with a price, and their latest and oldest look (0 = the as-of day).

    A step in force on [start, end) is seen at the looks j with start <= as_of - 7 j < end; the one that runs on is seen today too.
    """
    latest = np.where(steps.runs_on, 0, (steps.as_of - steps.until) // GRID_DAYS + 1)
    oldest = np.minimum((steps.as_of - steps.day) // GRID_DAYS, _GRID_POINTS - 1)
    return oldest >= latest, latest, oldest
