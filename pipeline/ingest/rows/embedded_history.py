"""Price history inside a record: Keepa's step arrays, or the record's own price on the day that its file's path names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from pipeline.errors import DumpError
from pipeline.ingest.cells.times import KEEPA_MINUTES, to_date
from pipeline.ingest.containers.dump_files import path_values
from pipeline.ingest.containers.json_documents import JOINED, steps_of
from pipeline.ingest.sources.recognition import Match, fold
from pipeline.ingest.sources.schema import HistoryRule
from pipeline.tables import schemas

WANTED = "a history of times and whole prices, in the order of time"
_MINUTES_A_DAY = 1_440
_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
Steps = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class History:
    """Steps of several records: the row of each, its day, its price in minor units, and where there is none (out of stock)."""

    rows: np.ndarray
    days: np.ndarray
    prices: np.ndarray
    null: np.ndarray

    def table(self, columns: dict[str, pa.Array], used: np.ndarray, schema: pa.Schema) -> pa.Table:
        """The steps of the rows that are used, in the schema of price history; `columns` are the rows' own."""
        kept = used[self.rows]
        rows = pa.array(self.rows[kept])
        made = {
            "date": pa.array(self.days[kept].astype(np.int32), pa.int32()).cast(pa.date32()),
            "price_cents": pa.array(self.prices[kept], pa.int64(), mask=self.null[kept]),
        }
        arrays = [made[entry.name] if entry.name in made else columns[entry.name].take(rows).cast(entry.type) for entry in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


SCHEMA = schemas.schema(schemas.DUMP_TABLES["price_history"])


def step_places(match: Match) -> list[tuple[int, int]]:
    """The columns of a file that hold a history, best first, each with the count of numbers in an entry."""
    history = match.source.history
    if not history:
        return []
    there = [fold(name) for name in match.header]
    named = ((path, fold(path.partition("@")[0])) for path in history.steps)
    return [(there.index(name), steps_of(path)[1]) for path, name in named if name in there]


def read_steps(texts: list[list[str | None]], strides: list[int], joined: str = JOINED) -> tuple[History, np.ndarray]:
    """Read the first history that each record holds.

    Parameters
    ----------
    texts : for each column with histories its cells, numbers apart by `joined`; None or an empty text where there is none.
    strides : of each column, how many numbers an entry has: 2 (minute, price) or 3 (minute, price, shipping).

    Returns
    -------
    the steps, one for each day on which the price changed (the day's last), and the rows whose history does not fit.
    """
    rows = len(texts[0]) if texts else 0
    wrong = np.zeros(rows, bool)
    parts: list[tuple[int, Steps]] = []
    for row in range(rows):
        for column, stride in zip(texts, strides, strict=True):
            steps = _steps(column[row] or "", stride, joined)
            if steps is None:
                wrong[row] = True
                break
            if not steps[2].all():
                parts.append((row, steps))
                break
    counts = [steps[0].size for _, steps in parts]
    days, prices, null = (np.concatenate([steps[k] for _, steps in parts] or [_NOTHING[k]]) for k in range(3))
    return History(np.repeat(np.array([row for row, _ in parts], np.int64), counts), days, prices, null), wrong


def _steps(text: str, stride: int, joined: str) -> Steps | None:
    """Days, prices and where there is none; None for what is no history."""
    if not text:
        return _NOTHING
    try:
        numbers = np.array(text.split(joined), np.int64).reshape(-1, stride)
    except (ValueError, OverflowError):
        return None
    minutes, prices = numbers[:, 0], numbers[:, 1]
    if (np.diff(minutes) < 0).any() or minutes[0] < 0 or minutes[-1] > KEEPA_MINUTES or (prices > 10**12).any():
        return None
    days = (minutes + KEEPA_MINUTES) // _MINUTES_A_DAY
    if stride == 3:
        prices = prices + np.maximum(numbers[:, 2], 0) * (prices >= 0)
    last = np.append(np.diff(days) > 0, True)
    return days[last], np.maximum(prices, 0)[last], (prices <= 0)[last]


def on_day(day: date, prices: pa.Array) -> History:
    """The rows that have a price, all on one day."""
    rows = np.flatnonzero(prices.is_valid().to_numpy(zero_copy_only=False))
    days = np.full(rows.size, (day - date(1970, 1, 1)).days, np.int64)
    return History(rows, days, prices.take(pa.array(rows)).to_numpy(), np.zeros(rows.size, bool))


def path_day(rule: HistoryRule | None, file: str) -> date | None:
    """The day that a file's path names, where its source takes the day from there; raises `DumpError` where the path names none."""
    if not rule or not rule.path:
        return None
    day = to_date(path_values({"day": rule.path}, file)["day"], (rule.format,))
    if day is None:
        raise DumpError(f"{file}: its path names no day of the form {rule.format}; rename its folder")
    return day
