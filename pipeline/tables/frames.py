"""Conversions between Arrow tables and pandas frames that invent nothing, and columns as arrays with a mask of known values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.tables.schemas import Column, schema

_PANDAS: dict[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype(na_value=float("nan")),
    pa.float64(): pd.Float64Dtype(),
    pa.date32(): pd.ArrowDtype(pa.date32()),
    pa.timestamp("s"): pd.ArrowDtype(pa.timestamp("s")),
}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas without inventing anything: whole numbers stay whole, missing stays missing."""
    return table.to_pandas(types_mapper=_PANDAS.get)


def to_arrow(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pa.Table:
    """Pandas to Arrow in exactly the columns' order and types; raises `KeyError` for a column that is not there."""
    return pa.Table.from_pandas(frame[[c.name for c in columns]], schema=schema(columns), preserve_index=False).replace_schema_metadata()


class Table(Protocol):
    """A data frame, or `tables.columns.Columns`, which keeps what was converted."""

    def __getitem__(self, name: Any) -> Any: ...


KINDS = ("whole", "real", "days", "text", "flag")  # ways to convert a column


def _converted(table: Table, kind: str, name: str, convert: Callable[[pd.Series], Any]) -> Any:
    keep = getattr(table, "converted", None)
    return convert(table[name]) if keep is None else keep(kind, name, convert)


def whole(table: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A whole-number column as (int64 values with 0 where missing, mask of the known)."""
    found: tuple[np.ndarray, np.ndarray] = _converted(table, "whole", name, _whole)
    return found


def real(table: Table, name: str) -> np.ndarray:
    """A real column as float64 with NaN where missing."""
    found: np.ndarray = _converted(table, "real", name, lambda series: series.to_numpy(dtype=np.float64, na_value=np.nan))
    return found


def days(table: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A date column as (days since 1970-01-01 with 0 where missing, mask of the known)."""
    found: tuple[np.ndarray, np.ndarray] = _converted(table, "days", name, _days)
    return found


def text(table: Table, name: str) -> np.ndarray:
    """A text column as objects, None where missing."""
    found: np.ndarray = _converted(table, "text", name, lambda series: series.astype(object).where(series.notna(), None).to_numpy())
    return found


def flag(table: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A yes/no column as (bool with False where missing, mask of the known)."""
    found: tuple[np.ndarray, np.ndarray] = _converted(table, "flag", name, _flag)
    return found


def _whole(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    known = series.notna().to_numpy(dtype=bool)
    return series.fillna(0).to_numpy(dtype=np.int64), known


def _days(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    array = pa.array(series, type=pa.date32(), from_pandas=True).cast(pa.int32())
    known = np.asarray(array.is_valid())
    return np.asarray(array.fill_null(0)).astype(np.int64), known


def _flag(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    known = series.notna().to_numpy(dtype=bool)
    return series.fillna(False).to_numpy(dtype=bool), known


def whole_series(values: np.ndarray, known: np.ndarray) -> pd.Series:
    """The way back: int64 values and a mask as a whole-number column with missing."""
    return pd.Series(pd.arrays.IntegerArray(values.astype(np.int64), ~known))


def real_series(values: np.ndarray) -> pd.Series:
    """The way back: float64, NaN as missing."""
    return pd.Series(pd.arrays.FloatingArray(np.nan_to_num(values, nan=0.0), np.isnan(values)))


def word_series(words: Sequence[str | None], codes: np.ndarray) -> pd.Series:
    """A text column out of few words and the number of each row's word; an empty word is missing."""
    held = pa.array([word or None for word in words], pa.string())
    return held.take(pa.array(codes)).to_pandas(types_mapper=_PANDAS.get)


def conform(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """The frame with exactly these columns and types; what it lacks is missing."""
    arrays = [pa.array(frame[c.name], type=c.type, from_pandas=True) if c.name in frame else pa.nulls(len(frame), c.type) for c in columns]
    return to_frame(pa.table(arrays, schema=schema(columns)))
