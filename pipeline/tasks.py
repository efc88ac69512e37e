"""What a worker does: read one file of a dump, or decide one bucket of products. Paths and parameters in, small facts out.

Between the two lie spills: typed rows sorted by bucket. A product's bucket follows from a stable hash of its id alone, and buckets are
ranges of that hash, so that the rows put together in bucket order stand in one order, whatever the number of buckets or workers.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import engine, keys, store
from pipeline.calendar import day_number
from pipeline.config import CONFIGS, Configs, load_configs
from pipeline.customs import imports_in_force, parse_imports
from pipeline.fees import parse_schedules
from pipeline.frames import to_arrow, to_frame
from pipeline.fulfilment import cards_in_force, parse_cards
from pipeline.ingest.ahead import ahead
from pipeline.ingest.dump import DumpFile, FileReport, ReadContext, read_file
from pipeline.ingest.files import unreadable
from pipeline.ingest.price_reading import MarketPrices, price_parts
from pipeline.ingest.sources import Source, load_sources
from pipeline.models import NO_MODELS, FittedModels
from pipeline.plan import Plan, SourceFacts
from pipeline.price_rows import PriceRows
from pipeline.publish.ledger import publish_frame
from pipeline.publish.series import price_series
from pipeline.stages.categories import CategoryPolicy, CategoryRules, compile_rules
from pipeline.stages.kept_records import KEPT_COLUMNS, told_once
from pipeline.stages.margin import Tariff, schedules_in_force
from pipeline.stages.offer_costs import Rates, rate_counts
from pipeline.stages.price_tables import packed, table_of
from pipeline.store_history import Known, merge_ids, read_ids, write_ids
from pipeline.store_tables import PriceSpill, SpillFile
from pipeline.tables import DUMP_TABLES, OFFERS, ORIGIN, PRICE_HISTORY, empty, schema
from pipeline.week import Bucket, PriceFile, WeekFacts, decide

# Tables whose rows belong to one product and are worked on bucket by bucket; the others are small or looked up across products.
OFFER_KEY = ("supplier_id", "product_id", "supplier_sku", "gtin")
BUCKETED = ("candidates", "orders", "returns")
_SPILL_BYTES = 64 << 20  # of typed rows; bytes and not rows, since a title may be long
_SPILL_PRICES = 2_000_000
_PRICES = schema(PRICE_HISTORY)
Told = MarketPrices | tuple[str, pa.Table]  # what a file holds, part by part


def product_hash(products: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The 32-bit hash of each product id (int64): the same on every machine and in every release."""
    return keys.key_hash(keys.pack_texts(products)[0])


def with_bucket(table: pa.Table, buckets: int, *, by: tuple[str, ...] = ("product_id",)) -> pa.Table:
    """The rows with `hash` and `bucket` (int64), bucket b holding the b-th range of the hash of the columns `by`."""
    key = table[by[0]] if len(by) == 1 else pc.binary_join_element_wise(*(pc.fill_null(table[name], "") for name in by), "\x1f")
    hashes = product_hash(key)
    return table.append_column("hash", pa.array(hashes)).append_column("bucket", pa.array((hashes * buckets) >> keys.HASH_BITS))


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
    """What every file is read against: currencies, marketplaces, and the plan's word on what a source cannot know of itself."""
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
    spills = []
    for _, spill in ahead(
        functools.partial(_spill, task),
        enumerate(_batches(_counted(task, price_parts(reading), reading.report), prices)),
        min(task.threads, 2) - 1,
    ):
        spills.append(spill())
    reading.report.check_ledger()
    return ReadAnswer(reading.report, (*spills, *prices.close()))


def _counted(task: ReadTask, parts: Iterable[Told], report: FileReport) -> Iterator[Told]:
    """The same parts; whoever looks on learns how far the file is read."""
    for part in parts:
        engine.tell_read(task.place, report.size, report.rows)
        yield part
    engine.tell_read(task.place, report.size, report.rows)


class _PriceSpills:
    """The prices of one file, packed and spilled by marketplace."""

    def __init__(self, task: ReadTask) -> None:
        self._task = task
        self._files: dict[str, PriceSpill] = {}
        self._pending: dict[str, list[PriceRows]] = {}
        self._spills: list[tuple[str, Path]] = []
        self._wide: dict[int, str] = {}

    def add_table(self, table: pa.Table) -> None:
        """Rows in the columns of `tables.PRICE_HISTORY`."""
        told = packed(table)
        merge_ids(self._wide, told.wide)
        for market, rows in told.rows.items():
            self.add(MarketPrices(market, told.currencies[market], rows))

    def add(self, told: MarketPrices) -> None:
        """Rows of one marketplace."""
        market = told.market
        if market not in self._files:
            path = self._task.work / f"prices-{market}-{self._task.place:05d}.arrow"
            facts = {"file": self._task.file.name, "marketplace": market, "currency": told.currency}
            self._files[market] = PriceSpill(path, self._task.buckets, facts)
            self._spills.append(("prices", path))
        pending = self._pending.setdefault(market, [])
        pending.append(told.rows)
        if sum(map(len, pending)) >= _SPILL_PRICES:
            self._files[market].write(PriceRows.of(self._pending.pop(market)))

    def close(self) -> list[tuple[str, Path]]:
        """Write what waits; hands back the spills."""
        for market, spill in self._files.items():
            with spill:
                if market in self._pending:
                    spill.write(PriceRows.of(self._pending.pop(market)))
        if self._wide:
            path = self._task.work / f"ids-{self._task.place:05d}.parquet"
            write_ids(path, self._wide)
            self._spills.append(("price_ids", path))
        return self._spills


def _batches(parts: Iterable[Told], prices: _PriceSpills) -> Iterator[tuple[str, list[pa.Table]]]:
    """Chunks of one table, put together until they are worth a spill; prices go their own way."""
    pending: dict[str, list[pa.Table]] = {}
    for told in parts:
        if isinstance(told, MarketPrices):
            prices.add(told)
            continue
        name, table = told
        if name == "price_history":
            prices.add_table(table.select(_PRICES.names).cast(_PRICES))
            continue
        pending.setdefault(name, []).append(table)
        if sum(part.nbytes for part in pending[name]) >= _SPILL_BYTES:
            yield name, pending.pop(name)
    yield from pending.items()


def _spill(task: ReadTask, batch: tuple[int, tuple[str, list[pa.Table]]]) -> tuple[str, Path]:
    number, (name, parts) = batch
    path = task.work / f"{name}-{task.place:05d}-{number:05d}.parquet"
    # Equal offers meet in one bucket, though their product is not known yet.
    by = ("product_id",) if name in BUCKETED else OFFER_KEY if name == "offers" else ()
    if by:
        parts = [with_bucket(part, task.buckets, by=by) for part in parts]
    store.write_spill(path, pa.concat_tables(parts), task.buckets if by else 1)
    return name, path


@dataclass(frozen=True)
class DecideTask:
    """Decide one bucket."""

    bucket: int
    buckets: int
    work: Path
    spills: tuple[tuple[str, Path], ...]
    known: Known
    plan: Plan
    as_of: dt.date
    models: FittedModels = NO_MODELS


@dataclass(frozen=True)
class DecideAnswer:
    """Where a bucket's decisions, what is kept of it and its shown prices lie, and the small facts that add up over buckets."""

    decisions: Path
    kept: Mapping[str, Path]
    series: Path
    rows: int
    repeats: dict[str, int]
    superseded: dict[str, int]
    conflicts: tuple[dict[str, object], ...]
    rejects_alone: dict[str, int]
    fresh_returns: dict[str, int]
    verdicts: dict[str, int]
    rates: dict[str, int]


def decide_task(task: DecideTask) -> DecideAnswer:
    """Decide the products of one bucket and keep the answer as spills."""
    facts = _facts(task.work, task.plan, task.as_of, task.models)
    bucket = _bucket(task)
    decided = decide(bucket, facts)
    hashes = pa.array(product_hash(pa.array(decided.frame["product_id"], pa.string())))
    published = publish_frame(decided.frame, decided.reasons, decided.missing, facts.marketplaces, facts.digits)
    order = [("hash", "ascending"), ("product_id", "ascending"), ("marketplace", "ascending")]
    published = published.append_column("hash", hashes).sort_by(order).drop_columns(["hash"])
    decisions = task.work / f"decided-{task.bucket:05d}.parquet"
    store.write_spill(decisions, published, 1)
    kept = _spill_kept(task, decided.prices, bucket)
    series = task.work / f"series-{task.bucket:05d}.parquet"
    may_be_shown = decided.frame["verdict"].isin(["passed", "review"]) | decided.frame["is_listed"].fillna(False)
    shown = price_series(decided.known_prices, decided.frame, may_be_shown.to_numpy(dtype=bool), facts.as_of, facts.digits)
    store.write_spill(series, shown, 1)
    return DecideAnswer(
        decisions=decisions,
        kept=kept,
        series=series,
        rows=published.num_rows,
        repeats=decided.repeats,
        superseded=decided.superseded,
        conflicts=tuple(decided.conflicts.astype(object).to_dict("records")),
        rejects_alone=decided.rejects_alone,
        fresh_returns=decided.fresh_returns,
        rates=rate_counts(decided.frame),
        verdicts={str(k): int(v) for k, v in decided.frame["verdict"].value_counts().items()},
    )


def spilled(spills: Iterable[tuple[str, Path]], name: str, bucket: int = 0) -> pa.Table:
    """The rows of a table in one bucket, over all its spills in their order."""
    columns = DUMP_TABLES[name]
    # Parquet knows no seconds: the cast brings instants back to them.
    parts = [
        store.read_spill(path, bucket).select([c.name for c in columns]).cast(schema(columns)) for table, path in spills if table == name
    ]
    return pa.concat_tables(parts) if parts else empty(columns)


def spilled_history(spills: Sequence[tuple[str, Path]], bucket: int = 0) -> pa.Table:
    """The prices of one bucket in the columns of `tables.PRICE_HISTORY`, over all files in their order."""
    wide: dict[int, str] = {}
    for path in (path for name, path in spills if name == "price_ids"):
        merge_ids(wide, read_ids(path))
    parts = [empty(PRICE_HISTORY)]
    for path in (path for name, path in spills if name == "prices"):
        with SpillFile(path) as spill:
            parts.append(table_of(spill.read(bucket), spill.facts["marketplace"], spill.facts["currency"], wide))
    return pa.concat_tables(parts)


def _spill_kept(task: DecideTask, prices: Mapping[str, PriceRows], bucket: Bucket) -> dict[str, Path]:
    """What this dump adds to what later weeks know: prices by marketplace, orders and return reports."""
    kept = {}
    for market, rows in prices.items():
        kept[market] = task.work / f"kept-{market}-{task.bucket:05d}.arrow"
        with PriceSpill(kept[market], 1, {}) as spill:
            spill.write(rows)
    for name, rows in (("orders", bucket.orders), ("returns", bucket.returns)):
        columns = KEPT_COLUMNS[name]
        table = to_arrow(told_once(rows, columns), columns)
        if table.num_rows:
            kept[name] = task.work / f"kept-{name}-{task.bucket:05d}.parquet"
            table = table.append_column("hash", pa.array(product_hash(table["product_id"])))
            store.write_spill(kept[name], table.sort_by([(c, "ascending") for c in ("hash", *(c.name for c in columns))]), 1)
    return kept


def _bucket(task: DecideTask) -> Bucket:
    def frame(name: str) -> pd.DataFrame:
        return to_frame(spilled(task.spills, name, task.bucket))

    # A bucket is a range of the hash: products of kept weeks are found by that range, however many buckets there are.
    low, high = (bound >> keys.HASH_BITS for bound in keys.bucket_bounds(task.bucket, task.buckets))
    prices = []
    for path in (path for name, path in task.spills if name == "prices"):
        with SpillFile(path) as spill:
            prices.append(PriceFile(spill.facts["file"], spill.facts["marketplace"], spill.read(task.bucket)))

    def earlier(name: str) -> pd.DataFrame:
        return to_frame(task.known.records(name, schema(KEPT_COLUMNS[name]), (low, high)))

    offers = [store.read_spill(path, task.bucket) for table, path in task.spills if table == "matched_offers"]
    columns = [*OFFERS, *ORIGIN]
    matched = schema(tuple(columns)).append(pa.field("matched_by", pa.string()))
    return Bucket(
        candidates=frame("candidates"),
        price_files=sorted(prices, key=lambda entry: entry.file),
        kept_prices={market: task.known.prices(market, task.bucket, task.buckets) for market in task.known.markets()},
        offers=to_frame(pa.concat_tables([o.select(matched.names) for o in offers]) if offers else matched.empty_table()),
        orders=frame("orders"),
        kept_orders=earlier("orders"),
        returns=frame("returns"),
        kept_returns=earlier("returns"),
    )


_FACTS: dict[Path, WeekFacts] = {}


def _facts(work: Path, plan: Plan, as_of: dt.date, models: FittedModels) -> WeekFacts:
    """What is the same for every bucket of a run, put together once in each process."""
    if work not in _FACTS:
        _FACTS.clear()
        _FACTS[work] = _gathered(work, plan, as_of, models)
    return _FACTS[work]


def category_policy(plan: Plan) -> CategoryPolicy:
    """What the plan makes of each kind of goods, as the category gate takes it."""
    policy = plan.categories.model_dump()
    policy.pop("blocked_brands")
    policy["authorised_brands"] = frozenset(policy["authorised_brands"])
    policy["known_brands"] = frozenset(policy["known_brands"])
    return CategoryPolicy(**policy)


@functools.lru_cache(maxsize=2)
def _category_rules(configs: Configs) -> CategoryRules:
    """Compiled once in a process: `--rebuild` makes many weeks, and of a small one this was a tenth."""
    return compile_rules(configs.category_tables)


def _gathered(work: Path, plan: Plan, as_of: dt.date, models: FittedModels) -> WeekFacts:
    configs = load_configs()
    day = day_number(as_of)
    return WeekFacts(
        as_of=day,
        plan=plan,
        tariff=Tariff(
            schedules=schedules_in_force(parse_schedules(configs.fee_tables, configs.digits), as_of),
            cards=cards_in_force(parse_cards(configs.card_tables, configs.digits), as_of),
            rates=Rates.on(plan.exchange_rates, day),
            digits=configs.digits,
        ),
        imports=imports_in_force(parse_imports(configs.fee_tables, configs.digits), as_of),
        marketplaces=configs.marketplaces,
        digits=configs.digits,
        category_rules=_category_rules(configs),
        category_policy=category_policy(plan),
        decisions=to_frame(store.read_parquet(work / "facts-decisions.parquet")),
        listed=to_frame(store.read_parquet(work / "facts-listed.parquet")),
        lateness=to_frame(store.read_parquet(work / "facts-lateness.parquet")),
        models=models,
    )
