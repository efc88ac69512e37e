"""Conversions between price tables and the plain arrays used for millions of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables import keys
from pipeline.tables.columns import Columns
from pipeline.tables.frames import whole, whole_series
from pipeline.tables.price_rows import PriceRows
from pipeline.tables.schemas import MOST_CENTS, PRICE_HISTORY, schema


@dataclass(frozen=True)
class Packed:
    """Prices by marketplace, its currency, and the text of ids that do not pack."""

    rows: Mapping[str, PriceRows]
    currencies: Mapping[str, str]
    wide: Mapping[int, str]


def packed(prices: pa.Table) -> Packed:
    """Rows in the columns of `tables.schemas.PRICE_HISTORY`, each marketplace's in their order; without a price they are out of stock (0
    cents).

    Raises
    ------
    ValueError
        A price does not fit 31 bits; readers set such a row aside.
    """
    key, wide = keys.pack_texts(prices["product_id"])
    day = np.asarray(prices["date"].cast(pa.int32()))
    cents = np.asarray(pc.fill_null(prices["price_cents"], 0))
    if len(cents) and int(cents.max()) > MOST_CENTS:
        raise ValueError("a price of more than 31 bits")
    every = PriceRows(key, day, cents.astype(np.int32))
    codes = prices["marketplace"].combine_chunks().dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.unify_dictionaries().combine_chunks()
    names = codes.dictionary.to_pylist()
    of = np.asarray(codes.indices)
    rows, currencies = {}, {}
    for place, market in enumerate(names):
        here = np.flatnonzero(of == place)
        rows[market] = every if len(here) == len(every) else every.take(here)
        currencies[market] = prices["currency"][int(here[0])].as_py()
    return Packed(rows, currencies, wide)


def packed_orders(prices: pd.DataFrame) -> Packed:
    """The same for prices that follow from order lines; what no price can be (31 bits) is left out."""
    cents, _ = whole(prices, "price_cents")
    prices = prices[cents <= MOST_CENTS]
    names = ("marketplace", "product_id", "date", "price_cents", "currency")
    types = (pa.string(), pa.string(), pa.date32(), pa.int64(), pa.string())
    return packed(pa.table({n: pa.array(prices[n], t, from_pandas=True) for n, t in zip(names, types, strict=True)}))


def placed(known: Mapping[str, PriceRows], candidates: Columns) -> pd.DataFrame:
    """The prices of candidates as a table: `row` (position of the candidate), `date`, `price_cents` (missing = out of stock).

    Parameters
    ----------
    known : rows by key and day of each marketplace, one per product and day.
    candidates : n rows; reads `marketplace`, `product_id`.

    Returns
    -------
    DataFrame by row and date.
    """
    market = candidates["marketplace"].to_numpy(dtype=object)
    ids = pa.array(candidates["product_id"], pa.string())
    key = keys.pack_texts(ids)[0]
    parts = [(np.zeros(0, np.int64), PriceRows.none())]
    for code, rows in known.items():
        here = np.flatnonzero(market == code)
        if not len(here) or not len(rows):
            continue
        first = np.flatnonzero(np.append(True, rows.key[1:] != rows.key[:-1]))
        size = np.diff(first, append=len(rows))
        at = np.minimum(np.searchsorted(rows.key[first], key[here]), len(first) - 1)
        found = rows.key[first][at] == key[here]
        here, first, size = here[found], first[at[found]], size[at[found]]
        # Rows first, first + 1 ... of each candidate.
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        parts.append((np.repeat(here, size), rows.take(np.repeat(first, size) + within)))
    row = np.concatenate([place for place, _ in parts])
    rows = PriceRows.of([part for _, part in parts])
    order = np.argsort(row, kind="stable")
    rows = rows.take(order)
    date = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(rows.day, pa.int32()).view(pa.date32())))
    return pd.DataFrame({"row": row[order], "date": date, "price_cents": whole_series(rows.cents, rows.cents > 0)})


def table_of(rows: PriceRows, market: str, currency: str, wide: Mapping[int, str]) -> pa.Table:
    """The way back: rows in the columns of `tables.schemas.PRICE_HISTORY`."""
    cells = {
        "marketplace": pa.repeat(pa.scalar(market), len(rows)),
        "product_id": keys.unpack(rows.key, wide),
        "date": pa.array(rows.day, pa.int32()).view(pa.date32()),
        "price_cents": pa.array(rows.cents, pa.int64(), mask=rows.cents == 0),
        "currency": pa.repeat(pa.scalar(currency), len(rows)),
    }
    return pa.table(cells, schema=schema(PRICE_HISTORY))
