"""Weeks and their runs: stale weeks, rebuilding, history, rollback and pruning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.config.files import load_plan
from pipeline.errors import NothingToDo, Refusal
from pipeline.messages import ENGLISH, Words
from pipeline.publish.text.formatting import padded
from pipeline.runs.inputs import complete_dumps, earlier_weeks_of, manifests_in_force
from pipeline.runs.log import SILENT, Log
from pipeline.runs.week_run import Options, Result, Say, run_locked
from pipeline.store.data_folder import DataFolder, read_manifest
from pipeline.tables.calendar import checked_week


@dataclass(frozen=True)
class Outcome:
    """A run and its effect on later weeks: rebuilt, or `stale` with the reason; `pruned` are the removed runs."""

    result: Result
    rebuilt: tuple[str, ...]
    stale: tuple[tuple[str, str], ...]
    pruned: tuple[str, ...]


def run_weeks(options: Options, *, rebuild: bool, keep: int | None, say: Say = lambda line: None, log: Log = SILENT) -> Outcome:
    """Run one week, then rebuild later weeks that it made stale and prune old runs, as requested. The caller holds the lock.

    Raises
    ------
    Refusal
        The week was refused; or a later week was refused while it was rebuilt. Then the message names it, and the first week is kept.
    """
    result = run_locked(options, say, log)
    data = DataFolder(options.data)
    if options.dry_run or result.manifest["sample"]:
        return Outcome(result, (), (), ())
    compared = load_plan(options.plan).guards.weeks
    rebuilt: list[str] = []
    reasons: dict[str, str] = {}
    while rebuild:
        waiting = [week for week in stale_weeks(data, compared) if week not in reasons and week not in rebuilt]
        if not waiting:
            break
        week = waiting[0]
        dump = _dump_of(data, week, options.dump)
        if dump is None:
            reasons[week] = "its dump was not found, name it: shortlist run DUMP"
            continue
        say(f"rebuilding {week}")
        _rebuild(replace(options, dump=dump, week=week, sample_if_empty=False), data, say, log)
        rebuilt.append(week)
    stale = tuple((week, reasons.get(week, "run again with --rebuild")) for week in stale_weeks(data, compared))
    pruned = prune(data, keep) if keep is not None else ()
    log.event("weeks", rebuilt=rebuilt, stale=[week for week, _ in stale], pruned=len(pruned))
    return Outcome(result, tuple(rebuilt), stale, pruned)


def _rebuild(options: Options, data: DataFolder, say: Say, log: Log) -> None:
    """Run a week again with the `top` and `strict` of its current run."""
    asked = (data.manifest(str(options.week)) or {})["options"]
    try:
        run_locked(replace(options, top=asked["top"], strict=asked["strict"]), say, log)
    except Refusal as refusal:
        refusal.args = (f"{options.week}, rebuilt: {refusal.args[0]}", *refusal.args[1:])
        raise


def _dump_of(data: DataFolder, week: str, beside: Path | None) -> Path | None:
    """A week's dump: in `dumps/`, else beside the dump folder named in the command; None where there is none."""
    held = complete_dumps(data.dumps)
    if week not in held and beside is not None and beside.is_dir():
        held = complete_dumps(beside.resolve().parent)
    return held.get(week)


def stale_weeks(data: DataFolder, compared: int) -> list[str]:
    """Weeks whose list was made from earlier weeks that have changed since, oldest first."""
    manifests = manifests_in_force(data)
    return [
        week
        for week, manifest in manifests.items()
        if not manifest["sample"] and manifest.get("ground") != earlier_weeks_of(data, manifests, week, False, compared).plain()
    ]


def prune(data: DataFolder, keep: int) -> tuple[str, ...]:
    """Remove all but the newest `keep` runs; the current runs of the two newest weeks always stay."""
    # The current run counts as the newest of its week, whatever the clock was when it was made.
    runs = sorted(data.runs(), key=lambda entry: (entry[0], data.current(entry[0]) == entry[1]))
    held = {data.current(week) for week in data.weeks()[-2:]}
    pruned = []
    for week, run in runs[: max(0, len(runs) - keep)]:
        if run not in held:
            data.remove_run(week, run)
            pruned.append(f"{week}/{run.name}")
    return tuple(pruned)


def history_of(data: Path, week: str | None) -> list[dict[str, Any]]:
    """Every run, of one week or of all: `week`, `run`, `is_current`, `made` (UTC), `shortlisted`, `new`, `gone`, `size_mb`, `doubts`."""
    held = DataFolder(data)
    wanted = checked_week(week) if week is not None else None
    entries = []
    for name, run in held.runs():
        if wanted not in (None, name):
            continue
        manifest = read_manifest(run)
        files = [path.stat() for path in run.iterdir()]
        made = dt.datetime.fromtimestamp(max(file.st_mtime for file in files), dt.UTC)
        entries.append(
            {
                "week": name,
                "run": run.name,
                "is_current": held.current(name) == run,
                "made": f"{made:%Y-%m-%d %H:%M}",
                "shortlisted": manifest["verdicts"]["shortlisted"],
                "new": manifest["new"],
                "gone": manifest["gone"],
                "size_mb": round(sum(file.st_size for file in files) / 1e6, 1),
                "doubts": len(manifest.get("doubts", [])),
            }
        )
    if not entries:
        raise NothingToDo(f"{data} holds no run{f' of {wanted}' if wanted else ''} yet; run `shortlist run` first")
    return entries


def history_lines(entries: Sequence[dict[str, Any]], say: Words = ENGLISH) -> list[str]:
    """The result of `history_of` as lines for a terminal; a star marks current runs."""
    heads = (("week", 9), ("run", 20), ("made (UTC)", 16), ("listed", 7), ("new", 6), ("gone", 6), ("MB", 8), ("doubts", 6))
    lines = [" ".join(padded(say(head), width, right=place > 2) for place, (head, width) in enumerate(heads))]
    for e in entries:
        mark = "*" if e["is_current"] else " "
        lines.append(
            f"{e['week']:<9} {e['run']:<18} {mark} {e['made']:<16} {e['shortlisted']:>7,} {e['new']:>6,} {e['gone']:>6,} "
            f"{e['size_mb']:>8,.1f} {e['doubts']:>6}"
        )
    return [*lines, say("* in force; another one: shortlist rollback WEEK RUN")]


def roll_back(data: Path, week: str, run: str, say: Words = ENGLISH) -> list[str]:
    """Move a week's pointer to another run, named by its first letters or in full. Takes the lock."""
    held, week = DataFolder(data), checked_week(week)
    if not data.is_dir():
        raise NothingToDo(f"{data}: no such folder; name the data folder with --data")
    with held.lock():
        known = [path.name for name, path in held.runs() if name == week]
        fitting = [name for name in known if name.startswith(run)] if run else []
        if len(fitting) != 1:
            known_runs = ", ".join(known) or "none"
            if fitting:
                raise NothingToDo(f"{run!r} fits several runs of {week}; there are: {known_runs}")
            raise NothingToDo(f"{run!r} is no run of {week}; there are: {known_runs}")
        current = held.current(week)
        if current is not None and current.name == fitting[0]:
            return [say("{week}: {run} is in force already", week=week, run=fitting[0])]
        held.point(week, fitting[0])
    if current is None:
        in_force = say("{week}: {run} is in force", week=week, run=fitting[0])
    else:
        in_force = say("{week}: {run} is in force, {other} was", week=week, run=fitting[0], other=current.name)
    return [in_force, say("the next `shortlist run` of {week} makes its list again; change the dump or the plan first", week=week)]
