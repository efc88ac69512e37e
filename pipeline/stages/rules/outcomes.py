"""The outcome of a rule for a column of candidates, and the forms of nearly all rules: at most, at least, yes or no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.tables.columns import Columns
from pipeline.tables.frames import flag, real, text, whole

PASS, WARN, REVIEW, REJECT = 0, 1, 2, 3
SEVERITIES = ("pass", "warn", "review", "reject")


@dataclass(frozen=True)
class Outcome:
    """A rule's answer for n candidates: severity (0 = holds), which were evaluated, and value against limit."""

    severity: np.ndarray
    known: np.ndarray
    observed: np.ndarray
    limit: np.ndarray
    distance: np.ndarray
    detail: np.ndarray | None = None


class Facts:
    """Columns of the candidates as arrays, each turned once; money in major units."""

    def __init__(self, frame: Columns, digits: Mapping[str, int]) -> None:
        self.frame = frame
        self.n = len(frame)
        self._scale = np.array([10.0 ** digits.get(code or "", 2) for code in text(frame, "currency")])

    def real(self, name: str) -> np.ndarray:
        """Float64 with NaN where missing."""
        return real(self.frame, name)

    def money(self, name: str) -> np.ndarray:
        """Major units, NaN where missing."""
        value, known = whole(self.frame, name)
        return np.where(known, value / self._scale, np.nan)

    def flag(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(value, known)."""
        return flag(self.frame, name)

    def text(self, name: str) -> np.ndarray:
        """Objects, None where missing."""
        return text(self.frame, name)

    @property
    def has_offer(self) -> np.ndarray:
        """Was an offer chosen?"""
        return flag(self.frame, "has_offer")[0]


def at_most(value: np.ndarray, limit: np.ndarray | float, severity: int) -> Outcome:
    """Holds while the value is not above the limit (included); NaN is not evaluated."""
    return _bounded(value, limit, severity, lambda v, bound: v - bound)


def at_least(value: np.ndarray, limit: np.ndarray | float, severity: int) -> Outcome:
    """Holds while the value is not below the limit (included); NaN is not evaluated."""
    return _bounded(value, limit, severity, lambda v, bound: bound - v)


def _bounded(
    value: np.ndarray, limit: np.ndarray | float, severity: int, excess: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Outcome:
    bound = np.broadcast_to(np.asarray(limit, dtype=np.float64), value.shape)
    known = ~np.isnan(value) & ~np.isnan(bound)
    with np.errstate(invalid="ignore"):
        over = excess(value, bound)
        fails = known & (over > 1e-12)
    return Outcome(np.where(fails, severity, PASS), known, value, bound, np.where(fails, over, 0.0))


def flagged(fails: np.ndarray, known: np.ndarray, severity: int, detail: np.ndarray | None = None) -> Outcome:
    """A rule without a scale: observed 1 where it fails, limit 0, distance 0."""
    observed = np.where(known, fails.astype(np.float64), np.nan)
    zero = np.zeros(len(fails))
    return Outcome(np.where(fails & known, severity, PASS), known, observed, zero, zero, detail)


def worst(*outcomes: Outcome) -> Outcome:
    """Of several answers to one rule the most severe per candidate; an evaluated one before one that is not."""
    best = outcomes[0]
    for other in outcomes[1:]:
        take = other.known & ((other.severity > best.severity) | ~best.known)
        detail = best.detail
        if detail is not None or other.detail is not None:
            empty = np.full(len(take), None, dtype=object)
            detail = np.where(take, empty if other.detail is None else other.detail, empty if detail is None else detail)
        best = Outcome(
            np.where(take, other.severity, best.severity),
            best.known | other.known,
            np.where(take, other.observed, best.observed),
            np.where(take, other.limit, best.limit),
            np.where(take, other.distance, best.distance),
            detail,
        )
    return best
