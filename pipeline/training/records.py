"""The seller's records read from dumps for training: order lines, return reports, price histories, newest row of each product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import engine
from pipeline.config.plan import Plan
from pipeline.ingest.containers.dump_files import without_copies
from pipeline.ingest.dump import DumpFile, describe, list_dump
from pipeline.runs.read_task import ReadAnswer, ReadTask, read_context, read_task, sources
from pipeline.runs.spills import spilled, spilled_history
from pipeline.stages.records.candidates import one_row_per_product
from pipeline.stages.records.duplicates import without_repeats
from pipeline.store.files import make_folder
from pipeline.tables.calendar import day_number, sunday_of, week_of
from pipeline.tables.frames import to_frame
from pipeline.training.prices import SampledPrices, sampled_prices

KEY = ["marketplace", "product_id"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Records:
    """The seller's records over all dumps, in the columns of `tables`, and one candidate row per product that has any."""

    candidates: pd.DataFrame
    orders: pd.DataFrame
    returns: pd.DataFrame
    histories: tuple[SampledPrices, ...]  # of each dump, newest first
    as_of: int
    files: tuple[tuple[str, str], ...]  # name and SHA-256 of every file that was read


@dataclass(frozen=True)
class Gathering:
    """How dumps are read: the plan, a folder for spills, a progress reporter and a progress bar."""

    plan: Plan
    work: Path
    say: Say = lambda line: None
    watch: engine.Watch = engine.unwatched


def gather_records(dumps: Sequence[Path], week: str, how: Gathering, kept_weeks: frozenset[str] = frozenset()) -> Records:
    """Read the dumps, newest first; a product's candidate row is that of the newest dump that holds it.

    Price histories of dumps of `kept_weeks` are skipped: the store holds their observations.
    """
    orders, returns, candidates, histories, files = [], [], [], [], []
    for dump, named, answers in _read(dumps, how, kept_weeks):
        files += [(f"{dump.name}/{file.name}", answer.report.sha256) for file, answer in zip(named, answers, strict=True)]
        spills = [spill for answer in answers for spill in answer.spills]
        orders.append(_marked(spilled(spills, "orders"), dump.name))
        returns.append(_marked(spilled(spills, "returns"), dump.name))
        candidates.append(spilled(spills, "candidates"))
        histories.append(sampled_prices(spilled_history(spills), candidates[-1].num_rows))
    return Records(
        candidates=_newest_rows(candidates, orders, returns),
        orders=to_frame(pa.concat_tables(orders)),
        returns=without_repeats(to_frame(pa.concat_tables(returns)))[0],
        histories=tuple(histories),
        as_of=day_number(sunday_of(week)),
        files=tuple(files),
    )


def _read(dumps: Sequence[Path], how: Gathering, kept_weeks: frozenset[str]) -> list[tuple[Path, list[DumpFile], list[ReadAnswer]]]:
    context = read_context(how.plan)

    def is_wanted(dump: Path, file: DumpFile) -> bool:
        return week_of(dump.name) not in kept_weeks or describe(file, sources(), context).table != "price_history"

    named = [[file for file in without_copies(list_dump(dump))[0] if is_wanted(dump, file)] for dump in dumps]
    total = sum(file.path.stat().st_size for files in named for file in files)
    counts = engine.Counts(sum(map(len, named)))
    found, place = [], 0
    with engine.executor(1, counts) as pool, how.watch(engine.Work(total, True, counts.read)):
        for number, (dump, files) in enumerate(zip(dumps, named, strict=True)):
            how.say(f"reading {dump}")
            folder = how.work / f"dump-{number:05d}"
            make_folder(folder)
            tasks = [ReadTask(file, place + at, context, folder, 1) for at, file in enumerate(files)]
            found.append((dump, files, engine.run_all(pool, read_task, tasks)))
            place += len(files)
    return found


def _marked(table: pa.Table, dump: str) -> pa.Table:
    """Files of different dumps may share a name: they are distinguished, so that repeats inside one file are still found."""
    named = pa.array([f"{dump}/{file}" for file in table["file"].to_pylist()], pa.string())
    return table.set_column(table.column_names.index("file"), table.schema.field("file"), named)


def _newest_rows(candidates: Sequence[pa.Table], orders: Sequence[pa.Table], returns: Sequence[pa.Table]) -> pd.DataFrame:
    recorded = {product for table in (*orders, *returns) for product in table["product_id"].unique().to_pylist()}
    wanted = pa.array(sorted(recorded), pa.string())
    parts = []
    for table in candidates:
        has_counts = pc.and_(pc.is_valid(table["sold_orders"]), pc.is_valid(table["returned_orders"]))
        kept = table.filter(pc.or_(pc.is_in(table["product_id"], value_set=wanted), has_counts))
        parts.append(one_row_per_product(to_frame(kept)).candidates)
    return pd.concat(parts, ignore_index=True).drop_duplicates(KEY, keep="first").reset_index(drop=True)
