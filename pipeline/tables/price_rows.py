"""Prices of one marketplace as three sorted arrays, and one price per product and day out of all observations.

Sorted by key, then day. Millions of rows pass here, so that rows are ordered by sorting whole numbers that carry their own row number
(numpy sorts those with vector instructions; `argsort` of 64-bit keys takes 10 to 20 times as long), never by a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ROW_BITS = 21  # rows that one packed sort can number; more take the plain way
_DAY_BITS = 16
_MOST_ROWS = 1 << _ROW_BITS


@dataclass(frozen=True)
class PriceRows:
    """Prices of one marketplace: `key` (uint64, see `keys`), `day` (int32, days since 1970-01-01), `cents` (int32, 0 = out of stock)."""

    key: np.ndarray
    day: np.ndarray
    cents: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: np.ndarray | slice) -> PriceRows:
        """Some of the rows."""
        return PriceRows(self.key[rows], self.day[rows], self.cents[rows])

    @staticmethod
    def none() -> PriceRows:
        """No row."""
        return PriceRows(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int32))

    @staticmethod
    def of(parts: Sequence[PriceRows]) -> PriceRows:
        """All rows of the parts, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return PriceRows.none()
        return PriceRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("key", "day", "cents")))


def in_order(rows: PriceRows) -> PriceRows:
    """The rows by key and day; rows of the same product and day stay as they came."""
    order = stable_order(rows.key, rows.day)
    return rows if order is None else rows.take(order)


def stable_order(key: np.ndarray, day: np.ndarray) -> np.ndarray | None:
    """The order of rows by (key, day), equal ones as they came; None when they stand in it already."""
    later = key[1:] > key[:-1]
    same = key[1:] == key[:-1]
    if (later | (same & (day[1:] >= day[:-1]))).all():
        return None
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    order = _by_runs(key, starts) if 4 * len(starts) < len(key) else _by_key(key)
    if order is not None:
        key, day = key[order], day[order]
        if (key[1:] < key[:-1]).any():  # two keys that agree in all the bits that were sorted
            order = None
    if order is None:
        return np.lexsort((day, key)) if len(starts) else None
    is_first = np.concatenate([[True], key[1:] != key[:-1]])
    if not ((day[1:] < day[:-1]) & ~is_first[1:]).any():
        return order
    by_day = _by_group_and_day(np.cumsum(is_first), day)
    return order[np.lexsort((day, key)) if by_day is None else by_day]


def _by_runs(key: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Rows of a product lie together: only the runs are sorted."""
    sizes = np.diff(starts, append=len(key))
    runs = np.argsort(key[starts], kind="stable")
    sizes = sizes[runs]
    # Each run counts up from its own start: a one at every row, and at a run's first row the jump from the end of the run before.
    steps = np.ones(len(key), np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    steps[first] = starts[runs]
    steps[first[1:]] -= starts[runs][:-1] + sizes[:-1] - 1
    return np.cumsum(steps)


def _by_key(key: np.ndarray) -> np.ndarray | None:
    if len(key) > _MOST_ROWS:
        return None
    shared = 64 - int(key.min() ^ key.max()).bit_length()  # rows of a bucket begin with the same bits
    packed = (key << np.uint64(min(shared, 63))) & ~np.uint64(_MOST_ROWS - 1)
    packed |= np.arange(len(key), dtype=np.uint64)
    packed.sort()
    return (packed & np.uint64(_MOST_ROWS - 1)).astype(np.int64)


def _by_group_and_day(group: np.ndarray, day: np.ndarray) -> np.ndarray | None:
    first = int(day.min())
    if len(day) > _MOST_ROWS or int(day.max()) - first >= 1 << _DAY_BITS:
        return None
    packed = (group << (_DAY_BITS + _ROW_BITS)) | ((day.astype(np.int64) - first) << _ROW_BITS) | np.arange(len(day))
    packed.sort()
    return packed & (_MOST_ROWS - 1)


def last_observation(rows: PriceRows) -> PriceRows:
    """By key and day, of rows of the same product and day the one that came last."""
    ordered = in_order(rows)
    again = _again(ordered)
    return ordered.take(np.append(~again, True)) if again.any() else ordered


def last_observation_together(rows: PriceRows) -> PriceRows:
    """As `last_observation`, but the products in any order: rows in which each stands together already, its days rising, are not moved."""
    same = rows.key[1:] == rows.key[:-1]
    runs = rows.key[np.flatnonzero(np.append(len(rows) > 0, ~same)[: len(rows)])]
    if 4 * len(runs) > len(rows) or len(np.unique(runs)) < len(runs) or (same & (rows.day[1:] < rows.day[:-1])).any():
        return last_observation(rows)
    again = same & (rows.day[1:] == rows.day[:-1])
    return rows.take(np.append(~again, True)) if again.any() else rows


def newest_observation(rows: PriceRows, generation: np.ndarray) -> PriceRows:
    """By key and day, of rows of the same product and day the one of the greatest generation (int64, one per row, no two alike)."""
    order = stable_order(rows.key, rows.day)
    ordered, age = (rows, generation) if order is None else (rows.take(order), generation[order])
    again = _again(ordered)
    if not again.any():
        return ordered
    # The generation decides only among rows that repeat a key and day.
    shared = np.flatnonzero(np.append(again, False) | np.append(False, again))
    day_of = np.cumsum(np.append(True, ~again))[shared]
    by_age = shared[np.lexsort((age[shared], day_of))]
    kept = np.ones(len(ordered), dtype=bool)
    kept[by_age[:-1][np.diff(day_of) == 0]] = False
    return ordered.take(kept)


def one_price_a_day(files: Sequence[PriceRows], orders: PriceRows) -> tuple[PriceRows, list[int], list[int]]:
    """One price per product and day of a dump: its price history before the seller's own orders, then the lower price.

    The lower price, since a mistake must not make a margin and since the order of rows must not matter; a price before being out of
    stock on the same day.

    Parameters
    ----------
    files : rows of each price history, in the order of the files' names.
    orders : prices that follow from order lines, one per product and day.

    Returns
    -------
    (rows by key and day, exact repeats in each file, rows of each file that another row has superseded)
    """
    parts = [*files, orders]
    every = PriceRows.of(parts)
    place = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])
    order = stable_order(every.key, every.day)
    if order is not None:
        every, place = every.take(order), place[order]
    again = _again(every)
    counts = np.zeros((2, len(parts)), dtype=np.int64)
    if not again.any():
        return every, counts[0, :-1].tolist(), counts[1, :-1].tolist()
    shared = np.flatnonzero(np.append(again, False) | np.append(False, again))
    day_of = np.cumsum(np.append(True, ~again))[shared]
    reported, whose = every.cents[shared], place[shared]
    is_order = whose == len(files)
    worth = np.where(reported == 0, np.iinfo(np.int32).max, reported)
    best = np.lexsort((whose, worth, is_order, day_of))
    shared, day_of, reported, whose = shared[best], day_of[best], reported[best], whose[best]
    loses = np.append(False, day_of[1:] == day_of[:-1])
    repeats = np.append(False, (day_of[1:] == day_of[:-1]) & (reported[1:] == reported[:-1]) & (whose[1:] == whose[:-1]))
    counts[0] = np.bincount(whose[repeats], minlength=len(parts))
    counts[1] = np.bincount(whose[loses & ~repeats], minlength=len(parts))
    kept = np.ones(len(every), dtype=bool)
    kept[shared[loses]] = False
    return every.take(kept), counts[0, :-1].tolist(), counts[1, :-1].tolist()


def _again(rows: PriceRows) -> np.ndarray:
    """Where a row in order and the next one are of the same product and day, shape (n - 1,)."""
    return (rows.key[1:] == rows.key[:-1]) & (rows.day[1:] == rows.day[:-1])
