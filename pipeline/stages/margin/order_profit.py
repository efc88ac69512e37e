"""Profit of one order at a price, exact to the minor unit, line by line.

    net profit = price - referral - closing - landed cost - label - advertising - payment - plan fee - expected return loss
    expected return loss = rate x (price - referral + refund fee + return label - goods that come back)

Every line is rounded half up to the minor unit, once; so the lines add up exactly. Derivation: `docs/formulas.md`, after the return
formulae of a merchant-fulfilled order (the referral fee comes back less the refund fee; goods and label are sunk). The profit of an order
is linear in its return rate, so the loss at the posterior's mean is the loss over the whole posterior. Solved backwards in `solving`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from pipeline.costs.fees import PPM, FeeTable, half_up

BILLION = 1_000_000_000


@dataclass(frozen=True)
class Terms:
    """What decides an order's profit beside its price: arrays of n rows, money in minor units, and shares of the plan."""

    landed: np.ndarray  # goods, freight, duty and import VAT
    label: np.ndarray
    plan_fee: np.ndarray  # an order's part of the monthly plan fee
    return_label: np.ndarray
    return_ppb: np.ndarray  # return rate in parts per billion
    goods_back_ppm: np.ndarray  # of the landed cost, when an order comes back
    restocking: np.ndarray  # taken off what comes back
    entry: np.ndarray  # line of the fee table
    advertising_ppm: int
    payment_ppm: int
    returnless_ppm: int  # of returns: refunded while the buyer keeps the goods, so no return label and nothing back

    def take(self, rows: np.ndarray | slice) -> Terms:
        """The terms of these rows."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: value[rows] for name, value in columns.items() if isinstance(value, np.ndarray)})  # type: ignore[arg-type]

    def landing_at(self, landed: np.ndarray) -> Terms:
        """The same orders at another landed cost."""
        return replace(self, landed=landed)

    @property
    def return_fixed(self) -> np.ndarray:
        """What a return costs beside the price and the fee: return label less goods back, where the goods travel at all."""
        back = np.maximum(half_up(self.landed * self.goods_back_ppm, PPM) - self.restocking, 0)
        return half_up((self.return_label - back) * (PPM - self.returnless_ppm), PPM)


@dataclass(frozen=True)
class Lines:
    """Cost lines of an order at a price, and what is left; minor units."""

    referral: np.ndarray
    closing: np.ndarray
    refund_fee: np.ndarray
    advertising: np.ndarray
    payment: np.ndarray
    return_cost: np.ndarray  # what one return costs against a kept order: price - referral + refund fee + return label - goods back
    return_loss: np.ndarray
    net: np.ndarray


def cost_lines(price: np.ndarray, terms: Terms, fees: FeeTable) -> Lines:
    """Every line of one order at `price`: int64, one price per row of the terms (n) or several (n, k)."""
    down = (slice(None), None) if price.ndim > 1 else (slice(None),)
    referral = fees.referral(price, terms.entry)
    refund_fee = fees.refund(referral, terms.entry)
    kept = price - referral
    advertising = half_up(price * terms.advertising_ppm, PPM) if terms.advertising_ppm else np.zeros_like(price)
    payment = half_up(price * terms.payment_ppm, PPM) if terms.payment_ppm else np.zeros_like(price)
    return_cost = kept + refund_fee
    return_cost += terms.return_fixed[down]
    np.maximum(return_cost, 0, out=return_cost)
    return_loss = half_up(return_cost * terms.return_ppb[down], BILLION)
    closing = fees.closing[terms.entry]
    net = kept
    net -= advertising
    net -= return_loss
    if terms.payment_ppm:
        net -= payment
    net -= (closing + terms.landed + terms.label + terms.plan_fee)[down]
    return Lines(referral, np.broadcast_to(closing[down], price.shape), refund_fee, advertising, payment, return_cost, return_loss, net)


@dataclass(frozen=True)
class Target:
    """The margin that a seller wants: a share of the price (ppm) and a least profit per row (minor units), both ends included."""

    share_ppm: int
    least: np.ndarray

    def lacks(self, price: np.ndarray, net: np.ndarray, rows: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """By how many minor units the profit falls short of the share, and of the least; zero or less where it does not."""
        least = self.least[rows]
        return -((-price * self.share_ppm) // PPM) - net, (least[:, None] if price.ndim > 1 else least) - net

    def holds(self, price: np.ndarray, net: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Does the margin hold at these prices?"""
        share, least = self.lacks(price, net, rows)
        return np.maximum(share, least) <= 0


@dataclass(frozen=True)
class Limits:
    """The money rules that a cost must meet; shares in parts per million of the price."""

    landed_share_ppm: int
    gross_margin_ppm: int
    target: Target
