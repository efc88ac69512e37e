"""Compaction: merge several kept runs into one without loss; each row keeps the set of weeks that reported it (`store.kept_weeks`)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.disk import written
from pipeline.store.kept_prices import WEEK_BITS, RunFile, RunSink, group_count, open_run
from pipeline.store.kept_weeks import MOST_WEEKS, RECORDS, KeptWeeks, Run, generation, merge_ids, read_ids, write_ids
from pipeline.tables.price_rows import PriceRows, stable_order

LOOSE_RUNS = 8  # single-week runs before they are merged; a reader has to merge them each time
_STEP_GROUPS = 16  # row groups that are merged at a time: about a million rows


def merge_loose(kept: KeptWeeks, work: Path) -> bool:
    """Merge the single-week runs once there are `LOOSE_RUNS` of them, with the newest merged run while it has room for their weeks.

    `work` is an empty folder on the same disk. After a kill at any moment either the old runs are current, or the merged one.
    """
    runs = kept.known().runs
    loose = [run for run in runs if len(run.weeks) == 1]
    if len(loose) < LOOSE_RUNS:
        return False
    several = sorted((run for run in runs if len(run.weeks) > 1), key=lambda run: run.weeks[-1])
    chosen = [run for run in several[-1:] if run.live.bit_count() + len(loose) <= MOST_WEEKS] + loose[: MOST_WEEKS - 1]
    merge_runs(kept, tuple(chosen), work)
    return True


def merge_runs(kept: KeptWeeks, runs: tuple[Run, ...], work: Path) -> None:
    """Replace several runs by one; rows reported only by replaced weeks are dropped."""
    weeks = tuple(sorted((w for run in runs for bit, w in enumerate(run.weeks) if run.live >> bit & 1), key=generation))
    merging = _Merging(runs, weeks, work)
    markets = sorted({path.name for run in runs for path in run.folder.glob("prices-*.parquet")})
    for name in markets:
        merging.prices(name)
    for name in RECORDS:
        merging.records(name)
    merging.facts()
    kept.replace_runs(runs, weeks, work)


@dataclass(frozen=True)
class _Merging:
    runs: tuple[Run, ...]
    weeks: tuple[str, ...]
    work: Path

    def _bits(self, run: Run, reported: np.ndarray | None, rows: int) -> np.ndarray:
        """The weeks that reported each row of an old run, as bits of the new run; replaced weeks have no bit."""
        reported = np.ones(rows, np.int64) if reported is None else reported
        moved = np.zeros(rows, np.int64)
        for bit, week in enumerate(run.weeks):
            if run.live >> bit & 1:
                moved |= ((reported >> bit) & 1) << self.weeks.index(week)
        return moved

    def prices(self, name: str) -> None:
        """Merge the prices of one marketplace, one range of keys at a time."""
        paths = [(run, run.folder / name) for run in self.runs if (run.folder / name).is_file()]
        facts = {k.decode(): v.decode() for k, v in pq.read_schema(paths[-1][1]).metadata.items() if k in (b"marketplace", b"currency")}
        with contextlib.ExitStack() as opened:
            files = [(run, opened.enter_context(open_run(path))) for run, path in paths]
            groups = group_count(sum(file.rows for _, file in files))
            sink = opened.enter_context(RunSink(self.work / name, groups, facts, WEEK_BITS))
            steps = max(1, groups // _STEP_GROUPS)
            for step in range(steps):
                rows, reported = self._step(files, step, steps)
                sink.write(rows, reported)

    def _step(self, files: Sequence[tuple[Run, RunFile]], step: int, steps: int) -> tuple[PriceRows, np.ndarray]:
        parts, bits = [], []
        for run, file in files:
            rows, reported = file.read(step, steps)
            parts.append(rows)
            bits.append(self._bits(run, reported, len(rows)))
        rows, reported = PriceRows.of(parts), np.concatenate(bits)
        rows, reported = rows.take(reported != 0), reported[reported != 0]
        order = stable_order(rows.key, rows.day)
        if order is not None:
            rows, reported = rows.take(order), reported[order]
        return _same_prices_joined(rows, reported)

    def records(self, name: str) -> None:
        """Merge orders, returns or deliveries: each row once, with all weeks that reported it."""
        tables = []
        for run in self.runs:
            path = run.folder / f"{name}.parquet"
            if path.is_file():
                table = pq.read_table(path, partitioning=None)
                reported = np.asarray(table["told"]) if "told" in table.column_names else None
                plain = table.drop_columns(["told"]) if reported is not None else table
                bits = self._bits(run, reported, table.num_rows)
                tables.append(plain.append_column(WEEK_BITS, pa.array(bits)).filter(pa.array(bits != 0)))
        if tables:
            joined = pa.concat_tables(tables)
            columns = [column for column in joined.column_names if column != "told"]
            # Runs have no week in common, so the sum of their bits is the union.
            once = joined.group_by(columns, use_threads=False).aggregate([("told", "sum")]).rename_columns([*columns, "told"])
            first = ["hash"] if "hash" in columns else []
            ordered = once.sort_by([(column, "ascending") for column in [*first, *(s for s in columns if s != "hash")]])
            with written(self.work):
                pq.write_table(ordered.select(joined.column_names), self.work / f"{name}.parquet", compression="zstd")

    def facts(self) -> None:
        """Merge wide ids, the line accounting, and the set-aside lines."""
        ids: dict[int, str] = {}
        ledgers, aside = {}, []
        for run in self.runs:
            if (run.folder / "ids.parquet").is_file():
                merge_ids(ids, read_ids(run.folder / "ids.parquet"))
            live = [week for bit, week in enumerate(run.weeks) if run.live >> bit & 1]
            reported = json.loads((run.folder / "ledger.json").read_text(encoding="utf-8"))
            ledgers.update({week: reported[week] for week in live})
            aside.append(pq.read_table(run.folder / "set_aside.parquet", filters=[("week", "in", live)], partitioning=None))
        write_ids(self.work / "ids.parquet", ids)
        with written(self.work):
            (self.work / "ledger.json").write_text(json.dumps(ledgers, sort_keys=True), encoding="utf-8")
            pq.write_table(pa.concat_tables(aside), self.work / "set_aside.parquet", compression="zstd")


def _same_prices_joined(rows: PriceRows, reported: np.ndarray) -> tuple[PriceRows, np.ndarray]:
    """Join equal rows into one with the weeks of all; the input is ordered by key and day."""
    again = (rows.key[1:] == rows.key[:-1]) & (rows.day[1:] == rows.day[:-1])
    if not again.any():
        return rows, reported
    day_of = np.cumsum(np.append(True, ~again))
    order = np.lexsort((rows.cents, day_of))
    rows, reported = rows.take(order), reported[order]
    first = np.flatnonzero(np.append(True, ~again | (rows.cents[1:] != rows.cents[:-1])))
    return rows.take(first), np.add.reduceat(reported, first)
