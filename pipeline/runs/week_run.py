"""The driver of one week: find the dump, read it, decide each bucket, write the files, and move the pointer last."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline import engine
from pipeline.config.files import load_plan
from pipeline.config.plan import Plan
from pipeline.errors import DumpError
from pipeline.ingest.containers.archives import ENDINGS
from pipeline.ingest.dump import ReadContext
from pipeline.messages import chosen
from pipeline.publish.documents import RunFolder, documents
from pipeline.publish.tables.reason_counts import ReasonCounts
from pipeline.publish.tables.report_inputs import write_notes, write_report_inputs
from pipeline.publish.tables.run_json import manifest_bytes
from pipeline.publish.tables.selections import Selections
from pipeline.publish.tables.shortlist import Lists, Watcher, write_lists
from pipeline.publish.text.warnings import rate_warnings
from pipeline.runs.accounting import ledger, write_set_aside, write_unmatched
from pipeline.runs.clock import Clock
from pipeline.runs.cross_bucket import CrossBucketFacts, cross_bucket_facts
from pipeline.runs.decide_task import DecideAnswer, DecideTask, decide_task
from pipeline.runs.inputs import Inputs, find_dump, gather, misnamed_warnings, run_id
from pipeline.runs.log import SILENT, Log
from pipeline.runs.manifest import RunTables, compare, earlier_shapes, file_metadata, manifest_of, watch_returns
from pipeline.runs.plan_check import check_plan
from pipeline.runs.read_task import ReadAnswer, ReadTask, read_context, read_task
from pipeline.runs.retention import WeekRecords, store_week
from pipeline.stages.fitted_models import NO_MODELS, FittedModels
from pipeline.store.data_folder import DataFolder, read_manifest
from pipeline.store.files import file_digest, make_folder, scratch_folder, write_new_file
from pipeline.store.model_files import load_models
from pipeline.store.parquet import read_parquet
from pipeline.store.verification import damaged_outputs
from pipeline.tables.calendar import day_number, sunday_of

_BUCKET_BYTES = 16 << 20  # of the dump per bucket; the tables of a bucket take about ten times as much memory
# A compressed file is assumed to have ten times its size once it is unpacked.
_SHRUNK = 10
_SERIAL_BYTES = 24 << 20  # for smaller dumps a pool of processes costs more time than it saves

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """Options of a run, as the command received them."""

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
    watch: engine.Watch | None = None  # shows progress while files are read and buckets decided


@dataclass(frozen=True)
class Result:
    """The result of a run; `lines` are warnings about the data folder, which are not part of the manifest."""

    manifest: dict[str, Any]
    folder: Path | None
    is_new: bool
    lines: list[str] = field(default_factory=list)


def run_week(options: Options, say: Say = lambda line: None, log: Log = SILENT) -> Result:
    """Run one week; raises a `Refusal` with its exit code for an error in the input, the plan or the machine.

    `say` receives progress lines for a terminal, `log` machine-readable events.
    """
    if options.dry_run:
        return run_locked(options, say, log)
    data = DataFolder(options.data)
    find_dump(data, options.dump, options.week, options.sample_if_empty)  # before the lock, which makes the folder
    with data.lock():
        return run_locked(options, say, log)


def run_locked(options: Options, say: Say = lambda line: None, log: Log = SILENT) -> Result:
    """Run one week for a caller that holds the data folder's lock (`lock.hold`), or for a dry run, which needs none."""
    plan = load_plan(options.plan)
    check_plan(plan)
    data = DataFolder(options.data)
    dump, week, is_sample = find_dump(data, options.dump, options.week, options.sample_if_empty)
    log.bind(week=week)
    log.event("started", dump=dump.name, dry_run=options.dry_run, strict=options.strict)
    if not options.dry_run:
        for path in data.sweep():
            say(f"{path}: left by a run of another user; remove it")
            log.trouble("leftover", path=str(path))
        if data.earlier_history is not None:
            say(f"{data.earlier_history}: prices of an earlier version, not read; run the old weeks again to keep them, then remove it")
            log.trouble("earlier_history", path=str(data.earlier_history))
    misnamed = misnamed_warnings(data.dumps)
    for line in misnamed:
        log.trouble("misnamed_dump", problem=line)
    with scratch_folder() if options.dry_run else data.work_folder() as work:
        inputs = gather(data, dump, week, is_sample, plan.guards.weeks)
        result = _run(_prepare(options, plan, data, inputs, work), Reporter(say, log))
        return replace(result, lines=[*misnamed, *inputs.warnings, *result.lines])


@dataclass(frozen=True)
class Reporter:
    """Receivers of a run's progress: a terminal and a machine-readable log."""

    say: Say
    log: Log


@dataclass(frozen=True)
class _Prepared:
    """Everything that is known before a file is read.

    `before` is the folder of the last list, `asked` the options that can change the result, `run_id` the hash of all inputs.
    """

    options: Options
    plan: Plan
    data: DataFolder
    inputs: Inputs
    work: Path
    models: FittedModels
    before: Path | None
    asked: dict[str, Any]
    run_id: str

    @property
    def text_bytes(self) -> int:
        """Estimated size of the unpacked dump in bytes."""
        digests = self.inputs.digests.items()
        return sum(size * (_SHRUNK if name.lower().endswith(ENDINGS) else 1) for name, (size, _) in digests)


def _prepare(options: Options, plan: Plan, data: DataFolder, inputs: Inputs, work: Path) -> _Prepared:
    previous = inputs.ground.previous
    # The sample gives the same result everywhere, so it uses no fitted model.
    models = NO_MODELS if inputs.is_sample else load_models(data)
    top = options.top if options.top is not None else plan.list.top
    asked = {"top": top, "strict": options.strict, "lang": chosen(options.lang, plan.report.language, os.environ, by_locale=False)}
    own_id = run_id(inputs, plan, asked | {"models": dict(models.digests)})
    before = data.current(previous[0]) if previous else None
    return _Prepared(options, plan, data, inputs, work, models, before, asked, own_id)


def _run(prepared: _Prepared, reporter: Reporter) -> Result:
    data, week, own_id = prepared.data, prepared.inputs.week, prepared.run_id
    clock = Clock(reporter.log)
    reporter.log.bind(run_id=own_id)
    current = data.current(week)
    notices: list[str] = []
    if current is not None and current.name == own_id:
        manifest = read_manifest(current)
        damaged = damaged_outputs(current, manifest)
        if not damaged:
            reporter.log.event("up_to_date")
            return Result(manifest, current, is_new=False)
        notices.append(f"{current}: {', '.join(damaged)}: missing or damaged; the list was made again from its inputs")
        reporter.log.trouble("damaged", outputs=damaged)

    workers = prepared.options.workers
    if workers is None:
        workers = 1 if prepared.text_bytes < _SERIAL_BYTES else engine.processors()
    answers = _decide_all(prepared, workers, reporter.say, clock)
    out = prepared.work / "out"
    make_folder(out)
    entries, manifest = _write_tables(prepared, answers, out, clock)
    for name, content in documents(RunFolder(out, prepared.before, manifest, prepared.asked["lang"])):
        write_new_file(out / name, content)
        manifest["output_bytes"][name], manifest["outputs"][name] = file_digest(out / name)
    clock.lap("report")
    manifest["timings"] = clock.timings(workers)
    write_new_file(out / "run.json", manifest_bytes(manifest))
    if prepared.options.dry_run:
        return Result(manifest, None, is_new=True, lines=notices)
    if not prepared.inputs.is_sample:
        store_week(data.kept, week, WeekRecords(answers.reads, answers.decided, entries, out), prepared.work)
    folder = data.commit_run(week, own_id, out)
    clock.lap("commit")
    reporter.log.event("written", verdicts=manifest["verdicts"], doubts=[doubt["guard"] for doubt in manifest["doubts"]])
    return Result(manifest, folder, is_new=True, lines=notices)


@dataclass(frozen=True)
class _Answers:
    """The answers of the workers for every file and every bucket, and the facts across buckets."""

    reads: Sequence[ReadAnswer]
    shared: CrossBucketFacts
    decided: Sequence[DecideAnswer]


def _decide_all(prepared: _Prepared, workers: int, say: Say, clock: Clock) -> _Answers:
    """Read every file and decide every bucket; raises `PlanError` where the plan refuses missing or old exchange rates."""
    inputs, plan, work = prepared.inputs, prepared.plan, prepared.work
    size = sum(bytes_ for bytes_, _ in inputs.digests.values())
    buckets = max(1, -(-prepared.text_bytes // _BUCKET_BYTES))
    counts = engine.Counts(len(inputs.files) + 1) if prepared.options.watch else None
    watch = prepared.options.watch or engine.unwatched
    with engine.executor(workers, counts) as pool:
        say(f"reading {len(inputs.files)} files, {size / 1e6:,.0f} MB")
        with watch(engine.Work(size, True, counts.read if counts else lambda: (0, 0))):
            reads = _read(pool, inputs, _read_tasks(inputs, read_context(plan), work, buckets, workers))
        clock.lap("read")
        shared = cross_bucket_facts(reads, inputs, work, buckets)
        clock.lap("match")
        say(f"deciding in {buckets} buckets")
        as_of = sunday_of(inputs.week)
        tasks = [DecideTask(b, buckets, work, shared.spills, inputs.known, plan, as_of, prepared.models) for b in range(buckets)]
        futures: list[Future[DecideAnswer]] = []
        with watch(engine.Work(buckets, False, lambda: (sum(future.done() for future in futures), 0))):
            decided = engine.run_all(pool, decide_task, tasks, futures)
    rate_warnings([answer.rates for answer in decided], plan)  # a plan may refuse old rates; checked before anything is written
    clock.lap("decide")
    return _Answers(reads, shared, decided)


def _write_tables(prepared: _Prepared, answers: _Answers, out: Path, clock: Clock) -> tuple[Sequence[dict[str, Any]], dict[str, Any]]:
    """Write the run's Parquet files; returns the line accounting and the manifest. Raises `DoubtError` for a doubt in a strict run."""
    plan, inputs, decided, is_strict = prepared.plan, prepared.inputs, answers.decided, prepared.options.strict
    entries = ledger(answers.reads, decided, answers.shared.repeats, 0.0 if is_strict else plan.general.set_aside_share_max)
    metadata = file_metadata(inputs, plan)
    selections, reasons = Selections(plan.report), ReasonCounts()
    lists = _lists(prepared, decided, out, metadata, (selections.see, reasons.see))
    write_set_aside(out, answers.reads, decided, inputs, plan, metadata)
    write_unmatched(out, answers.shared.unmatched, metadata)
    write_report_inputs(out, selections, [answer.series for answer in decided], metadata)
    write_notes(out, read_parquet(prepared.work / "facts-decisions.parquet"), day_number(sunday_of(inputs.week)), metadata)
    clock.lap("write")

    models, unmatched = dict(prepared.models.digests), answers.shared.unmatched.num_rows
    manifest = {"run_id": prepared.run_id, "options": prepared.asked, "models": models, "unmatched_offers": unmatched}
    manifest |= manifest_of(inputs, plan, RunTables(entries, lists, decided, prepared.before, out))
    watch_returns(manifest, prepared.models, decided)
    compare(manifest, earlier_shapes(prepared.data, inputs), out, plan, is_strict=is_strict)
    manifest |= {
        "previous_run": prepared.before.name if prepared.before else None,
        "reasons": reasons.entries(),
        "missing": dict(sorted(reasons.missing.items())),
    }
    return entries, manifest


def _lists(prepared: _Prepared, decided: Sequence[DecideAnswer], out: Path, metadata: dict[str, str], watchers: Sequence[Watcher]) -> Lists:
    lists = write_lists(
        [answer.decisions for answer in decided], out, prepared.plan.list, prepared.asked["top"], metadata, watchers=watchers
    )
    if sum(lists.verdicts.values()) != sum(answer.rows for answer in decided):
        raise AssertionError("a candidate was lost between deciding and writing")
    return lists


def _read_tasks(inputs: Inputs, context: ReadContext, work: Path, buckets: int, workers: int) -> list[ReadTask]:
    """One task per file; a file of half the dump or more gets one thread per worker, because the other workers would wait for it."""
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
            return answers  # all records were set aside or name no product: the line accounting reports it
        if naming:
            raise DumpError(f"{naming[0].file}: a header without rows, and no other file names products; send the export again")
        raise DumpError(f"{inputs.dump.name}: no file names products; add a candidates file or a research tool's export")
    return answers
