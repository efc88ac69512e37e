"""From a bucket's decided frame to the published columns, and back for `explain`: money from minor to major units and again."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.files import Marketplace
from pipeline.tables.frames import real, real_series, to_frame, whole, whole_series
from pipeline.tables.published import DECISIONS, INSIDE, LIST_OF_TEXT, MONEY_COLUMNS, REASONS, SUPPLIER_COLUMNS, YUAN_COLUMNS
from pipeline.tables.schemas import schema

_ASSUMED = {
    "is_label_assumed": "label_assumed",
    "is_duty_assumed": "duty_assumed",
    "is_import_vat_assumed": "import_vat_assumed",
    "is_rate_old": "exchange_rate_old",
    "is_fee_category_assumed": "fee_category_assumed",
    "is_quoted": "own_quote",
    "is_listed": "listed_already",
}


def publish_frame(
    frame: pd.DataFrame,
    reasons: pa.Array,
    missing: pa.Array,
    marketplaces: Mapping[str, Marketplace],
    digits: Mapping[str, int],
) -> pa.Table:
    """A decided frame in the columns of `tables.published.DECISIONS` (rank not yet known), money as float64 major units."""
    scales = _Scales(frame, digits)
    built: dict[str, object] = {
        "reasons": reasons.cast(REASONS),
        "missing": missing,
        "rank": pa.nulls(len(frame), pa.int64()),
        "backup_suppliers": _words(frame["backup_suppliers"]),
        "flags": _flags(frame, reasons),
        "url": _urls(frame, marketplaces),
    }
    for name in MONEY_COLUMNS:
        cents, known = whole(frame, f"{name}_cents")
        built[name] = real_series(np.where(known, cents / scales.of(name), np.nan))
    arrays = []
    for column in DECISIONS:
        values = built.get(column.name)
        if values is None:
            values = frame[INSIDE.get(column.name, column.name)]
        arrays.append(values if isinstance(values, pa.Array) else pa.array(values, type=column.type, from_pandas=True))
    return pa.table(arrays, schema=schema(DECISIONS))


def inside_frame(table: pa.Table, digits: Mapping[str, int]) -> pd.DataFrame:
    """Published rows as the frame that rules read: the way back, for `explain`."""
    plain = [c.name for c in DECISIONS if c.type not in (REASONS, LIST_OF_TEXT)]
    frame = to_frame(table.select(plain))
    scales = _Scales(frame, digits)
    cents = {}
    for name in MONEY_COLUMNS:
        value = real(frame, name)
        known = ~np.isnan(value)
        cents[f"{name}_cents"] = whole_series(np.rint(np.where(known, value, 0.0) * scales.of(name)), known)
    return pd.concat([frame.drop(columns=list(MONEY_COLUMNS)), pd.DataFrame(cents)], axis=1).rename(columns=INSIDE)


class _Scales:
    """Minor units in a major unit, row by row, of each money column."""

    def __init__(self, frame: pd.DataFrame, digits: Mapping[str, int]) -> None:
        self._own = _scale(frame["currency"], digits)
        self._supplier = _scale(frame["supplier_currency"], digits)
        self._yuan = np.full(len(frame), 10.0 ** digits["CNY"])

    def of(self, name: str) -> np.ndarray:
        return self._yuan if name in YUAN_COLUMNS else self._supplier if name in SUPPLIER_COLUMNS else self._own


def _scale(currency: pd.Series, digits: Mapping[str, int]) -> np.ndarray:
    codes, names = pd.factorize(currency)
    return np.array([*(10.0 ** digits.get(name, 2) for name in names), 100.0])[codes]


def _words(cells: pd.Series) -> pa.Array:
    """Cells of words with a line end between as lists; an empty list where missing."""
    return (
        pc.split_pattern(pa.array(cells.fillna(""), pa.string()), "\n")
        if not len(cells)
        else pa.array([str(cell).split("\n") if pd.notna(cell) else [] for cell in cells], LIST_OF_TEXT)
    )


def _flags(frame: pd.DataFrame, reasons: pa.Array) -> pa.Array:
    """Assumptions first, then the rules that warn or ask for a review."""
    n = len(frame)
    words: list[list[str]] = [[] for _ in range(n)]
    for column, word in _ASSUMED.items():
        for row in np.flatnonzero(frame[column].fillna(False).to_numpy(dtype=bool)):
            words[row].append(word)
    flat = reasons.flatten()
    if len(flat):
        rows = np.repeat(np.arange(n), np.diff(reasons.offsets.to_numpy()))
        soft = np.flatnonzero(~np.asarray(pc.equal(flat.field("severity"), "reject")))
        names = flat.field("rule").take(pa.array(soft)).to_pylist()
        for row, name in zip(rows[soft].tolist(), names, strict=True):
            words[row].append(name)
    return pa.array(words, LIST_OF_TEXT)


def _urls(frame: pd.DataFrame, marketplaces: Mapping[str, Marketplace]) -> pd.Series:
    pages = {code: market.url.split("{product_id}")[0] for code, market in marketplaces.items()}
    plain = frame["product_id"].str.fullmatch(r"[A-Za-z0-9_-]+").to_numpy(dtype=bool)
    ids = frame["product_id"].where(plain, frame["product_id"].map(lambda product: quote(str(product), safe="")))
    return frame["marketplace"].map(pages).astype(ids.dtype) + ids
