"""`shortlist train`: fit models to the seller's own records and keep them in the data folder, each with its card.

What is read is every dump of the data folder (or those that are named): order lines, return reports, and the candidates that tell
class and price; prices of weeks that the store knows come from the store. Nothing here knows a clock: the newest week's Sunday is the day.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline import engine
from pipeline.config.files import load_configs, load_plan
from pipeline.config.plan import Plan
from pipeline.errors import DumpError, NothingToDo, UsageError
from pipeline.runs.decide_task import category_policy
from pipeline.runs.inputs import complete_dumps
from pipeline.runs.plan_check import check_plan
from pipeline.runs.spills import product_hash
from pipeline.stages.categories.gate import classify, compile_rules
from pipeline.stages.records.orders import order_facts
from pipeline.stages.records.own_records import own_counts, period_counts
from pipeline.stages.returns.posterior import configured_priors, counted_evidence
from pipeline.stages.returns.prior import ReturnCounts, fit_returns
from pipeline.store.data_folder import DataFolder
from pipeline.store.files import scratch_folder
from pipeline.store.kept_weeks import Known
from pipeline.store.model_files import Trained, keep_model, packed
from pipeline.tables.calendar import checked_week, next_week, week_of
from pipeline.tables.frames import days, text, whole
from pipeline.training.prices import kept_prices, train_prices
from pipeline.training.records import Gathering, Records, Say, gather_records
from pipeline.training.return_fit import FOLDS, Later, held_out, training_lines, unseen_products
from pipeline.training.return_title_fit import compare_titles, fit_with_titles
from pipeline.week import with_ordered_products

PRODUCTS_MIN = 5
_EARLIER_SHARE = 0.7  # of the mature orders: before the cut


@dataclass(frozen=True)
class TrainOptions:
    """What the command was asked."""

    data: Path
    dumps: tuple[Path, ...] = ()
    week: str | None = None
    plan: Path | None = None
    dry_run: bool = False


def train(options: TrainOptions, say: Say = lambda line: None, watch: engine.Watch = engine.unwatched) -> list[Trained]:
    """Fit every model that the records allow, and keep them unless it is a dry run.

    Raises
    ------
    NothingToDo
        No dump, or fewer than five products with mature orders.
    Refusal
        As a run refuses a dump or a plan.
    """
    plan = load_plan(options.plan)
    check_plan(plan)
    data = DataFolder(options.data)
    dumps, week = _dumps(data, options)
    if options.dry_run:
        with scratch_folder() as work:
            return _trained(options, data, dumps, week, Gathering(plan, work, say, watch))
    with data.lock():
        data.sweep()
        with data.work_folder() as work:
            trained = _trained(options, data, dumps, week, Gathering(plan, work, say, watch))
        for one in trained:
            keep_model(data, one)
    return trained


def _trained(options: TrainOptions, data: DataFolder, dumps: Sequence[Path], week: str, gathering: Gathering) -> list[Trained]:
    # Named dumps are read whole; otherwise the prices of the weeks are in the store already.
    known = Known() if options.dumps else data.kept.known(next_week(week))
    records = gather_records(dumps, week, gathering, frozenset(reported for reported, _ in known.weeks))
    prices = train_prices([*records.histories, kept_prices(known)], records.as_of, gathering.plan)
    return [train_returns(records, gathering.plan), *([prices] if prices is not None else [])]


def _dumps(data: DataFolder, options: TrainOptions) -> tuple[list[Path], str]:
    """The dumps to read, newest first, and the week that closes them."""
    last = checked_week(options.week) if options.week else None
    if options.dumps:
        named = [(week_of((path if path.is_dir() else path.parent).resolve().name), path) for path in options.dumps]
        for week, path in named:
            if not path.exists():
                raise DumpError(f"{path}: not there; name folders or files that hold records")
            if week is None and last is None:
                raise UsageError(f"{path} names no week; add --week, for example --week 2026-W47")
        found = [(week or last or "", path) for week, path in named]
    else:
        found = list(complete_dumps(data.dumps).items())
    found = sorted(((week, path) for week, path in found if last is None or week <= last), reverse=True)
    if not found:
        raise NothingToDo(f"no complete dump in {data.dumps} to learn from; put one there, or name a folder")
    return [path for _, path in found], last or found[0][0]


@dataclass(frozen=True)
class _Table:
    """Products with records: what the model is fitted to now, what was known at the cut, and what came after it."""

    products: pd.DataFrame
    now: ReturnCounts
    at_cut: ReturnCounts
    later: Later
    configured_strength: np.ndarray
    cut: int


def train_returns(records: Records, plan: Plan) -> Trained:
    """Fit the return prior to these records; raises `NothingToDo` for fewer than five products with mature orders."""
    table = _training_table(records, plan)
    sold = table.now.orders > 0
    if sold.sum() < PRODUCTS_MIN:
        raise NothingToDo(
            f"{sold.sum()} products with orders older than {plan.returns.window_days} days; wanted at least {PRODUCTS_MIN}: "
            "put your order lines or return reports into the dump"
        )
    compared = compare_titles(table.now)
    fit = fit_with_titles if compared is not None and compared["is_used"] else fit_returns
    model = fit(table.now)
    folds = product_hash(pa.array(table.products["product_id"], pa.string())) % FOLDS
    first, last = _span(records, plan.returns.window_days)
    card: dict[str, Any] = {
        "data": {
            "products": int(sold.sum()),
            "orders": int(table.now.orders.sum()),
            "returned": int(table.now.returned.sum()),
            "from": str(first),
            "to": str(last),
            "cut": str(_date(table.cut)),
            "window_days": plan.returns.window_days,
            "classes": {str(k): int(v) for k, v in pd.Series(table.now.classes[sold]).value_counts().sort_index().items()},
            "files": [{"name": name, "sha256": digest} for name, digest in records.files],
        },
        "model": {"strength": float(np.exp(model.log_strength)), "slope": model.slope, "shift": model.shift},
        "unseen_products": unseen_products(table.now, folds, table.configured_strength),
        "title_words": compared,
        "later_orders": held_out(table.at_cut, table.later, table.configured_strength, plan.returns.evidence_discount, fit),
    }
    return Trained("returns", packed("returns", model), card, functools.partial(training_lines, card))


def _training_table(records: Records, plan: Plan) -> _Table:
    window = plan.returns.window_days
    facts = order_facts(records.orders, records.as_of, window, plan.rules.fba_window_days)
    products = with_ordered_products(records.candidates, facts.candidates)
    rules = compile_rules(load_configs().category_tables)
    reported = classify(products, rules, category_policy(plan))
    products = products.assign(return_class=reported["return_class"].to_numpy())
    classes, mean, strength = configured_priors(products, plan.returns)
    price, known = whole(products, "price_cents")

    def counts(as_of: int, *, undated: bool) -> ReturnCounts:
        from_orders = facts.counts if as_of == records.as_of else order_facts(records.orders, as_of, window, 1).counts
        own = own_counts(products, from_orders, period_counts(records.returns, as_of, window))
        evidence = counted_evidence(products, own)
        used = evidence.is_own | (undated & (evidence.sold > 0))
        return ReturnCounts(
            orders=np.where(used, evidence.sold, 0),
            returned=np.where(used, evidence.returned, 0),
            classes=classes,
            configured_mean=mean,
            price_cents=np.where(known, price, 0),
            currency=text(products, "currency"),
            titles=text(products, "title"),
        )

    now, dated = counts(records.as_of, undated=True), counts(records.as_of, undated=False)
    cut = _cut(records, window)
    at_cut = counts(cut, undated=False)
    after = np.maximum(dated.orders - at_cut.orders, 0)
    later = Later(after, np.clip(dated.returned - at_cut.returned, 0, after))
    return _Table(products, now, at_cut, later, strength, cut)


def _mature_days(records: Records, window_days: int) -> np.ndarray:
    """The day of every mature order, sorted: of order lines the sale's, of return reports the period's last, as often as sold."""
    sold = np.floor_divide(records.orders["ordered_at"].astype("int64[pyarrow]").to_numpy(dtype=np.int64), 86_400)
    sold = sold[~records.orders["is_return"].fillna(False).to_numpy(dtype=bool)]
    ends = np.repeat(days(records.returns, "period_end")[0], whole(records.returns, "sold_orders")[0])
    every = np.sort(np.concatenate([sold, ends]))
    return every[every < records.as_of - window_days]


def _cut(records: Records, window_days: int) -> int:
    """The day at which seven in ten of today's mature orders were mature."""
    mature = _mature_days(records, window_days)
    return int(mature[int(_EARLIER_SHARE * (len(mature) - 1))]) + window_days + 1 if len(mature) else records.as_of


def _span(records: Records, window_days: int) -> tuple[dt.date, dt.date]:
    """First and last day of mature orders; a tool's counts have no dates and reach to the as-of day."""
    mature = _mature_days(records, window_days)
    first, last = (int(mature[0]), int(mature[-1])) if len(mature) else (records.as_of, records.as_of)
    return _date(first), _date(last)


def _date(day: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=day)
