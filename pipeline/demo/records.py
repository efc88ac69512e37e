"""The seller's records in the invented market: order lines, return counts, deliveries, live listings.

Rates behind them are `Products.return_rate` and `Suppliers.late_rate`; a dump shows what had happened by its Sunday.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from pipeline.demo.calendar import HISTORY_DAYS, stream
from pipeline.demo.market import ORDER_LINES, RETURN_COUNTS, SUMMED_COUNTS, Flag, Market, Whole
from pipeline.demo.prices import Steps
from pipeline.demo.trade import Offers, Suppliers

PERIOD_DAYS = 56
MATURE_DAYS = 60  # a period is reported once its last order is this old


@dataclass(frozen=True)
class OrderLines:
    """Sales and lines that are themselves returns, in the order of a dump; -1 = none."""

    week: Whole  # the dump that reports it
    product: Whole
    day: Whole
    order: Whole  # number of the sale
    quantity: Whole
    cents: Whole
    customer: Whole
    is_return: Flag
    is_linked: Flag  # a return line that names its sale
    returned_day: Whole  # a sale that came back before its own dump


@dataclass(frozen=True)
class ReturnCounts:
    """Orders sold and come back, per product and period."""

    week: Whole
    product: Whole
    start: Whole
    end: Whole
    sold: Whole
    returned: Whole
    sold_units: Whole
    returned_units: Whole


@dataclass(frozen=True)
class Deliveries:
    """What suppliers promised and did."""

    week: Whole
    supplier: Whole
    product: Whole  # -1 = not said
    promised: Whole
    shipped: Whole
    delivered: Whole


@dataclass(frozen=True)
class Listed:
    """What the seller sells already."""

    product: Whole
    supplier: Whole
    cents: Whole
    day: Whole


def week_of(market: Market, day: Whole) -> Whole:
    """Which dump is the first to know of a day; `weeks` and above: none."""
    return np.maximum(-(-(day - (HISTORY_DAYS - 1)) // 7), 0)


def _life(market: Market) -> tuple[Whole, Whole]:
    """First and last day on which each product is listed."""
    first, last = market.products.first_week, market.products.last_week
    start = np.where(first == 0, 0, HISTORY_DAYS - 7 + 7 * first)
    return start, HISTORY_DAYS - 1 + 7 * last


def first_day(market: Market) -> Whole:
    """First day on which each product is listed."""
    return _life(market)[0]


def build_orders(market: Market, steps: Steps) -> OrderLines:
    """Order lines of the products that have them: one sale a line, then the returns that a later dump or another file reports."""
    products = market.products
    rng = stream(market.seed, 30)
    start, end = (column[products.evidence == ORDER_LINES] for column in _life(market))
    rows = np.flatnonzero(products.evidence == ORDER_LINES)
    count = rng.poisson(products.own_orders[rows] * (end - start + 1) / HISTORY_DAYS)
    product = np.repeat(rows, count)
    day = np.repeat(start, count) + (rng.random(len(product)) * np.repeat(end - start + 1, count)).astype(np.int64)
    cents = steps.price(product, day)
    kept = cents > 0
    product, day, cents = product[kept], day[kept], cents[kept]
    order = np.lexsort((product, day))
    product, day, cents = product[order], day[order], cents[order]

    n = len(product)
    quantity = 1 + (rng.random(n) < 0.12).astype(np.int64) + (rng.random(n) < 0.03)
    customer = rng.integers(1, 40_000, size=n)
    comes_back = rng.random(n) < products.return_rate[product]
    back = day + 2 + np.minimum(np.exp(2.1 + 0.8 * rng.standard_normal(n)).astype(np.int64), 55)  # median 10 days
    week, back_week = week_of(market, day), week_of(market, back)
    comes_back &= back_week < market.calendar.weeks
    u = rng.random(n)
    in_place = comes_back & (back_week == week) & (u < 0.6)
    apart = np.flatnonzero(comes_back & ~in_place)
    number = np.arange(n) + 1_000

    def both(sale: Whole, of_return: Whole) -> Whole:
        return np.concatenate([sale, of_return])

    lines = OrderLines(
        week=both(week, back_week[apart]),
        product=both(product, product[apart]),
        day=both(day, back[apart]),
        order=both(number, number[apart]),
        quantity=both(quantity, quantity[apart]),
        cents=both(cents, cents[apart]),
        customer=both(customer, customer[apart]),
        is_return=np.arange(n + len(apart)) >= n,
        is_linked=np.concatenate([np.zeros(n, dtype=bool), u[apart] < 0.92]),
        returned_day=both(np.where(in_place, back, -1), np.full(len(apart), -1)),
    )
    turn = np.lexsort((lines.is_return, lines.order, lines.day, lines.week))
    return OrderLines(**{name: column[turn] for name, column in vars(lines).items()})


def build_return_counts(market: Market) -> ReturnCounts:
    """Counts in periods of eight weeks once they are mature; a quarter of the products have one young row over all 26 weeks."""
    products, calendar = market.products, market.calendar
    rows = np.flatnonzero(products.evidence == RETURN_COUNTS)
    whole = stream(market.seed, 31).random(len(rows)) < 0.25
    life_start, life_end = (column[rows] for column in _life(market))
    last = calendar.as_of(calendar.weeks - 1)
    spans = [(0, HISTORY_DAYS - 1, whole, 0)]
    for period in range((last - MATURE_DAYS + 1) // PERIOD_DAYS):
        end = PERIOD_DAYS * (period + 1) - 1
        spans.append((end - PERIOD_DAYS + 1, end, ~whole, int(week_of(market, np.array(end + MATURE_DAYS)))))
    parts = []
    for number, (start, end, which, week) in enumerate(spans):
        rng = stream(market.seed, 32, number)
        here = which & (life_start <= start) & (life_end >= end)
        product = rows[here]
        sold = rng.poisson(products.own_orders[product] * (end - start + 1) / HISTORY_DAYS)
        # A young row misses what is still to come back: about a tenth of the returns of a half-year.
        seen = products.return_rate[product] * (0.9 if end - start + 1 > PERIOD_DAYS else 1.0)
        returned = rng.binomial(sold, seen)
        more, more_back = rng.binomial(sold, 0.13), rng.binomial(returned, 0.13)
        full = np.full(len(product), 1)
        parts.append(
            (
                week * full,
                product,
                start * full,
                end * full,
                sold,
                returned,
                sold + more,
                returned + np.minimum(more, more_back),
            )
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    turn = np.lexsort((columns[2], columns[1], columns[0]))
    turn = turn[columns[4][turn] > 0]  # nothing sold in a period: no row
    return ReturnCounts(*(column[turn] for column in columns))


def summed_counts(market: Market, week: int) -> tuple[Whole, Whole]:
    """Orders sold and returned so far, as a candidates file may carry them; -1 where it does not."""
    products = market.products
    n = len(products)
    rng = stream(market.seed, 33)
    first = np.ceil(products.own_orders * (1 + rng.random(n))).astype(np.int64)
    luck = rng.random(n)  # stays with the product, so both counts only ever grow from week to week
    sold, returned = np.full(n, -1), np.full(n, -1)
    has = np.flatnonzero(products.evidence == SUMMED_COUNTS)
    sold[has] = first[has] + (first[has] * week) // 26
    returned[has] = binom.ppf(luck[has], sold[has], products.return_rate[has]).astype(np.int64)
    return sold, returned


def build_deliveries(market: Market, suppliers: Suppliers, offers: Offers) -> Deliveries:
    """Zero to two hundred deliveries a supplier and half-year, late ones with a heavy tail."""
    rng = stream(market.seed, 34)
    by_supplier = np.argsort(offers.supplier, kind="stable")
    size = np.bincount(offers.supplier, minlength=len(suppliers))
    last = market.calendar.as_of(market.calendar.weeks - 1)
    count = np.where(size > 0, rng.poisson(suppliers.deliveries * (last + 1) / HISTORY_DAYS), 0)
    supplier = np.repeat(np.arange(len(suppliers)), count)
    n = len(supplier)
    offer = (np.cumsum(size) - size)[supplier] + (rng.random(n) * size[supplier]).astype(np.int64)
    handling = np.where(suppliers.handling_days < 0, 3, suppliers.handling_days)[supplier]
    promised = rng.integers(0, last + 1, size=n) + handling
    late = rng.random(n) < suppliers.late_rate[supplier]
    delay = 1 + np.minimum(np.exp(0.6 + 0.9 * rng.standard_normal(n)).astype(np.int64), 40)
    early = (rng.random(n) * (handling + 1)).astype(np.int64)
    shipped = np.where(late, promised + delay, promised - early)
    transit = np.where(suppliers.is_abroad[supplier], rng.integers(7, 17, size=n), rng.integers(2, 7, size=n))
    product = np.where(rng.random(n) < 0.7, offers.product[by_supplier[offer]] if n else 0, -1)
    week = week_of(market, shipped)
    turn = np.lexsort((supplier, shipped))
    turn = turn[week[turn] < market.calendar.weeks]
    columns = (week, supplier, product, promised, shipped, shipped + transit)
    return Deliveries(*(column[turn] for column in columns))


def build_listed(market: Market, offers: Offers) -> Listed:
    """A tenth of the products with records of their own and a supplier are live listings."""
    products = market.products
    rng = stream(market.seed, 35)
    n = len(products)
    first = np.full(n, -1, dtype=np.int64)
    first[offers.product[::-1]] = np.arange(len(offers))[::-1]
    own = np.isin(products.evidence, [ORDER_LINES, RETURN_COUNTS, SUMMED_COUNTS]) & (products.first_week == 0)
    rows = np.flatnonzero(own & (first >= 0) & (rng.random(n) < 0.10))
    cents = np.round(products.base_cents[rows] * rng.uniform(0.95, 1.05, len(rows))).astype(np.int64)
    return Listed(rows, offers.supplier[first[rows]], cents, -rng.integers(10, 300, size=len(rows)))
