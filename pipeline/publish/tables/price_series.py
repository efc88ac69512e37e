"""The prices of the last half year of the products that people may look at: a compact step function each, for sparklines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.tables.frames import days, text, whole
from pipeline.tables.published import PRICE_SERIES
from pipeline.tables.schemas import schema

SERIES_DAYS = 180


def price_series(history: pd.DataFrame, candidates: pd.DataFrame, wanted: np.ndarray, as_of: int, digits: Mapping[str, int]) -> pa.Table:
    """The price steps of each wanted candidate over the last `SERIES_DAYS` days.

    Parameters
    ----------
    history : DataFrame
        `row` (position of the candidate), `date`, `price_cents` (missing = out of stock), by row and date.
    candidates : DataFrame, n rows
        `marketplace`, `product_id`, `currency`.
    wanted : bool array, n
        Which candidates may be shown.
    as_of : int
        The week's day number; later prices are left out.
    digits
        Decimals by currency.

    Returns
    -------
    Table in the columns of `tables.published.PRICE_SERIES`
        One row per wanted candidate with history, in their order. The first step is the price in force when the window begins, its date
        that first day.
    """
    start = as_of - SERIES_DAYS + 1
    every = history["row"].to_numpy(dtype=np.int64)
    day, _ = days(history, "date")
    chosen = np.flatnonzero(wanted[every] & (day <= as_of))
    row, day = every[chosen], day[chosen]
    # Of the steps before the window only a candidate's last one is still in force.
    superseded = np.append((row[1:] == row[:-1]) & (day[1:] <= start), False) if len(row) else np.zeros(0, dtype=bool)
    kept = np.flatnonzero(~superseded)
    row, day = row[kept], day[kept]
    cents, known = (part[chosen][kept] for part in whole(history, "price_cents"))
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1])) if len(row) else np.zeros(0, dtype=np.int64)
    scale = np.array([10.0 ** digits.get(code or "", 2) for code in text(candidates, "currency")])
    offsets = pa.array(np.append(starts, len(row)).astype(np.int32))
    steps = pa.array(np.maximum(day, start).astype(np.int32), pa.int32()).cast(pa.date32())
    prices = pa.array(cents / scale[row], pa.float64(), mask=~known)
    columns = [
        *(pa.array(text(candidates, name)[row[starts]], pa.string()) for name in ("marketplace", "product_id")),
        pa.ListArray.from_arrays(offsets, steps),
        pa.ListArray.from_arrays(offsets, prices),
    ]
    return pa.table(columns, schema=schema(PRICE_SERIES))
