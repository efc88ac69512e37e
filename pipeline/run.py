"""One week for real: find the dump, read it, decide every bucket, write the list, point to it last."""

from __future__ import annotations

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline import engine, store
from pipeline.accounts import ledger, write_set_aside, write_unmatched
from pipeline.calendar import day_number, sunday_of
from pipeline.config import load_configs, load_plan
from pipeline.errors import DoubtError, DumpError
from pipeline.fees import parse_schedules
from pipeline.frames import to_arrow, to_frame
from pipeline.ingest.containers import ENDINGS
from pipeline.ingest.dump import ReadContext
from pipeline.inputs import Inputs, find_dump, gather, run_id, versions
from pipeline.keep import PARCELS, Told, keep_week
from pipeline.log import SILENT, Log
from pipeline.messages import chosen
from pipeline.models import NO_MODELS, FittedModels, load_models
from pipeline.plan import Plan
from pipeline.plan_check import check_plan
from pipeline.publish.documents import RunFolder, documents
from pipeline.publish.kept import write_notes, write_shown
from pipeline.publish.manifest import SCHEMA_VERSION, manifest_bytes, totals
from pipeline.publish.picks import Picks
from pipeline.publish.reasons import ReasonCounts
from pipeline.publish.shape import doubts, plain, shape_of
from pipeline.publish.shortlist import Lists, write_lists
from pipeline.publish.warnings import pass_share_warning, rate_words, supplier_questions
from pipeline.stages.drift import added_up, drift_warning
from pipeline.stages.kept_records import known_deliveries
from pipeline.stages.margin import schedules_in_force
from pipeline.stages.matching import match_offers, product_codes
from pipeline.stages.repeats import without_repeats
from pipeline.stages.supply import lateness_counts
from pipeline.tables import DELIVERIES, DUMP_TABLES, schema
from pipeline.tasks import (
    DecideAnswer,
    DecideTask,
    ReadAnswer,
    ReadTask,
    decide_task,
    read_context,
    read_task,
    spilled,
    with_bucket,
)

_BUCKET_BYTES = 16 << 20  # of dump per bucket: a bucket's tables and results take about ten times as much
# A packed table is taken for ten times its size when memory is planned.
_SHRUNK = 10
_SERIAL_BYTES = 24 << 20  # below this a pool of processes costs more than it saves

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the command was asked."""

    data: Path
    dump: Path | None = None
    week: str | None = None
    plan: Path | None = None
    top: int | None = None
    workers: int | None = None
    dry_run: bool = False
    strict: bool = False
    sample_if_empty: bool = False
    lang: str | None = None
    watch: engine.Watch | None = None  # looks on while files are read and buckets decided


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    manifest: dict[str, Any]
    folder: Path | None
    is_new: bool
    lines: list[str] = field(default_factory=list)


def run_week(options: Options, say: Say = lambda line: None, log: Log = SILENT) -> Result:
    """Run one week; raises a `Refusal` with its exit code when something outside the program is wrong.

    `say` is told what a person at a terminal wants to know while it lasts, `log` what a program does.
    """
    if options.dry_run:
        return run_locked(options, say, log)
    data = store.DataFolder(options.data)
    find_dump(data, options.dump, options.week, options.sample_if_empty)  # no lock, and no new folder, where there is nothing to do
    with data.lock():
        return run_locked(options, say, log)


def run_locked(options: Options, say: Say = lambda line: None, log: Log = SILENT) -> Result:
    """The same for a caller that holds the data folder's lock (`lock.hold`), or wants a dry run."""
    plan = load_plan(options.plan)
    check_plan(plan)
    data = store.DataFolder(options.data)
    dump, week, is_sample = find_dump(data, options.dump, options.week, options.sample_if_empty)
    log.bind(week=week)
    log.event("started", dump=dump.name, dry_run=options.dry_run, strict=options.strict)
    if options.dry_run:
        with store.scratch_folder() as work:
            return _run(options, plan, data, gather(data, dump, week, is_sample, plan.guards.weeks), work, Telling(say, log))
    data.sweep()
    with data.work_folder() as work:
        return _run(options, plan, data, gather(data, dump, week, is_sample, plan.guards.weeks), work, Telling(say, log))


@dataclass(frozen=True)
class Telling:
    """Whom a run tells of its way: a person at a terminal, a program that watches."""

    say: Say
    log: Log


def _run(options: Options, plan: Plan, data: store.DataFolder, inputs: Inputs, work: Path, telling: Telling) -> Result:
    say, log = telling.say, telling.log
    clock = _Clock(log)
    top = options.top if options.top is not None else plan.list.top
    previous = inputs.ground.previous
    before = data.current(previous[0]) if previous else None
    # The sample is the same for everybody: no one's own model.
    models = NO_MODELS if inputs.is_sample else load_models(data)
    lang = chosen(options.lang, plan.report.language, os.environ, by_locale=False)
    asked = {"top": top, "strict": options.strict, "lang": lang}
    own_id = run_id(inputs, plan, asked | {"models": dict(models.digests)})
    log.bind(run_id=own_id)
    current = data.current(inputs.week)
    if current is not None and current.name == own_id:
        log.event("up_to_date")
        return Result(data.manifest(inputs.week) or {}, current, is_new=False)

    size = sum(bytes_ for bytes_, _ in inputs.digests.values())
    text = sum(bytes_ * (_SHRUNK if name.lower().endswith(ENDINGS) else 1) for name, (bytes_, _) in inputs.digests.items())
    buckets = max(1, -(-text // _BUCKET_BYTES))
    workers = options.workers if options.workers is not None else (1 if text < _SERIAL_BYTES else engine.processors())
    counts = engine.Counts(len(inputs.files) + 1) if options.watch else None
    watch = options.watch or engine.unwatched
    with engine.executor(workers, counts) as pool:
        say(f"reading {len(inputs.files)} files, {size / 1e6:,.0f} MB")
        with watch(engine.Work(size, True, counts.read if counts else lambda: (0, 0))):
            reads = _read(pool, inputs, _read_tasks(inputs, read_context(plan), work, buckets, workers))
        clock.lap("read")
        gathered = _gather_facts(reads, inputs, work, buckets)
        clock.lap("match")
        say(f"deciding in {buckets} buckets")
        as_of = sunday_of(inputs.week)
        tasks = [DecideTask(b, buckets, work, gathered.spills, inputs.known, plan, as_of, models) for b in range(buckets)]
        futures: list[Future[DecideAnswer]] = []
        with watch(engine.Work(buckets, False, lambda: (sum(future.done() for future in futures), 0))):
            decided = engine.run_all(pool, decide_task, tasks, futures)
    rate_words([answer.rates for answer in decided], plan)  # refuses before anything is written, where the plan says so
    clock.lap("decide")

    entries = ledger(reads, decided, gathered.repeats, 0.0 if options.strict else plan.general.set_aside_share_max)
    out = work / "out"
    store.make_folder(out)
    metadata = _metadata(inputs, plan, as_of)
    picks, reasons = Picks(plan.report), ReasonCounts()
    ledgers = [answer.decisions for answer in decided]
    lists = write_lists(ledgers, out, plan.list, top, metadata, watchers=(picks.see, reasons.see))
    if sum(lists.verdicts.values()) != sum(answer.rows for answer in decided):
        raise AssertionError("a candidate was lost between deciding and writing")
    write_set_aside(out, reads, decided, inputs, plan, metadata)
    write_unmatched(out, gathered.unmatched, metadata)
    write_shown(out, picks, [answer.series for answer in decided], metadata)
    write_notes(out, store.read_parquet(work / "facts-decisions.parquet"), day_number(as_of), metadata)
    clock.lap("write")

    manifest = {"run_id": own_id, "options": asked, "models": dict(models.digests), "unmatched_offers": gathered.unmatched.num_rows}
    manifest |= _manifest(inputs, plan, entries, lists, decided, before, out)
    _watch_returns(manifest, models, decided)
    _compare(manifest, _shapes(data, inputs), out, plan, is_strict=options.strict)
    manifest |= {
        "previous_run": before.name if before else None,
        "reasons": reasons.entries(),
        "missing": dict(sorted(reasons.missing.items())),
    }
    for name, content in documents(RunFolder(out, before, manifest, lang)):
        store.keep_bytes(out / name, content)
        manifest["outputs"][name] = store.file_digest(out / name)[1]
    clock.lap("report")
    manifest["timings"] = clock.timings(workers)
    store.keep_bytes(out / "run.json", manifest_bytes(manifest))
    if options.dry_run:
        return Result(manifest, None, is_new=True)
    if not inputs.is_sample:
        keep_week(data.kept, inputs.week, Told(reads, decided, entries, out), work)
    folder = data.commit_run(inputs.week, own_id, out)
    clock.lap("commit")
    log.event("written", verdicts=manifest["verdicts"], doubts=[doubt["guard"] for doubt in manifest["doubts"]])
    return Result(manifest, folder, is_new=True)


def _watch_returns(manifest: dict[str, Any], models: FittedModels, decided: Sequence[DecideAnswer]) -> None:
    """Hold the orders that became mature since the return model was fitted against what it says, and warn of a drift."""
    if models.returns is None:
        return
    manifest["fresh_returns"] = fresh = added_up(answer.fresh_returns for answer in decided)
    card = models.cards["returns"]
    checked = (card.get("later_orders") or {}).get("scores", {}).get("observed_over_predicted")
    warning = drift_warning(fresh, card["data"]["to"], checked)
    manifest["warnings"] = [*manifest["warnings"], *([warning] if warning else [])]


def _shapes(data: store.DataFolder, inputs: Inputs) -> list[dict[str, Any]]:
    """Shapes of the weeks that this one is compared with, the newest last."""
    held = [data.manifest(week) or {} for week, _ in inputs.ground.compared]
    return [manifest["shape"] for manifest in held if "shape" in manifest]


def _compare(manifest: dict[str, Any], earlier: Sequence[dict[str, Any]], out: Path, plan: Plan, *, is_strict: bool) -> None:
    """Put the week's shape and every doubt into the manifest; raises `DoubtError` for a doubt of a strict run."""
    shape = shape_of(manifest["inputs"], manifest["verdicts"], out / "decisions.parquet")
    listed = manifest["verdicts"]["shortlisted"]
    last = listed - manifest["new"] + manifest["gone"]
    found = doubts(shape, earlier, (listed, last, listed - manifest["new"]), plan.guards)
    if found and is_strict:
        raise DoubtError(f"{'; '.join(doubt.text for doubt in found)}; look at the dump, then run again without --strict if it is right")
    manifest |= {"shape": shape, "doubts": plain(found)}
    manifest["warnings"] = [*manifest["warnings"], *(f"unlike the last {len(earlier)} weeks: {doubt.text}" for doubt in found)]


class _Clock:
    """Seconds per stage; the only thing of a run that may differ from its repetition."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._start = self._last = time.monotonic()
        self._seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self._seconds[stage] = round(now - self._last, 3)
        self._last = now
        self._log.event("stage", stage=stage, seconds=self._seconds[stage])

    def timings(self, workers: int) -> dict[str, Any]:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {
            "seconds": dict(self._seconds),
            "total_seconds": round(time.monotonic() - self._start, 3),
            "peak_memory_mb": round(max(own, others) / 1024),
            "workers": workers,
        }


def _read_tasks(inputs: Inputs, context: ReadContext, work: Path, buckets: int, workers: int) -> list[ReadTask]:
    """A task for each file; a file that is most of the dump gets as many threads as there are workers, who would else wait for it."""
    files = [*inputs.files, *([inputs.seller_file] if inputs.seller_file else [])]
    most = max(_SERIAL_BYTES, sum(size for size, _ in inputs.digests.values()) // 2)
    tasks = []
    for place, file in enumerate(files):
        threads = workers if inputs.digests[file.name][0] >= most else 1
        tasks.append(ReadTask(file, place, context, work, buckets, threads))
    return tasks


def _read(pool: Executor, inputs: Inputs, tasks: Sequence[ReadTask]) -> list[ReadAnswer]:
    answers = engine.run_all(pool, read_task, tasks)
    files = [task.file for task in tasks]
    for file, answer in zip(files, answers, strict=True):
        if inputs.digests[file.name] != (answer.report.size, answer.report.sha256):
            raise DumpError(f"{file.name}: changed while it was read; wait for the upload to finish, then run again")
        if file is inputs.seller_file and answer.report.table != "decisions":
            raise DumpError(f"{file.name}: read as {answer.report.table}; wanted the seller's decisions (product_id, decision ...)")
    if not any(answer.report.records for answer in answers if answer.report.table in ("candidates", "orders")):
        naming = [a.report for a in answers if a.report.table in ("candidates", "orders")]
        if any(report.set_aside or report.rows for report in naming):
            return answers  # all of it was set aside or is no product: the accounts will tell
        if naming:
            raise DumpError(f"{naming[0].file}: a header without rows, and no other file names products; send the export again")
        raise DumpError(f"{inputs.dump.name}: no file names products; add a candidates file or a research tool's export")
    return answers


@dataclass(frozen=True)
class _Gathered:
    """What must be known across buckets, as spills, with the offers that no product takes and the repeats found on the way."""

    spills: tuple[tuple[str, Path], ...]
    unmatched: pa.Table
    repeats: Counter[str]


def _gather_facts(reads: Sequence[ReadAnswer], inputs: Inputs, work: Path, buckets: int) -> _Gathered:
    """Which product each offer is for, how late suppliers are, the seller's decisions and listings."""
    spills = [spill for answer in reads for spill in answer.spills]
    repeats = Counter[str]()

    def told_once(name: str, bucket: int = 0) -> pd.DataFrame:
        rows, counts = without_repeats(to_frame(spilled(spills, name, bucket)))
        repeats.update(counts)
        return rows

    as_of = day_number(sunday_of(inputs.week))
    # A delivery has no number of its own: two equal rows are two parcels.
    earlier = to_frame(inputs.known.records("deliveries", schema(DELIVERIES).append(PARCELS)))
    lateness = lateness_counts(known_deliveries(earlier, to_frame(spilled(spills, "deliveries"))), as_of)
    store.write_spill(work / "facts-lateness.parquet", pa.Table.from_pandas(lateness, preserve_index=False), 1)
    store.write_spill(work / "facts-decisions.parquet", to_arrow(told_once("decisions"), DUMP_TABLES["decisions"]), 1)
    listed = to_arrow(told_once("listed"), DUMP_TABLES["listed"])
    store.write_spill(work / "facts-listed.parquet", listed.append_column("_listed", pa.array([True] * len(listed), pa.bool_())), 1)

    matches = told_once("matches")
    has_offers = any(name == "offers" for name, _ in spills)
    codes = _codes(spills) if has_offers else product_codes(to_frame(schema(DUMP_TABLES["candidates"]).empty_table()))
    columns = schema(DUMP_TABLES["offers"])
    matched_spills, unmatched = [], [columns.empty_table()]
    for bucket in range(buckets if has_offers else 0):
        matched, rest = match_offers(told_once("offers", bucket), matches, codes)
        found = pa.Table.from_pandas(matched, schema=columns.append(pa.field("matched_by", pa.string())), preserve_index=False)
        target = work / f"matched-{bucket:05d}.parquet"
        store.write_spill(target, with_bucket(found.replace_schema_metadata(), buckets), buckets)
        matched_spills.append(("matched_offers", target))
        unmatched.append(to_arrow(rest, DUMP_TABLES["offers"]))
    return _Gathered((*spills, *matched_spills), pa.concat_tables(unmatched), repeats)


def _codes(spills: Sequence[tuple[str, Path]]) -> pd.DataFrame:
    wanted = ["gtin", "product_id", "marketplace"]
    parts = [store.read_parquet(path, wanted, [("gtin", "!=", "")]) for name, path in spills if name == "candidates"]
    return product_codes(to_frame(pa.concat_tables(parts)))


def _metadata(inputs: Inputs, plan: Plan, as_of: object) -> dict[str, str]:
    configs = load_configs()
    in_force = schedules_in_force(parse_schedules(configs.fee_tables, configs.digits), as_of)
    return {
        "week": inputs.week,
        "as_of": str(as_of),
        "sample": "true" if inputs.is_sample else "false",
        "plan_sha256": plan.digest(),
        "configs_sha256": configs.digest,
        "fee_schedules": json.dumps({market: schedule.id for market, schedule in sorted(in_force.items())}),
        "shortlist_version": versions()["shortlist"],
        "schema_version": str(SCHEMA_VERSION),
    }


def _manifest(
    inputs: Inputs,
    plan: Plan,
    entries: Sequence[Mapping[str, Any]],
    lists: Lists,
    decided: Sequence[DecideAnswer],
    before: Path | None,
    out: Path,
) -> dict[str, Any]:
    """What was read and what became of it; `before` is the folder of the last list, against which new and gone are counted."""
    configs = load_configs()
    as_of = sunday_of(inputs.week)
    verdicts = {name: lists.verdicts.get(name, 0) for name in ("shortlisted", "passed", "review", "incomplete", "rejected")}
    alone = Counter[str]()
    for answer in decided:
        alone.update(answer.rejects_alone)
    earlier = set()
    if before is not None:
        table = store.read_parquet(before / "shortlist.parquet", ["marketplace", "product_id"])
        earlier = set(zip(table["marketplace"].to_pylist(), table["product_id"].to_pylist(), strict=True))
    warnings = [f"{e['file']}: {text}" for e in entries for text in e["warnings"] if text != "no rows"]
    warnings += rate_words([answer.rates for answer in decided], plan)
    warnings += [
        f"{e['file']}: a header without rows" for e in entries if not e["rows"] and not e["set_aside"] and e["table"] in DUMP_TABLES
    ]
    share = pass_share_warning(alone, verdicts, plan.general)
    names = sorted(path.name for path in out.iterdir())
    return {
        "schema_version": SCHEMA_VERSION,
        "week": inputs.week,
        "as_of": as_of.isoformat(),
        "sample": inputs.is_sample,
        "dump": inputs.dump.name,
        "inputs": [dict(entry) for entry in entries],
        "ground": inputs.ground.plain(),
        "totals": totals(entries),
        "candidates": sum(verdicts.values()),
        "verdicts": verdicts,
        "previous_week": inputs.ground.previous[0] if inputs.ground.previous else None,
        "new": len(set(lists.listed) - earlier),
        "gone": len(earlier - set(lists.listed)),
        "warnings": warnings + ([share] if share else []),
        "questions": supplier_questions(out / "decisions.parquet"),
        "rejects_alone": dict(sorted(alone.items())),
        "plan": plan.model_dump(mode="json", by_alias=True),
        "plan_sha256": plan.digest(),
        "configs_sha256": configs.digest,
        "fee_schedules": [
            {
                "id": schedule.id, "marketplace": market, "valid_from": schedule.valid_from.isoformat(),
                "valid_to": schedule.valid_to.isoformat() if schedule.valid_to else None, "source": schedule.source,
            }
            for market, schedule in sorted(schedules_in_force(parse_schedules(configs.fee_tables, configs.digits), as_of).items())
        ],
        "versions": versions(),
        "outputs": {name: store.file_digest(out / name)[1] for name in names},
    }  # fmt: skip
