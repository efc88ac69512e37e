"""Inputs of the report that a run keeps beside the ledger: rows shown, their prices, the seller's notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.publish.tables.selections import Selections
from pipeline.store.parquet import ParquetSink, read_parquet
from pipeline.tables.frames import days, to_frame
from pipeline.tables.published import DECISIONS, PRICE_SERIES
from pipeline.tables.schemas import SELLER_DECISIONS, schema

SHOWN, SERIES, NOTES = "shown.parquet", "price_series.parquet", "seller_decisions.parquet"
_KEY = ["marketplace", "product_id"]


def write_report_inputs(out: Path, picks: Selections, series: Sequence[Path], metadata: Mapping[str, str]) -> None:
    """`shown.parquet` (rows of the ledger by kind, a product may stand in two) and `price_series.parquet` of those products."""
    shown = picks.table(schema(DECISIONS))
    with ParquetSink(out / SHOWN, shown.schema, dict(metadata)) as sink:
        sink.write(shown)
    keys = pd.MultiIndex.from_frame(to_frame(shown.select(_KEY)))
    reported = [schema(PRICE_SERIES).empty_table()]
    for path in series:
        part = read_parquet(path)
        reported.append(part.filter(pa.array(pd.MultiIndex.from_frame(to_frame(part.select(_KEY))).isin(keys))))
    # Of few rows, those that are shown: in one order, whatever the buckets were.
    ordered = pa.concat_tables(reported).sort_by([(name, "ascending") for name in _KEY])
    with ParquetSink(out / SERIES, schema(PRICE_SERIES), dict(metadata)) as sink:
        sink.write(ordered)


def write_notes(out: Path, decisions: pa.Table, as_of: int, metadata: Mapping[str, str]) -> None:
    """`seller_decisions.parquet`: the newest of the seller's decisions on each product that is not dated after the as-of day."""
    columns = schema(SELLER_DECISIONS)
    frame = to_frame(decisions.select(columns.names))
    day, dated = days(frame, "decided_on")
    newest = frame.assign(_day=np.where(dated, day, -1))[~dated | (day <= as_of)]
    newest = newest.sort_values([*_KEY, "_day", "decision"], kind="stable").drop_duplicates(_KEY, keep="last")
    with ParquetSink(out / NOTES, columns, dict(metadata)) as sink:
        sink.write(pa.Table.from_pandas(newest[columns.names], schema=columns, preserve_index=False).replace_schema_metadata())
