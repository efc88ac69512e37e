"""The hidden price process of every product, as a step function in cents.

A price is the base price times the exponential of a sum of steps, rounded the way sellers round (24.99, 24.95 or any cent).
Promotions, wars, drift and shifts are steps at a day; a promotion's last step undoes its first. Days without stock are counted
up and down the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.demo.calendar import stream
from pipeline.demo.market import Flag, Market, Real, Whole

PROCESSES = ("stable", "promotions", "war", "drift", "spikes")
_SHARES = (0.46, 0.26, 0.09, 0.13, 0.06)
_CHUNK = 50_000  # products drawn together; part of the market's definition, for each chunk has its own random stream


@dataclass(frozen=True)
class Steps:
    """Step functions of all products, ordered by product and day; a price holds until the next step, 0 cents = out of stock."""

    product: Whole
    day: Whole
    cents: Whole
    process: Whole  # one entry a product
    span: int  # days

    def at(self, products: Whole, day: Whole | int) -> Whole:
        """Position of the step in force; every product has one from day 0 on."""
        return np.searchsorted(self._key(), products * self.span + day, side="right") - 1

    def price(self, products: Whole, day: Whole | int) -> Whole:
        """Cents in force on a day, 0 = out of stock."""
        return self.cents[self.at(products, day)]

    def _key(self) -> Whole:
        return self.product * self.span + self.day

    def of(self, first: int, last: int) -> Steps:
        """The steps of products first to last (last not included), products counted from 0 again."""
        low, high = np.searchsorted(self.product, [first, last])
        some = slice(low, high)
        return Steps(self.product[some] - first, self.day[some], self.cents[some], self.process[first:last], self.span)


@dataclass(frozen=True)
class Window:
    """Time-weighted facts over the days of a window on which there was stock; nothing in stock: NaN."""

    mean_cents: Real
    sd_cents: Real
    out_of_stock_share: Real


def window(steps: Steps, start: Whole, as_of: int, days: int) -> Window:
    """Mean, standard deviation and share of days out of stock over the last `days` days up to and including `as_of`.

    `start` is the first day on which each product was listed; a shorter life shortens the window.
    """
    n = len(steps.process)
    from_day = np.maximum(start, as_of + 1 - days)[steps.product]
    until = np.append(steps.day[1:], 0)
    until[np.append(steps.product[1:] != steps.product[:-1], True)] = steps.span
    held = np.maximum(np.minimum(until, as_of + 1) - np.maximum(steps.day, from_day), 0)
    stocked = np.where(steps.cents > 0, held, 0)

    def total(weight: Whole) -> Whole:
        # Whole numbers below 2**53, so the float sums inside are exact.
        return np.bincount(steps.product, weights=weight, minlength=n).astype(np.int64)

    all_days, in_stock = total(held), total(stocked)
    first, second = total(stocked * steps.cents), total(stocked * steps.cents**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = first / in_stock
        variance = (in_stock * second - first**2) / in_stock.astype(np.float64) ** 2
        return Window(mean, np.sqrt(np.maximum(variance, 0)), 1 - in_stock / all_days)


@dataclass(frozen=True)
class _Events:
    product: Whole
    day: Whole
    step: Real
    gone: Whole  # +1 = stock ends, -1 = stock is back


def _spread(rng: np.random.Generator, rows: Whole, most: int, span: int, rate: float) -> tuple[Whole, Whole]:
    """For each row a random number of days: (rows, days), `rate` of them expected, at most `most`."""
    count = np.minimum(rng.poisson(rate, len(rows)), most)
    repeated = np.repeat(rows, count)
    return repeated, rng.integers(1, span, size=len(repeated))


def _pair(rows: Whole, start: Whole, length: Whole, step: Real, span: int) -> _Events:
    """A step that is undone after some days (never, when that is after the end)."""
    end = start + length
    inside = end < span
    return _Events(
        np.concatenate([rows, rows[inside]]),
        np.concatenate([start, end[inside]]),
        np.concatenate([step, -step[inside]]),
        np.zeros(len(rows) + int(inside.sum()), dtype=np.int64),
    )


def _once(rows: Whole, day: Whole, step: Real, span: int) -> _Events:
    inside = (day > 0) & (day < span)
    return _Events(rows[inside], day[inside], step[inside], np.zeros(int(inside.sum()), dtype=np.int64))


def _promotions(rng: np.random.Generator, rows: Whole, span: int) -> _Events:
    """About one in seven weeks, 3 to 14 days, 8 to 30 % off."""
    rows, start = _spread(rng, rows, span // 14, span, span / 50)
    return _pair(rows, start, rng.integers(3, 15, size=len(rows)), np.log1p(-rng.uniform(0.08, 0.30, len(rows))), span)


def _wars(rng: np.random.Generator, rows: Whole, span: int) -> list[_Events]:
    """Cuts of 2 to 5 % every few days down to a floor; two wars in three end with the old price."""
    cuts = 12
    start = rng.integers(1, span, size=len(rows))
    day = start[:, None] + np.cumsum(rng.integers(1, 5, size=(len(rows), cuts)), axis=1)
    fought = np.arange(cuts) < rng.integers(5, cuts + 1, size=len(rows))[:, None]
    step = np.where(fought, np.log1p(-rng.uniform(0.02, 0.05, size=day.shape)), 0.0)
    peace = day[:, -1] + rng.integers(5, 30, size=len(rows))
    ends = rng.random(len(rows)) < 0.67
    back = _once(rows[ends], peace[ends], -step.sum(axis=1)[ends], span)
    return [_once(np.repeat(rows, cuts)[fought.ravel()], day[fought], step[fought], span), back]


def _drift(rng: np.random.Generator, rows: Whole, span: int) -> _Events:
    """A small step every one to four weeks, with a direction of its own."""
    period = rng.integers(7, 29, size=len(rows))
    ticks = np.arange(1, span // 7 + 1)
    day = ticks * period[:, None] + rng.integers(-2, 3, size=(len(rows), len(ticks)))
    direction = 0.012 * rng.standard_normal(len(rows))
    step = direction[:, None] + 0.022 * rng.standard_normal(day.shape)
    return _once(np.repeat(rows, len(ticks)), day.ravel(), step.ravel(), span)


def _stock(rng: np.random.Generator, n: int, spiking: Flag, span: int) -> list[_Events]:
    """Gaps without stock for one product in five, long ones for 3 %; a few come back dearer for one to three weeks."""
    chronic = rng.random(n) < 0.03
    rows, start = _spread(rng, np.flatnonzero((rng.random(n) < 0.15) | chronic | spiking), 12, span, span / 110)
    length = np.where(chronic[rows], rng.integers(25, 70, size=len(rows)), rng.integers(2, 20, size=len(rows)))
    end = start + length
    inside = end < span
    gone = np.concatenate([np.ones(len(rows), dtype=np.int64), np.full(int(inside.sum()), -1)])
    gaps = _Events(np.concatenate([rows, rows[inside]]), np.concatenate([start, end[inside]]), np.zeros(len(gone)), gone)
    dear = spiking[rows] & inside
    up = np.log1p(rng.uniform(0.2, 0.6, len(rows)))
    spikes = _pair(rows[dear], end[dear], rng.integers(6, 22, size=int(dear.sum())), up[dear], span)
    return [gaps, spikes]


def _rounded(cents: Real, base: Whole) -> Whole:
    """Sellers keep their ending: a base of 24.99 moves to 22.99, one of 24.37 to any cent."""
    ending = base % 100
    dollars = np.round((cents - ending) / 100) * 100 + ending
    return np.maximum(np.where((ending == 99) | (ending == 95), dollars, np.round(cents)), 199).astype(np.int64)


def _chunk(rng: np.random.Generator, base: Whole, process: Whole, span: int) -> tuple[Whole, Whole, Whole]:
    n = len(base)
    of = [np.flatnonzero(process == number) for number in range(len(PROCESSES))]
    shifted, when = _spread(rng, of[0], 3, span, span / 300)
    events = [
        _Events(np.arange(n), np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n, dtype=np.int64)),
        _once(shifted, when, rng.uniform(-0.12, 0.12, len(shifted)), span),
        _promotions(rng, of[1], span),
        *_wars(rng, of[2], span),
        _drift(rng, of[3], span),
        *_stock(rng, n, process == PROCESSES.index("spikes"), span),
    ]
    key = np.concatenate([e.product * span + e.day for e in events])
    order = np.argsort(key, kind="stable")
    key = key[order]
    step = np.cumsum(np.concatenate([e.step for e in events])[order])
    gone = np.cumsum(np.concatenate([e.gone for e in events])[order])
    product = key // span
    first = np.searchsorted(product, np.arange(n))
    # Sums run on over all products: take off what stood before each one's first event (which is zero itself).
    step, gone = step - step[first][product], gone - gone[first][product]
    cents = np.where(gone > 0, 0, _rounded(base[product] * np.exp(step), base[product]))
    last = np.append(key[1:] != key[:-1], True)  # several events on a day: their sum counts
    key, cents, product = key[last], cents[last], product[last]
    changed = np.append(True, (cents[1:] != cents[:-1]) | (product[1:] != product[:-1]))
    return product[changed], key[changed] % span, cents[changed]


def build_steps(market: Market) -> Steps:
    """Draw every product's price process over the whole calendar; day 0 always has a step."""
    n, span = len(market.products), market.calendar.days
    process = np.minimum(np.searchsorted(np.cumsum(_SHARES), stream(market.seed, 7).random(n), side="right"), len(_SHARES) - 1)
    parts = []
    for start in range(0, n, _CHUNK):
        stop = min(start + _CHUNK, n)
        rng = stream(market.seed, 8, start)
        product, day, cents = _chunk(rng, market.products.base_cents[start:stop], process[start:stop], span)
        parts.append((product + start, day, cents))
    product, day, cents = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Steps(product, day, cents, process, span)
