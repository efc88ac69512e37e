"""A price history as steps, and its features per product: over the last 90 and 365 days, and as the start of a forecast.

One pass of whole-array work over rows sorted by product and day. Windows count whole days, money is whole minor units: sums are exact,
and quantiles are found by comparing whole numbers. `docs/prices.md` says what each feature means; `tests/` holds the slow twin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.tables.price_rows import PriceRows

MONTHS_3, YEAR = 90, 365
LEVELS = 19  # p05, p10 ... p95


@dataclass(frozen=True)
class PriceSteps:
    """What was in force when, up to the as-of day A: `cents[i]` on the days `day[i]` <= d < `until[i]`.

    Products number 0 .. n-1, each in rows that lie together, their days rising: those of g are `first[g]` .. `first[g + 1]` - 1, `key[g]`
    is its key, and `product` has each row's g. A time out of stock is no row: the step before it ends early. The last price of a product
    that is still in stock `runs_on` beyond A, at which it is cut. All arrays are int64 but `key` (uint64) and `runs_on` (bool).
    """

    key: np.ndarray
    first: np.ndarray
    day: np.ndarray
    until: np.ndarray
    cents: np.ndarray
    product: np.ndarray
    runs_on: np.ndarray
    as_of: int

    @property
    def row(self) -> np.ndarray:
        """Each row's key as int64: where keys are the positions of candidates, its candidate."""
        return self.key.astype(np.int64)[self.product]

    def days_in_force(self, window: int) -> np.ndarray:
        """On how many of the last `window` days each row was in force; the price that held when the window began counts from there."""
        return np.maximum(self.until - np.maximum(self.day, self.as_of - window), 0)

    def per_product(self, values: np.ndarray) -> np.ndarray:
        """Sums over each product's rows."""
        return np.add.reduceat(values, self.first[:-1]) if len(self.key) else values[:0]

    def once(self) -> PriceSteps:
        """The same prices on the same days, where a repeated price is no new step: neighbours without a gap differ."""
        again = (self.product[1:] == self.product[:-1]) & (self.cents[1:] == self.cents[:-1]) & (self.day[1:] == self.until[:-1])
        begins, ends = np.append(True, ~again)[: len(self.day)], np.append(~again, True)[: len(self.day)]
        product = self.product[begins]
        first = np.append(np.flatnonzero(np.diff(product, prepend=-1)), len(product))
        columns = (self.day[begins], self.until[ends], self.cents[begins], product, self.runs_on[ends])
        return PriceSteps(self.key, first, *columns, self.as_of)


def steps_of(rows: PriceRows, as_of: int) -> PriceSteps:
    """Steps out of rows in which every product stands together, its days rising (`tables.schemas.price_rows`); later days are not used."""
    if len(rows) and int(rows.day.max()) > as_of:
        rows = rows.take(rows.day <= as_of)
    n = len(rows)
    is_first = np.ones(n, dtype=bool)
    is_first[1:] = rows.key[1:] != rows.key[:-1]
    runs_on = np.append(is_first[1:], True)[:n]
    day = rows.day.astype(np.int64)
    until = np.full(n, as_of, dtype=np.int64)
    until[:-1] = np.where(is_first[1:], as_of, day[1:])
    cents, key = rows.cents.astype(np.int64), rows.key
    if n and int(cents.min()) == 0:
        priced = cents > 0
        day, until, cents, key, runs_on = day[priced], until[priced], cents[priced], key[priced], runs_on[priced]
        is_first = np.ones(len(key), dtype=bool)
        is_first[1:] = key[1:] != key[:-1]
    starts = np.flatnonzero(is_first)
    return PriceSteps(key[starts], np.append(starts, len(key)), day, until, cents, np.cumsum(is_first) - 1, runs_on, as_of)


@dataclass(frozen=True)
class PriceFeatures:
    """Features of n products, in the order of `PriceSteps`; without a day in force a window's are NaN, and `has_quantiles` is false.

    Attributes
    ----------
    observations, first_day, last_day, last_cents : int64, shape (n,)
        Prices known, the days of the first and the last, and the last price in minor units.
    mean90_cents, mean365_cents : float64, minor units
        Time-weighted means.
    quantiles : int64, shape (n, 19), minor units
        Of 90 days: the smallest price at which 20 x (days at or below it) >= k x (all days), k = 1 .. 19.
    log_deviation90 : float64
        Standard deviation of the log price over 90 days, time-weighted.
    drawdown365 : float64, a fraction
        The deepest fall from an earlier peak among prices in force in the last 365 days.
    changes90, days_since_change : int64
        Changes of price in the last 90 days; days since the last one (since the first price where there is none).
    """

    observations: np.ndarray
    first_day: np.ndarray
    last_day: np.ndarray
    last_cents: np.ndarray
    mean90_cents: np.ndarray
    mean365_cents: np.ndarray
    quantiles: np.ndarray
    has_quantiles: np.ndarray
    log_deviation90: np.ndarray
    drawdown365: np.ndarray
    changes90: np.ndarray
    days_since_change: np.ndarray


def price_features(steps: PriceSteps) -> PriceFeatures:
    """All features of all products of some steps."""
    first, last = steps.first[:-1], steps.first[1:] - 1
    changed = np.ones(len(steps.day), dtype=bool)
    changed[1:] = steps.cents[1:] != steps.cents[:-1]
    changed[first] = True
    recent = _recent(steps)
    is_change = changed & (steps.day > steps.as_of - MONTHS_3)
    is_change[first] = False
    held = steps.days_in_force(YEAR)
    return PriceFeatures(
        observations=np.diff(steps.first),
        first_day=steps.day[first],
        last_day=steps.day[last],
        last_cents=steps.cents[last],
        mean90_cents=recent.mean_cents,
        mean365_cents=_ratio(steps.per_product(held * steps.cents), steps.per_product(held)),
        quantiles=recent.quantiles,
        has_quantiles=recent.days > 0,
        log_deviation90=recent.log_deviation,
        drawdown365=_drawdown(steps, last),
        changes90=steps.per_product(is_change.astype(np.int64)),
        days_since_change=steps.as_of - _per_product_max(np.where(changed, steps.day, 0), first),
    )


def remembered(start: np.ndarray, end: np.ndarray, today: int, half_life_days: float) -> np.ndarray:
    """Weight of a price in force on [start, end): an exponential memory that halves every `half_life_days` back from `today`."""
    decay = np.log(2) / half_life_days
    return np.exp(-decay * (today - end)) - np.exp(-decay * (today - start))


@dataclass(frozen=True)
class _Recent:
    """Of the last 90 days, per product: days with a price, their mean, spread and quantiles."""

    days: np.ndarray
    mean_cents: np.ndarray
    log_deviation: np.ndarray
    quantiles: np.ndarray


def _recent(steps: PriceSteps) -> _Recent:
    """Only rows that were in force within the window are touched, a quarter of a year's."""
    n = len(steps.key)
    at = np.flatnonzero(steps.until > steps.as_of - MONTHS_3)
    day, until, cents = steps.day[at], steps.until[at], steps.cents[at]
    held = until - np.maximum(day, steps.as_of - MONTHS_3)
    used = held > 0  # a price of the as-of day itself has been in force for no day
    product, held, cents = steps.product[at][used], held[used], cents[used]
    is_first = np.ones(len(product), dtype=bool)
    is_first[1:] = product[1:] != product[:-1]
    first = np.flatnonzero(is_first)
    whose = product[first]
    days, mean, deviation = np.zeros(n, np.int64), np.full(n, np.nan), np.full(n, np.nan)
    values = np.zeros((n, LEVELS), np.int64)
    if len(first):
        whole = np.add.reduceat(held, first)
        sizes = np.diff(first, append=len(product))
        logs = np.log(cents)
        centre = np.add.reduceat(held * logs, first) / whole
        logs -= np.repeat(centre, sizes)
        days[whose] = whole
        mean[whose] = np.add.reduceat(held * cents, first) / whole
        deviation[whose] = np.sqrt(np.add.reduceat(held * logs * logs, first) / whole)
        values[whose] = _quantiles(cents, held, sizes, whole)
    return _Recent(days, mean, deviation, values)


def _quantiles(cents: np.ndarray, held: np.ndarray, sizes: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The 19 quantiles of each group of rows.

    Product, price and days (at most 90: seven bits) are one number each, which is sorted itself. Running through a group by price, the
    days so far reach 20 x days / all days levels; each price is repeated for the levels it is the first to reach: 20 values per group.
    """
    packed = (np.repeat(np.arange(len(sizes)), sizes) << 38) | (cents << 7) | held
    packed.sort()
    cents, held = (packed >> 7) & 0x7FFFFFFF, packed & 0x7F
    last = np.cumsum(sizes) - 1
    so_far = np.cumsum(held)
    before = np.repeat(so_far[last] - whole, sizes)
    reached = 20 * (so_far - before) // np.repeat(whole, sizes)
    fresh = np.diff(reached, prepend=0)
    first = last - sizes + 1
    fresh[first] = reached[first]
    return np.repeat(cents, fresh).reshape(-1, 20)[:, :LEVELS]


def _drawdown(steps: PriceSteps, last: np.ndarray) -> np.ndarray:
    counts = steps.until > steps.as_of - YEAR
    counts[last] = True
    shown = np.where(counts, steps.cents, 0)
    # A running maximum that starts anew with each product, since its number stands above the price.
    peak = np.maximum.accumulate((steps.product << 32) | shown) & 0xFFFFFFFF
    fall = np.where(counts, 1 - steps.cents / np.maximum(peak, 1), 0.0)
    return _per_product_max(fall, steps.first[:-1])


def _per_product_max(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(values, first) if len(first) else values[:0]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
