"""The invented market's time and chance: weeks that end with a given one, days counted from the first price, random streams."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

HISTORY_DAYS = 182  # 26 weeks, the last day is the first dump's Sunday
HORIZON_DAYS = 28  # prices that only `truth/` knows, after the last dump: what a forecast is judged by


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """The random numbers of one purpose: the same seed and purpose give the same numbers, whatever else is drawn."""
    return np.random.default_rng([seed, *purpose])


@dataclass(frozen=True)
class Calendar:
    """The weeks of the market; days are counted from the first day of price history."""

    weeks: int
    last_monday: dt.date

    @property
    def days(self) -> int:
        """How many days have a price, the 28 that no dump shows among them."""
        return HISTORY_DAYS + 7 * (self.weeks - 1) + HORIZON_DAYS

    @property
    def first_day(self) -> dt.date:
        """Day 0: a Monday."""
        return self.last_monday - dt.timedelta(days=7 * (self.weeks - 1) + HISTORY_DAYS - 7)

    def as_of(self, week: int) -> int:
        """The Sunday of week 0, 1 ... as a day number."""
        return HISTORY_DAYS - 1 + 7 * week

    def since(self, week: int) -> int:
        """First day in the week's dump: the full history in the first, seven days in the later ones."""
        return 0 if week == 0 else self.as_of(week) - 6

    def name(self, week: int) -> str:
        """`2026-W47`."""
        year, number, _ = self.date(self.as_of(week)).isocalendar()
        return f"{year}-W{number:02d}"

    def date(self, day: int) -> dt.date:
        """The calendar day of a day number."""
        return self.first_day + dt.timedelta(days=day)
