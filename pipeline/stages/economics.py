"""What one order earns at a price, exact to the cent, and the same solved backwards: at which price, at which cost.

    net profit = price - referral - closing - landed cost - label - advertising - payment - expected return loss
    expected return loss = rate x (price - referral + return label + refund fee - goods that come back)

Every line is rounded half up to the minor unit, once; so the lines add up exactly. Derivation: `docs/formulas.md`, after the return
formulae of a merchant-fulfilled order (the referral fee comes back less the refund fee; goods and label are sunk).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.fees import PPM, FeeTable, half_up

_WINDOW = 48  # cents looked through below a bisection's answer: four roundings of half a cent each, over a slope of at least 0.1


@dataclass(frozen=True)
class Terms:
    """What decides an order's profit beside its price; arrays of one shape, money in minor units."""

    landed: np.ndarray
    label: np.ndarray
    return_label: np.ndarray
    return_rate: np.ndarray
    entry: np.ndarray
    advertising_ppm: int
    payment_ppm: int
    returned_goods_ppm: int

    def take(self, rows: np.ndarray) -> Terms:
        """The terms of these rows (any shape)."""
        return Terms(
            *(getattr(self, f.name)[rows] if isinstance(getattr(self, f.name), np.ndarray) else getattr(self, f.name) for f in fields(self))
        )


@dataclass(frozen=True)
class Lines:
    """Cost lines of an order at a price, and what is left; minor units."""

    referral: np.ndarray
    closing: np.ndarray
    refund_fee: np.ndarray
    advertising: np.ndarray
    payment: np.ndarray
    return_cost: np.ndarray  # what one return costs against a kept order: price - referral + return label + refund fee - goods back
    return_loss: np.ndarray
    net: np.ndarray


def cost_lines(price: np.ndarray, terms: Terms, fees: FeeTable) -> Lines:
    """Every line of one order at `price` (int64, the shape of the terms)."""
    referral = fees.referral(price, terms.entry)
    closing = fees.closing[terms.entry]
    refund_fee = fees.refund(referral, terms.entry)
    advertising = half_up(price * terms.advertising_ppm, PPM)
    payment = half_up(price * terms.payment_ppm, PPM)
    goods_back = half_up(terms.landed * terms.returned_goods_ppm, PPM)
    return_cost = np.maximum(price - referral + terms.return_label + refund_fee - goods_back, 0)
    return_loss = np.floor(terms.return_rate * return_cost + 0.5).astype(np.int64)
    net = price - referral - closing - terms.landed - terms.label - advertising - payment - return_loss
    return Lines(referral, closing, refund_fee, advertising, payment, return_cost, return_loss, net)


@dataclass(frozen=True)
class Limits:
    """The money rules that a cost must meet; shares in parts per million, `net_profit` in minor units per row."""

    landed_share_ppm: int
    gross_margin_ppm: int
    net_margin_ppm: int
    net_profit: np.ndarray

    def margin_holds(self, price: np.ndarray, net: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Does the net margin hold at these prices: the share of the price and the least profit, both ends included?"""
        return (net * PPM >= self.net_margin_ppm * price) & (net >= self.net_profit[rows])


def max_landed_cost(price: np.ndarray, terms: Terms, fees: FeeTable, limits: Limits) -> np.ndarray:
    """The most that goods, duty, freight and label may cost together so that every money rule holds at `price`.

    Exact: all rules are monotone in the cost, so bisection over whole minor units finds the last one that meets them all. Zero where not
    even a free product would do. Shape of `price`.
    """
    low = np.full(price.shape, -1, dtype=np.int64)  # meets (or nothing does), and ...
    high = np.maximum(price, 0) + 1  # ... does not
    for _ in range(int(np.max(high, initial=1)).bit_length() + 1):
        middle = (low + high) // 2
        costed = Terms(
            middle - terms.label, terms.label, terms.return_label, terms.return_rate, terms.entry,
            terms.advertising_ppm, terms.payment_ppm, terms.returned_goods_ppm,
        )  # fmt: skip
        lines = cost_lines(price, costed, fees)
        meets = (
            (middle * PPM <= limits.landed_share_ppm * price)
            & ((price - middle - lines.referral) * PPM >= limits.gross_margin_ppm * price)
            & limits.margin_holds(price, lines.net)
        )
        low = np.where(meets, middle, low)
        high = np.where(meets, high, middle)
    return np.maximum(low, 0)


def break_even_price(terms: Terms, fees: FeeTable) -> np.ndarray:
    """The smallest price that really breaks even (net profit >= 0), found inside each step of the fee; shape of the terms.

    Within one step the profit rises with the price but for roundings; so a bisection comes within a few cents and a short window below
    it is looked through cent by cent.
    """
    shape = terms.landed.shape
    answer = np.zeros(shape, dtype=np.int64)
    open_rows = np.arange(shape[0])
    ceiling = 20 * (terms.landed + terms.label + terms.return_label) + 100_000
    below = np.zeros(shape, dtype=np.int64)
    for step in range(fees.bounds.shape[1]):
        if not len(open_rows):
            break
        part = terms.take(open_rows)
        low = below[open_rows] + 1
        high = np.minimum(fees.bounds[part.entry, step], np.maximum(ceiling[open_rows], low + 1))
        found = _smallest_in(low, high, part, fees)
        answer[open_rows] = found
        below[open_rows] = high
        open_rows = open_rows[(found == 0) & (high < ceiling[open_rows])]
    return answer


def _smallest_in(low: np.ndarray, high: np.ndarray, terms: Terms, fees: FeeTable) -> np.ndarray:
    """The smallest price of [low, high] that breaks even, 0 where none does."""
    left, right = low.copy(), high.copy()
    for _ in range(int(np.max(high - low, initial=1)).bit_length() + 1):
        middle = (left + right) // 2
        breaks_even = cost_lines(middle, terms, fees).net >= 0
        right = np.where(breaks_even & (left < right), middle, right)
        left = np.where(~breaks_even & (left < right), middle + 1, left)
    window = right[:, None] - _WINDOW + np.arange(_WINDOW + 1)[None, :]
    window = np.clip(window, low[:, None], high[:, None])
    rows = np.broadcast_to(np.arange(len(low))[:, None], window.shape)
    breaks_even = cost_lines(window, terms.take(rows), fees).net >= 0
    first = breaks_even.argmax(axis=1)
    return np.where(breaks_even.any(axis=1), window[np.arange(len(low)), first], 0)
