"""The reading task of a worker: read one file of a dump strictly and spill its typed rows. Paths and parameters in, small facts out."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline import engine
from pipeline.config.files import load_configs
from pipeline.config.locations import CONFIGS
from pipeline.config.plan import Plan, SourceFacts
from pipeline.ingest.containers.dump_files import unreadable
from pipeline.ingest.dump import DumpFile, FileReport, ReadContext, read_file
from pipeline.ingest.prefetch import prefetch
from pipeline.ingest.price_reading import price_parts
from pipeline.ingest.rows.plain_prices import MarketPrices
from pipeline.ingest.sources.schema import Source, load_sources
from pipeline.runs.spills import with_bucket
from pipeline.stages.prices.arrays import packed
from pipeline.store.kept_weeks import merge_ids, write_ids
from pipeline.store.parquet import write_spill
from pipeline.store.price_spills import PriceSpill
from pipeline.tables.price_rows import PriceRows
from pipeline.tables.schemas import PRICE_HISTORY, schema

# Tables whose rows belong to one product and are worked on bucket by bucket; the others are small or looked up across products.
OFFER_KEY = ("supplier_id", "product_id", "supplier_sku", "gtin")
BUCKETED = ("candidates", "orders", "returns")
_SPILL_BYTES = 64 << 20  # of typed rows; bytes and not rows, since a title may be long
_SPILL_PRICES = 2_000_000
_PRICES = schema(PRICE_HISTORY)
FilePart = MarketPrices | tuple[str, pa.Table]  # a chunk of a file's rows


@dataclass(frozen=True)
class ReadTask:
    """Read one file and spill it."""

    file: DumpFile
    place: int
    context: ReadContext
    work: Path
    buckets: int
    threads: int = 1


@dataclass(frozen=True)
class ReadAnswer:
    """The file's ledger, and the spills that hold its rows: (table, path); `prices` and `price_ids` hold price histories."""

    report: FileReport
    spills: tuple[tuple[str, Path], ...]


def read_context(plan: Plan) -> ReadContext:
    """The configured currencies and marketplaces, and what the plan declares for each source."""
    configs = load_configs()
    aliases = {alias: code for code, market in configs.marketplaces.items() for alias in market.aliases}
    declared = {name: _declared(facts) for name, facts in plan.sources.items()}
    return ReadContext(
        currencies=dict(configs.digits),
        marketplaces={code: market.currency for code, market in configs.marketplaces.items()},
        aliases=aliases,
        default_marketplace=plan.general.marketplace,
        declared=declared,
    )


def _declared(facts: SourceFacts) -> dict[str, str]:
    return {name: value for name, value in facts.model_dump().items() if value is not None}


@functools.cache
def sources() -> tuple[Source, ...]:
    """The source files of `configs/sources/`, read once in each process."""
    return load_sources(CONFIGS / "sources")


def read_task(task: ReadTask) -> ReadAnswer:
    """Read one file strictly, spill its typed rows, and hand back its ledger; raises `DumpError` where it is gone or the disk fails."""
    try:
        return _read_and_spill(task)
    except OSError as error:  # a spill that fails is a refusal already
        raise unreadable(task.file.name, error) from None


def _read_and_spill(task: ReadTask) -> ReadAnswer:
    reading = read_file(task.file, sources(), task.context, task.threads)
    prices = _PriceSpills(task)
    batches = enumerate(_batches(task, price_parts(reading), reading.report, prices))
    spills = [written() for _, written in prefetch(functools.partial(_spill, task), batches, min(task.threads, 2) - 1)]
    reading.report.check_ledger()
    return ReadAnswer(reading.report, (*spills, *prices.close()))


class _PriceSpills:
    """The prices of one file, packed and spilled by marketplace."""

    def __init__(self, task: ReadTask) -> None:
        self._task = task
        self._files: dict[str, PriceSpill] = {}
        self._pending: dict[str, list[PriceRows]] = {}
        self._spills: list[tuple[str, Path]] = []
        self._wide_ids: dict[int, str] = {}

    def add_table(self, table: pa.Table) -> None:
        """Rows in the columns of `tables.schemas.PRICE_HISTORY`."""
        prices = packed(table)
        merge_ids(self._wide_ids, prices.wide)
        for market, rows in prices.rows.items():
            self.add(MarketPrices(market, prices.currencies[market], rows))

    def add(self, prices: MarketPrices) -> None:
        """Rows of one marketplace."""
        market = prices.market
        if market not in self._files:
            path = self._task.work / f"prices-{market}-{self._task.place:05d}.prices"
            facts = {"file": self._task.file.name, "marketplace": market, "currency": prices.currency}
            self._files[market] = PriceSpill(path, self._task.buckets, facts)
            self._spills.append(("prices", path))
        pending = self._pending.setdefault(market, [])
        pending.append(prices.rows)
        if sum(map(len, pending)) >= _SPILL_PRICES:
            self._files[market].write(PriceRows.of(self._pending.pop(market)))

    def close(self) -> list[tuple[str, Path]]:
        """Write the pending rows; the spills as (table, path)."""
        for market, spill in self._files.items():
            with spill:
                if market in self._pending:
                    spill.write(PriceRows.of(self._pending.pop(market)))
        if self._wide_ids:
            path = self._task.work / f"ids-{self._task.place:05d}.parquet"
            write_ids(path, self._wide_ids)
            self._spills.append(("price_ids", path))
        return self._spills


def _batches(task: ReadTask, parts: Iterable[FilePart], report: FileReport, prices: _PriceSpills) -> Iterator[tuple[str, list[pa.Table]]]:
    """Chunks of one table, collected until they are worth a spill; prices go to `prices`. Reports how far the file is read."""
    pending: dict[str, list[pa.Table]] = {}
    for part in parts:
        engine.report_progress(task.place, report.size, report.rows)
        if isinstance(part, MarketPrices):
            prices.add(part)
            continue
        name, table = part
        if name == "price_history":
            prices.add_table(table.select(_PRICES.names).cast(_PRICES))
            continue
        pending.setdefault(name, []).append(table)
        if sum(chunk.nbytes for chunk in pending[name]) >= _SPILL_BYTES:
            yield name, pending.pop(name)
    engine.report_progress(task.place, report.size, report.rows)
    yield from pending.items()


def _spill(task: ReadTask, batch: tuple[int, tuple[str, list[pa.Table]]]) -> tuple[str, Path]:
    number, (name, parts) = batch
    path = task.work / f"{name}-{task.place:05d}-{number:05d}.parquet"
    # Equal offers meet in one bucket, though their product is not known yet.
    by = ("product_id",) if name in BUCKETED else OFFER_KEY if name == "offers" else ()
    if by:
        parts = [with_bucket(part, task.buckets, by=by) for part in parts]
    write_spill(path, pa.concat_tables(parts), task.buckets if by else 1)
    return name, path
