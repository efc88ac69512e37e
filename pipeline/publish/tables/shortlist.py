"""The list and the ledger: choice of the list, then `shortlist.parquet` and `decisions.parquet`, streamed bucket by bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.plan import ListPlan
from pipeline.stages.score.score import select
from pipeline.store.parquet import ParquetSink, read_parquet
from pipeline.tables.frames import to_frame
from pipeline.tables.published import DECISIONS, REASONS, SHORTLIST
from pipeline.tables.schemas import schema

_SELECTING = [
    "marketplace", "product_id", "score", "parent_id", "supplier_id", "brand_key", "brand_state", "verdict", "hidden_by",
]  # fmt: skip


Watcher = Callable[[pa.Table], None]


@dataclass(frozen=True)
class Lists:
    """What was listed: keys in rank order, and the verdicts' counts."""

    listed: tuple[tuple[str, str], ...]
    verdicts: Mapping[str, int]


def write_lists(
    decided: Sequence[Path], out: Path, plan: ListPlan, top: int, metadata: Mapping[str, str], *, watchers: Sequence[Watcher] = ()
) -> Lists:
    """Choose the list over all buckets and write both files.

    Parameters
    ----------
    decided : paths of the buckets' decisions, in bucket order
    out : the folder to write into
    plan, top : how long and how diverse the list is
    metadata : facts of the run for the files' own metadata (nothing that differs between two runs on the same inputs)
    watchers : called with each part of the ledger as it is written
    """
    passed = pd.concat([_passed(path) for path in decided], ignore_index=True)
    chosen = select(passed, plan, top)
    marks = chosen[chosen["rank"].notna() | chosen["displaced_by"].notna()].set_index(["marketplace", "product_id"])
    listed_rows: list[pa.Table] = []
    verdicts: dict[str, int] = {}
    with ParquetSink(out / "decisions.parquet", schema(DECISIONS), dict(metadata)) as ledger:
        for path in decided:
            table = _marked(read_parquet(path), marks)
            for entry in table["verdict"].value_counts().to_pylist():
                verdicts[entry["values"]] = verdicts.get(entry["values"], 0) + entry["counts"]
            ledger.write(table)
            for watch in watchers:
                watch(table)
            listed_rows.append(table.filter(pc.is_valid(table["rank"])).select([c.name for c in SHORTLIST]))
    shortlist = pa.concat_tables(listed_rows).sort_by([("rank", "ascending")])
    with ParquetSink(out / "shortlist.parquet", schema(SHORTLIST), dict(metadata)) as sink:
        sink.write(shortlist)
    keys = zip(shortlist["marketplace"].to_pylist(), shortlist["product_id"].to_pylist(), strict=True)
    return Lists(tuple(keys), verdicts)


def _passed(path: Path) -> pd.DataFrame:
    frame = to_frame(read_parquet(path, _SELECTING))
    return frame[(frame["verdict"] == "passed") & frame["hidden_by"].isna()]


def _marked(table: pa.Table, marks: pd.DataFrame) -> pa.Table:
    """A bucket's ledger with rank and verdict of the listed, and the reason of those displaced from the list."""
    keys = pd.MultiIndex.from_arrays([table["marketplace"].to_pandas(), table["product_id"].to_pandas()])
    place = marks.index.get_indexer(keys)
    found = np.flatnonzero(place >= 0)
    if not len(found):
        return table
    rank = np.zeros(len(keys), dtype=np.int64)
    rank[found] = marks["rank"].fillna(0).to_numpy(dtype=np.int64)[place[found]]
    listed = rank > 0
    verdict = pc.if_else(pa.array(listed), "shortlisted", table["verdict"])
    reasons = table["reasons"].combine_chunks()
    displaced = [row for row in found if not listed[row]]
    if displaced:
        reported = reasons.to_pylist()
        for row in displaced:
            reported[row] = [*reported[row], _displaced(marks["displaced_by"].iloc[place[row]])]
        reasons = pa.array(reported, REASONS)
    table = table.set_column(table.schema.get_field_index("rank"), "rank", pa.array(rank, mask=~listed))
    table = table.set_column(table.schema.get_field_index("verdict"), "verdict", verdict)
    return table.set_column(table.schema.get_field_index("reasons"), "reasons", reasons)


def _displaced(by: str) -> dict[str, object]:
    return {"rule": "diversified_out", "severity": "warn", "observed": None, "limit": None, "distance": 0.0, "detail": by}
