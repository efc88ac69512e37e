"""The deciding task of a worker: decide the products of one bucket and spill the answer. Paths and parameters in, small facts out."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.config.files import Configs, load_configs
from pipeline.config.plan import Plan
from pipeline.costs.customs import imports_in_force, parse_imports
from pipeline.costs.fees import parse_schedules
from pipeline.costs.fulfilment import cards_in_force, parse_cards
from pipeline.publish.tables.ledger import publish_frame
from pipeline.publish.tables.price_series import price_series
from pipeline.runs.spills import product_hash, spilled
from pipeline.stages.categories.department import Gate
from pipeline.stages.categories.gate import CategoryPolicy, CategoryRules, compile_rules
from pipeline.stages.categories.overrides import is_override
from pipeline.stages.fitted_models import NO_MODELS, FittedModels
from pipeline.stages.margin.unit_economics import Tariff, schedules_in_force
from pipeline.stages.offers.costs import Buying, Rates, rate_counts
from pipeline.stages.records.earlier_weeks import KEPT_COLUMNS, without_exact_repeats
from pipeline.store.kept_weeks import Known
from pipeline.store.parquet import read_parquet, read_spill, write_spill
from pipeline.store.price_spills import PriceSpill, SpillFile
from pipeline.tables import keys
from pipeline.tables.calendar import day_number
from pipeline.tables.frames import to_arrow, to_frame
from pipeline.tables.price_rows import PriceRows
from pipeline.tables.schemas import OFFERS, ORIGIN, schema
from pipeline.week import Bucket, PriceFile, WeekFacts, decide


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
    write_spill(decisions, published, 1)
    kept = _spill_kept(task, decided.prices, bucket)
    series = task.work / f"series-{task.bucket:05d}.parquet"
    may_be_shown = decided.frame["verdict"].isin(["passed", "review"]) | decided.frame["is_listed"].fillna(False)
    shown = price_series(decided.known_prices, decided.frame, may_be_shown.to_numpy(dtype=bool), facts.as_of, facts.digits)
    write_spill(series, shown, 1)
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


def _spill_kept(task: DecideTask, prices: Mapping[str, PriceRows], bucket: Bucket) -> dict[str, Path]:
    """What this dump adds to what later weeks know: prices by marketplace, orders and return reports."""
    kept = {}
    for market, rows in prices.items():
        kept[market] = task.work / f"kept-{market}-{task.bucket:05d}.prices"
        with PriceSpill(kept[market], 1, {}) as spill:
            spill.write(rows)
    for name, rows in (("orders", bucket.orders), ("returns", bucket.returns)):
        columns = KEPT_COLUMNS[name]
        table = to_arrow(without_exact_repeats(rows, columns), columns)
        if table.num_rows:
            kept[name] = task.work / f"kept-{name}-{task.bucket:05d}.parquet"
            table = table.append_column("hash", pa.array(product_hash(table["product_id"])))
            write_spill(kept[name], table.sort_by([(c, "ascending") for c in ("hash", *(c.name for c in columns))]), 1)
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

    offers = [read_spill(path, task.bucket) for table, path in task.spills if table == "matched_offers"]
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
        _FACTS[work] = _load_facts(work, plan, as_of, models)
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


def _load_facts(work: Path, plan: Plan, as_of: dt.date, models: FittedModels) -> WeekFacts:
    configs = load_configs()
    day, rates = day_number(as_of), Rates.on(plan.exchange_rates, day_number(as_of))
    imports = imports_in_force(parse_imports(configs.fee_tables, configs.digits), as_of)
    duty_free = {code: market.duty_free_origins for code, market in configs.marketplaces.items()}
    decisions = to_frame(read_parquet(work / "facts-decisions.parquet"))
    overrides = is_override(decisions)
    return WeekFacts(
        as_of=day,
        plan=plan,
        tariff=Tariff(
            schedules=schedules_in_force(parse_schedules(configs.fee_tables, configs.digits), as_of),
            cards=cards_in_force(parse_cards(configs.card_tables, configs.digits), as_of),
            rates=rates,
            digits=configs.digits,
        ),
        buying=Buying(plan, rates, configs.digits, duty_free, imports, day),
        vat_regions={code: market.vat_region or None for code, market in configs.marketplaces.items()},
        marketplaces=configs.marketplaces,
        digits=configs.digits,
        gate=Gate(_category_rules(configs), category_policy(plan), models.categories),
        category_decisions=decisions[overrides],
        decisions=decisions[~overrides],
        listed=to_frame(read_parquet(work / "facts-listed.parquet")),
        lateness=to_frame(read_parquet(work / "facts-lateness.parquet")),
        models=models,
    )
