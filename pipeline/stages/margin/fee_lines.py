"""The fee line that charges a candidate: the schedule's, else the source's own rate, else the named fallback, always with its origin.

A line of which a part is not known gives way to a rate that the source states; without one it charges, and the row says what is not
known of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.costs.fees import PPM, FeeLine, FeeSchedule, FeeTable, fee_table, flat_line
from pipeline.tables.columns import Columns
from pipeline.tables.frames import real, word_series

ORIGINS = ("schedule", "uncertain", "stated", "fallback")
_SCHEDULE, _UNCERTAIN, _STATED, _FALLBACK = range(4)


@dataclass(frozen=True)
class Charged:
    """The fee table in use and, for n candidates, the line (`entry`), whether a schedule is in force, and the words to show.

    `words`: `fee_schedule` (its id), `fee_origin` (one of ORIGINS), `fee_note` (what is not known of the line); missing where none is in
    force.
    """

    fees: FeeTable
    entry: np.ndarray
    known: np.ndarray
    words: Mapping[str, pd.Series]


def charged_lines(candidates: Columns, schedules: Mapping[str, FeeSchedule]) -> Charged:
    """The fee line of each candidate; reads `marketplace`, `fee_category` and `referral_rate` (the source's own effective rate)."""
    market, markets = pd.factorize(candidates["marketplace"])
    category, categories = pd.factorize(candidates["fee_category"])
    lines: list[tuple[FeeSchedule, FeeLine]] = []
    # One more column for the missing category, which pandas numbers -1.
    by_line = np.full((len(markets) + 1, len(categories) + 1), -1, dtype=np.int64)
    fallback = np.full(len(markets) + 1, -1, dtype=np.int64)
    for place, name in enumerate(markets):
        schedule = schedules.get(name)
        if schedule is None:
            continue
        fallback[place] = len(lines)
        lines.append((schedule, flat_line("fallback", schedule.fallback_ppm)))
        for column, key in enumerate(categories):
            if key in schedule.lines:
                by_line[place, column] = len(lines)
                lines.append((schedule, schedule.lines[key]))
    known = fallback[market] >= 0
    entry = by_line[market, category]
    uncertain = np.array([bool(line.unknown) for _, line in lines] + [False])[entry]
    origin = np.where(entry < 0, _FALLBACK, np.where(uncertain, _UNCERTAIN, _SCHEDULE))
    entry = np.where(entry < 0, fallback[market], entry)

    rate = np.nan_to_num(np.rint(real(candidates, "referral_rate") * PPM)).astype(np.int64)
    stated = np.flatnonzero(known & (origin != _SCHEDULE) & (rate > 0) & (rate < PPM))
    pairs, back = np.unique(market[stated] * PPM + rate[stated], return_inverse=True)
    entry[stated], origin[stated] = len(lines) + back, _STATED
    lines += [(schedules[markets[pair // PPM]], flat_line("stated", int(pair % PPM))) for pair in pairs.tolist()]

    notes = [*(line.unknown for _, line in lines), None]
    ids = [*(schedules[m].id if m in schedules else None for m in markets), None]
    return Charged(
        fees=fee_table(lines or [(_NONE, flat_line("none", 0))]),
        entry=np.where(known, entry, 0),
        known=known,
        words={
            "fee_schedule": word_series(ids, np.where(market < 0, len(ids) - 1, market)),
            "fee_origin": word_series([*ORIGINS, None], np.where(known, origin, len(ORIGINS))),
            "fee_note": word_series(notes, np.where(known & (origin == _UNCERTAIN), entry, len(notes) - 1)),
        },
    )


_NONE = FeeSchedule("none", "", "", pd.Timestamp(0).date(), None, 0, 0, 0, {}, "")
