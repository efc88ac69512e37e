"""Retention: the parts of a week's dump that later weeks use (prices, orders, return reports, deliveries, and set-aside lines)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.config.files import load_configs
from pipeline.runs.decide_task import DecideAnswer
from pipeline.runs.read_task import ReadAnswer
from pipeline.runs.spills import spilled
from pipeline.stages.records.earlier_weeks import counted
from pipeline.store.compaction import merge_loose
from pipeline.store.files import make_folder, write_new_file
from pipeline.store.kept_prices import RunSink, group_count
from pipeline.store.kept_weeks import KeptWeeks, merge_ids, read_ids, write_ids
from pipeline.store.parquet import ParquetSink, read_parquet
from pipeline.store.price_spills import SpillFile
from pipeline.tables.calendar import sunday_of
from pipeline.tables.frames import to_frame
from pipeline.tables.price_rows import PriceRows
from pipeline.tables.schemas import DELIVERIES, schema

PARCELS = pa.field("parcels", pa.int64())
_KEPT = ("price_history", "orders", "returns", "deliveries")


@dataclass(frozen=True)
class WeekRecords:
    """What is kept of a dump: the answers of the read and decide tasks, the line accounting, and the folder with `set_aside.parquet`."""

    reads: Sequence[ReadAnswer]
    decided: Sequence[DecideAnswer]
    entries: Sequence[Mapping[str, Any]]
    out: Path


def store_week(kept: KeptWeeks, week: str, reported: WeekRecords, work: Path) -> None:
    """Add a dump's observations to the history store, then compact the store where enough single weeks have gathered."""
    filled, merged = work / "kept", work / "merged"
    make_folder(filled)
    _prices(reported, filled)
    _records(reported, filled)
    _accounts(week, reported, filled)
    kept.keep(week, sunday_of(week).isoformat(), filled)
    make_folder(merged)
    merge_loose(kept, merged)


def _prices(reported: WeekRecords, filled: Path) -> None:
    currency = {code: market.currency for code, market in load_configs().marketplaces.items()}
    markets = sorted({name for answer in reported.decided for name, path in answer.kept.items() if path.suffix == ".prices"})
    for market in markets:
        paths = [answer.kept[market] for answer in reported.decided if market in answer.kept]
        groups = group_count(sum(len(_rows(path)) for path in paths))
        facts = {"marketplace": market, "currency": currency[market]}
        with RunSink(filled / f"prices-{market}.parquet", groups, facts) as sink:
            for path in paths:
                sink.write(_rows(path))
    ids: dict[int, str] = {}
    for path in (path for read in reported.reads for name, path in read.spills if name == "price_ids"):
        merge_ids(ids, read_ids(path))
    write_ids(filled / "ids.parquet", ids)


def _rows(path: Path) -> PriceRows:
    with SpillFile(path) as spill:
        return spill.read(0)


def _records(reported: WeekRecords, filled: Path) -> None:
    for name in ("orders", "returns"):
        parts = [read_parquet(answer.kept[name]) for answer in reported.decided if name in answer.kept]
        if parts:
            with ParquetSink(filled / f"{name}.parquet", parts[0].schema) as sink:
                for part in parts:
                    sink.write(part)
    deliveries = counted(to_frame(spilled([spill for read in reported.reads for spill in read.spills], "deliveries")))
    if len(deliveries):
        columns = schema(DELIVERIES).append(PARCELS)
        with ParquetSink(filled / "deliveries.parquet", columns) as sink:
            sink.write(pa.Table.from_pandas(deliveries, schema=columns, preserve_index=False).replace_schema_metadata())


def _accounts(week: str, reported: WeekRecords, filled: Path) -> None:
    """The line accounting of the files whose rows are kept, and their set-aside lines."""
    entries = [dict(entry) for entry in reported.entries if entry["table"] in _KEPT]
    write_new_file(filled / "ledger.json", (json.dumps({week: entries}, sort_keys=True, default=str) + "\n").encode())
    files = pa.array([str(entry["file"]) for entry in entries], pa.string())
    aside = read_parquet(reported.out / "set_aside.parquet", None, [("file", "in", files.to_pylist())] if len(files) else None)
    aside = aside if len(files) else aside.slice(0, 0)
    table = aside.append_column("week", pa.array([week] * aside.num_rows, pa.string())).replace_schema_metadata()
    with ParquetSink(filled / "set_aside.parquet", table.schema) as sink:
        sink.write(table)
