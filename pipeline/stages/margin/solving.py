"""An order's profit solved backwards, exact to the minor unit: the smallest price for a margin, the highest cost for all money rules.

A price is found by jumps that cannot pass it. Within one step of the fee every line rises with the price or stays, so the profit gains at
most one minor unit per minor unit of price, and over k of them at most k x slope + 5: each of the four rounded lines may give back less
than one, the return loss less than its rate more. What is lacking at a price thus tells how far the answer is at least. Behind a step
the search begins anew; so it holds across cliffs, minimum fees and caps, and for any shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.costs.fees import PPM, FeeTable
from pipeline.stages.margin.order_profit import BILLION, Limits, Lines, Target, Terms, cost_lines

PRICE_CEILING = 2_000_000  # minor units: no price above it is looked for
_GIVEN_BACK = 5  # by roundings, at most; one more where the wanted share of the price is rounded too
_JUMPS = 48  # then the few rows whose profit hardly grows with the price are looked through in blocks
_BLOCK = 512


@dataclass(frozen=True)
class _Step:
    """Orders whose prices lie in one step of their fee, and what is wanted of them."""

    terms: Terms
    fees: FeeTable
    target: Target
    rate_ppm: np.ndarray  # of the step

    def take(self, rows: np.ndarray) -> _Step:
        return _Step(self.terms.take(rows), self.fees, Target(self.target.share_ppm, self.target.least[rows]), self.rate_ppm[rows])

    def lacks(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray, Lines]:
        lines = cost_lines(price, self.terms, self.fees)
        return *self.target.lacks(price, lines.net), lines

    def way(self, price: np.ndarray) -> np.ndarray:
        """How many minor units the answer is above `price` at least; 0 where the target holds, PRICE_CEILING where it never will."""
        share, least, lines = self.lacks(price)
        fee = np.where(lines.referral > self.fees.minimum[self.terms.entry], self.rate_ppm, 0) / PPM
        returned = np.where(lines.return_cost > 0, self.terms.return_ppb / BILLION, 0.0)
        slope = 1 - fee - (self.terms.advertising_ppm + self.terms.payment_ppm) / PPM - returned * (1 - self.rate_ppm / PPM)
        far = np.maximum(_far(least - _GIVEN_BACK, slope), _far(share - _GIVEN_BACK - 1, slope - self.target.share_ppm / PPM))
        short = np.maximum(share, least)
        return np.where(short <= 0, 0, np.maximum(np.maximum(short, 1), far))


def _far(short: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """At least so many steps of `slope` make up for `short`."""
    steep = slope > 1e-9  # below it, rounding of these floats could tell too long a way
    enough = np.floor(short / np.where(steep, slope + 1e-9, 1.0))
    never = slope < -1e-9
    return np.where(short <= 0, 0, np.where(steep, np.minimum(enough, PRICE_CEILING), np.where(never, PRICE_CEILING, 1))).astype(np.int64)


def smallest_price(terms: Terms, fees: FeeTable, target: Target, start: np.ndarray | None = None) -> np.ndarray:
    """The smallest price at which the target holds, for each of n rows; 0 where there is none up to `PRICE_CEILING`.

    `start` may name prices below which the target is known not to hold.
    """
    n = len(terms.landed)
    answer = np.zeros(n, dtype=np.int64)
    begin = np.ones(n, dtype=np.int64) if start is None else np.maximum(start, 1)
    rate = fees.rate[terms.entry]
    rows = np.arange(n)
    for step in range(fees.steps):
        last = step == fees.steps - 1
        bound = np.full(n, PRICE_CEILING) if last else np.minimum(fees.bounds[terms.entry, step], PRICE_CEILING)
        here = rows[begin[rows] <= bound[rows]]
        target_here = Target(target.share_ppm, target.least[here])
        answer[here] = _smallest_in(begin[here], bound[here], _Step(terms.take(here), fees, target_here, rate[here]))
        begin = np.maximum(begin, bound + 1)
        rate = rate if last else rate + fees.rise[terms.entry, step]
        rows = rows[answer[rows] == 0]
    return answer


def _smallest_in(low: np.ndarray, high: np.ndarray, step: _Step) -> np.ndarray:
    """The smallest price of [low, high] at which the target holds, 0 where there is none."""
    answer, at, rows = np.zeros(len(low), dtype=np.int64), low.copy(), np.arange(len(low))
    for _ in range(_JUMPS):
        if not len(rows):
            return answer
        way = step.take(rows).way(at[rows])
        answer[rows[way == 0]] = at[rows[way == 0]]
        at[rows] += way
        rows = rows[(way > 0) & (at[rows] <= high[rows])]
    while len(rows):
        part = step.take(rows)
        block = np.minimum(at[rows, None] + np.arange(_BLOCK), high[rows, None])
        share, least, _ = part.lacks(block)
        holds = np.maximum(share, least) <= 0
        found = holds.any(axis=1)
        answer[rows[found]] = block[found, holds[found].argmax(axis=1)]
        at[rows] = block[:, -1] + np.maximum(part.way(block[:, -1]), 1)
        rows = rows[~found & (at[rows] <= high[rows])]
    return answer


def surely_holds_from(wanted: np.ndarray, terms: Terms, fees: FeeTable, target: Target) -> np.ndarray:
    """A price from which on the target holds at every price, for fees of one step; beyond all prices where there is none (n rows).

    `wanted` is the smallest price at which it holds. From there the profit grows by at least k x slope - 6 over k minor units, and the
    wanted share of the price by at most k x share + 1: so a few minor units above it no rounding can take the margin away.
    """
    fee = fees.rate[terms.entry] / PPM
    returned = terms.return_ppb / BILLION * (1 + fee * fees.refund_share[terms.entry] / PPM)
    slope = 1 - fee - (terms.advertising_ppm + terms.payment_ppm + target.share_ppm) / PPM - returned
    reported = (slope > 0.01) & (fees.bounds[terms.entry, 0] > PRICE_CEILING) & (wanted > 0)
    return np.where(reported, wanted + np.ceil((_GIVEN_BACK + 3) / np.where(reported, slope, 1)).astype(np.int64), np.iinfo(np.int64).max)


def max_landed_cost(price: np.ndarray, terms: Terms, fees: FeeTable, limits: Limits) -> np.ndarray:
    """The most that goods, duty, freight and label may cost together so that every money rule holds at `price` (n rows).

    Each rule only gets harder as the cost grows, and a minor unit of cost takes at most one of profit; so what is lacking is at least how
    far down the answer lies. Zero where not even a free product would do.
    """
    referral = fees.referral(price, terms.entry)
    most = np.minimum(limits.landed_share_ppm * price // PPM, price - referral + (-price * limits.gross_margin_ppm) // PPM)
    rows = np.flatnonzero(most >= 0)
    while len(rows):
        part = terms.take(rows)
        net = cost_lines(price[rows], part.landing_at(most[rows] - part.label), fees).net
        lacking = np.maximum(*limits.target.lacks(price[rows], net, rows))
        most[rows] -= np.maximum(lacking, 0)
        rows = rows[(lacking > 0) & (most[rows] >= 0)]
    return np.maximum(most, 0)
