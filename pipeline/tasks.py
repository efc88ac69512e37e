"""What a worker does: read one file of a dump, or decide one bucket of products. Paths and parameters in, small facts out.

Between the two lie spills: typed rows sorted by bucket. A product's bucket follows from a stable hash of its id alone, and buckets are
ranges of that hash, so that the rows put together in bucket order stand in one order, whatever the number of buckets or workers.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import store
from pipeline.calendar import day_number
from pipeline.config import CONFIGS, load_configs
from pipeline.customs import imports_in_force, parse_imports
from pipeline.fees import parse_schedules
from pipeline.frames import to_arrow, to_frame
from pipeline.fulfilment import cards_in_force, parse_cards
from pipeline.ingest.dump import DumpFile, FileReport, ReadContext, read_file
from pipeline.ingest.sources import Source, load_sources
from pipeline.models import NO_MODELS, FittedModels
from pipeline.plan import Plan, SourceFacts
from pipeline.publish.ledger import publish_frame
from pipeline.stages.categories import CategoryPolicy, compile_rules
from pipeline.stages.margin import Tariff, schedules_in_force
from pipeline.stages.offer_costs import Rates, rate_counts
from pipeline.tables import DUMP_TABLES, OFFERS, ORIGIN, PRICE_HISTORY, empty, schema
from pipeline.week import Bucket, WeekFacts, decide

# Tables whose rows belong to one product and are worked on bucket by bucket; the others are small or looked up across products.
OFFER_KEY = ("supplier_id", "product_id", "supplier_sku", "gtin")
BUCKETED = ("candidates", "price_history", "orders", "returns")
_SPILL_ROWS = 400_000
_HASH_BITS = 32


def product_hash(products: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A stable 32-bit hash of each product id (int64): the same on every machine and in every release."""
    encoded = products.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    words = encoded.dictionary.to_numpy(zero_copy_only=False)
    hashes = (pd.util.hash_array(words.astype(object), categorize=False) >> np.uint64(64 - _HASH_BITS)).astype(np.int64)
    return hashes[np.asarray(encoded.indices)] if len(words) else np.zeros(0, dtype=np.int64)


def with_bucket(table: pa.Table, buckets: int, *, by: tuple[str, ...] = ("product_id",)) -> pa.Table:
    """The rows with `hash` and `bucket` (int64), bucket b holding the b-th range of the hash of the columns `by`."""
    key = table[by[0]] if len(by) == 1 else pc.binary_join_element_wise(*(pc.fill_null(table[name], "") for name in by), "\x1f")
    hashes = product_hash(key)
    return table.append_column("hash", pa.array(hashes)).append_column("bucket", pa.array((hashes * buckets) >> _HASH_BITS))


@dataclass(frozen=True)
class ReadTask:
    """Read one file and spill it."""

    file: DumpFile
    place: int
    context: ReadContext
    work: Path
    buckets: int


@dataclass(frozen=True)
class ReadAnswer:
    """The file's ledger, and the spills that hold its rows: (table, path)."""

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
    """Read one file strictly, spill its typed rows, and hand back its ledger."""
    reading = read_file(task.file, sources(), task.context)
    spills: list[tuple[str, Path]] = []
    pending: dict[str, list[pa.Table]] = {}

    def flush(name: str) -> None:
        table = pa.concat_tables(pending.pop(name))
        path = task.work / f"{name}-{task.place:05d}-{len(spills):05d}.parquet"
        if name in BUCKETED:
            store.write_spill(path, with_bucket(table, task.buckets), task.buckets)
        elif name == "offers":  # equal offers meet in one bucket, though their product is not known yet
            store.write_spill(path, with_bucket(table, task.buckets, by=OFFER_KEY), task.buckets)
        else:
            store.write_spill(path, table, 1)
        spills.append((name, path))

    for name, table in reading.tables():
        if table.num_rows:
            pending.setdefault(name, []).append(table)
            if sum(part.num_rows for part in pending[name]) >= _SPILL_ROWS:
                flush(name)
    for name in list(pending):
        flush(name)
    reading.report.check_ledger()
    return ReadAnswer(reading.report, tuple(spills))


@dataclass(frozen=True)
class DecideTask:
    """Decide one bucket."""

    bucket: int
    buckets: int
    work: Path
    spills: tuple[tuple[str, Path], ...]
    kept_history: tuple[Path, ...]
    plan: Plan
    as_of: dt.date
    models: FittedModels = NO_MODELS


@dataclass(frozen=True)
class DecideAnswer:
    """Where a bucket's decisions and history lie, and the small facts that add up over buckets."""

    decisions: Path
    history: Path
    rows: int
    repeats: dict[str, int]
    superseded: dict[str, int]
    conflicts: tuple[dict[str, object], ...]
    rejects_alone: dict[str, int]
    verdicts: dict[str, int]
    rates: dict[str, int]


def decide_task(task: DecideTask) -> DecideAnswer:
    """Decide the products of one bucket and keep the answer as spills."""
    facts = _facts(task.work, task.plan, task.as_of, task.models)
    decided = decide(_bucket(task), facts)
    hashes = pa.array(product_hash(pa.array(decided.frame["product_id"], pa.string())))
    published = publish_frame(decided.frame, decided.reasons, decided.missing, facts.marketplaces, facts.digits)
    order = [("hash", "ascending"), ("product_id", "ascending"), ("marketplace", "ascending")]
    published = published.append_column("hash", hashes).sort_by(order).drop_columns(["hash"])
    decisions = task.work / f"decided-{task.bucket:05d}.parquet"
    store.write_spill(decisions, published, 1)
    history = to_arrow(decided.history, PRICE_HISTORY)
    history = history.append_column("hash", pa.array(product_hash(history["product_id"])))
    history = history.sort_by([*order, ("date", "ascending")])
    kept = task.work / f"history-{task.bucket:05d}.parquet"
    store.write_spill(kept, history, 1)
    return DecideAnswer(
        decisions=decisions,
        history=kept,
        rows=published.num_rows,
        repeats=decided.repeats,
        superseded=decided.superseded,
        conflicts=tuple(decided.conflicts.astype(object).to_dict("records")),
        rejects_alone=decided.rejects_alone,
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


def _bucket(task: DecideTask) -> Bucket:
    def frame(name: str) -> pd.DataFrame:
        return to_frame(spilled(task.spills, name, task.bucket))

    # A bucket is a range of the hash: products of kept history are found by that range, however many buckets there are.
    low = -((-task.bucket << _HASH_BITS) // task.buckets)
    high = -((-(task.bucket + 1) << _HASH_BITS) // task.buckets)
    earlier = [to_frame(schema(PRICE_HISTORY).empty_table()).assign(generation=0)]
    for generation, path in enumerate(task.kept_history):
        kept = store.read_parquet(path, [c.name for c in PRICE_HISTORY], [("hash", ">=", low), ("hash", "<", high)])
        earlier.append(to_frame(kept).assign(generation=generation))
    offers = [store.read_spill(path, task.bucket) for table, path in task.spills if table == "matched_offers"]
    columns = [*OFFERS, *ORIGIN]
    matched = schema(tuple(columns)).append(pa.field("matched_by", pa.string()))
    return Bucket(
        candidates=frame("candidates"),
        price_history=frame("price_history"),
        kept_history=pd.concat(earlier, ignore_index=True),
        offers=to_frame(pa.concat_tables([o.select(matched.names) for o in offers]) if offers else matched.empty_table()),
        orders=frame("orders"),
        returns=frame("returns"),
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
        category_rules=compile_rules(configs.category_tables),
        category_policy=category_policy(plan),
        decisions=to_frame(store.read_parquet(work / "facts-decisions.parquet")),
        listed=to_frame(store.read_parquet(work / "facts-listed.parquet")),
        lateness=to_frame(store.read_parquet(work / "facts-lateness.parquet")),
        models=models,
    )
