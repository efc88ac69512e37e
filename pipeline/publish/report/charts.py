"""Geometry of the report's drawings: numbers in, points and paths out; templates and style sheet decide the look."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.publish.tables.price_series import SERIES_DAYS

SPARK_WIDTH, SPARK_HEIGHT = 180, 40


@dataclass(frozen=True)
class Spark:
    """A price line of the last `SERIES_DAYS` days in a box of SPARK_WIDTH x SPARK_HEIGHT: a path, level lines by name, and the range."""

    path: str
    levels: dict[str, float]
    low: float
    high: float


def spark(dates: Sequence[dt.date], prices: Sequence[float | None], as_of: dt.date, levels: Mapping[str, float | None]) -> Spark | None:
    """The steps as one path; a gap where the product was out of stock. None without a price.

    A level (break-even, target) far below the prices would flatten them: the range holds it only down to half of the lowest price.
    """
    known = [price for price in prices if price is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    drawn = {name: level for name, level in levels.items() if level is not None and low / 2 <= level <= high * 1.5}
    low, high = min([low, *drawn.values()]), max([high, *drawn.values()])
    pad = max((high - low) * 0.08, high * 0.01)
    low, high = low - pad, high + pad

    def y(price: float) -> float:
        return round(SPARK_HEIGHT * (high - price) / (high - low), 1)

    start = as_of - dt.timedelta(days=SERIES_DAYS - 1)
    path, is_open = "", False
    for place, (day, price) in enumerate(zip(dates, prices, strict=True)):
        x = round(SPARK_WIDTH * (day - start).days / SERIES_DAYS, 1)
        end = (dates[place + 1] - start).days if place + 1 < len(dates) else SERIES_DAYS
        if price is None:
            is_open = False
            continue
        path += (f"V{y(price):g}" if is_open else f"M{x:g} {y(price):g}") + f"H{round(SPARK_WIDTH * end / SERIES_DAYS, 1):g}"
        is_open = True
    return Spark(path, {name: y(level) for name, level in drawn.items()}, low, high)


@dataclass(frozen=True)
class Bar:
    """One line of a waterfall in percent of its width: where it starts, how wide it is, its amount."""

    name: str
    start: float
    width: float
    amount: float
    is_total: bool


def waterfall(lines: Sequence[tuple[str, float | None]], net: float | None) -> list[Bar]:
    """From the price down to the net profit; lines of nothing are left out. Empty when price or profit is not known."""
    if net is None or not lines or lines[0][1] is None:
        return []
    price = lines[0][1]
    low = min(0.0, net)
    scale = 100 / (price - low) if price > low else 0.0
    bars, level = [Bar(lines[0][0], round(-low * scale, 1), round(price * scale, 1), price, True)], price
    for name, amount in lines[1:]:
        if not amount:
            continue
        after = level + amount
        bars.append(Bar(name, round((min(level, after) - low) * scale, 1), round(abs(amount) * scale, 1), amount, False))
        level = after
    bars.append(Bar("net profit", round((min(0.0, net) - low) * scale, 1), round(abs(net) * scale, 1), net, True))
    return bars


@dataclass(frozen=True)
class Range:
    """An interval on a line of 100, with its middle and the limit it is held against."""

    low: float
    middle: float
    high: float
    limit: float


def interval(low: float | None, middle: float | None, high: float | None, limit: float) -> Range | None:
    """Where the four lie between nothing (or a loss) and the largest of them; None when one is missing.

    >>> interval(0.0, 0.05, 0.10, 0.07)
    Range(low=0.0, middle=47.6, high=95.2, limit=66.7)
    """
    if low is None or middle is None or high is None:
        return None
    floor, top = min(0.0, low), max(high, middle, limit) * 1.05
    return Range(*(round(100 * (value - floor) / (top - floor), 1) for value in (low, middle, high, limit)))


@dataclass(frozen=True)
class Scatter:
    """Points with intervals in a box of `width` x `height`, ticks, and where the plan's limits lie."""

    width: int
    height: int
    points: list[dict[str, Any]]
    x_ticks: list[tuple[float, float]]
    y_ticks: list[tuple[float, float]]
    x_limit: float
    y_limit: float


def scatter(rows: Sequence[Mapping[str, Any]], rate_limit: float, margin_limit: float) -> Scatter | None:
    """Net margin against return rate; rows have `rate`, `rate_low`, `rate_high`, `margin`, `margin_low`, `margin_high` (fractions)."""
    if not rows:
        return None
    width, height = 640, 320
    most = max([rate_limit * 1.3, *(row["rate_high"] for row in rows)])
    top = max([margin_limit * 1.3, *(row["margin_high"] for row in rows)])
    bottom = min([0.0, *(row["margin_low"] for row in rows)])
    x_ticks, y_ticks = _ticks(0.0, most), _ticks(bottom, top)
    right, (floor, ceiling) = x_ticks[-1], (y_ticks[0], y_ticks[-1])

    def x(value: float) -> float:
        return round(width * value / right, 1)

    def y(value: float) -> float:
        return round(height * (ceiling - value) / (ceiling - floor), 1)

    points = [
        {
            **row, "x": x(row["rate"]), "y": y(row["margin"]), "x0": x(row["rate_low"]), "x1": x(row["rate_high"]),
            "y0": y(row["margin_low"]), "y1": y(row["margin_high"]),
        }
        for row in rows
    ]  # fmt: skip
    return Scatter(
        width, height, points, [(x(t), t) for t in x_ticks], [(y(t), t) for t in y_ticks], x(rate_limit), y(margin_limit)
    )  # fmt: skip


def _ticks(low: float, high: float) -> list[float]:
    """Round steps of 5, 10, 20 ... percent that cover the range."""
    step = next((s for s in (0.02, 0.05, 0.10, 0.20, 0.50, 1.0) if (high - low) / s <= 6), 5.0)
    first, last = int(low // step), -int(-high // step)
    return [round(step * place, 6) for place in range(first, max(last, first + 1) + 1)]
