"""The last lines of a run: a summary line, open questions, and next steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.messages import ENGLISH, Words


def summary_line(manifest: Mapping[str, Any], is_new: bool, say: Words = ENGLISH) -> str:
    """`done in 41 s · read ... · shortlisted ...`, or that the list is up to date."""
    verdicts, totals = manifest["verdicts"], manifest["totals"]
    sample = say("sample") + " · " if manifest["sample"] else ""
    if not is_new:
        message = "up to date: {sample}{week} · shortlisted {n:,}, nothing new to read"
        return say(message, sample=sample, week=manifest["week"], n=verdicts["shortlisted"])
    seconds = manifest["timings"]["total_seconds"]
    shown = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
    return say(
        "done in {seconds} s · {sample}read {read:,} · set aside {aside:,} · rejected {rejected:,} · review {review:,} · "
        "incomplete {incomplete:,} · passed {passed:,} · shortlisted {shortlisted:,} ({new:,} new, {gone:,} gone)",
        seconds=shown, sample=sample, read=totals["rows"], aside=totals["set_aside"],
        new=manifest["new"], gone=manifest["gone"], **verdicts,
    )  # fmt: skip


@dataclass(frozen=True)
class NextSteps:
    """Lines before the summary (warnings, questions to suppliers) and after it."""

    before: list[str]
    after: list[str]


_ASKED_MOST = 10


def next_steps(manifest: Mapping[str, Any], is_new: bool, dry_run: bool, say: Words = ENGLISH) -> NextSteps:
    """What a person should look at, in the order of need."""
    before: list[str] = []
    if manifest["sample"]:
        before.append(say("no dump of your own yet: this is the committed sample, an invented market; nothing in it can be bought"))
    if not is_new:
        return NextSteps(before, [say("see it: data folder, shortlists/{week}/", week=manifest["week"])])
    before += [say("warning: {text}", text=say.found(text)) for text in manifest["warnings"]]
    questions = manifest["questions"]
    for entry in questions[:_ASKED_MOST]:
        what = say.listed(say.found(ask) for ask in entry["asks"])
        before.append(
            say("ask {supplier}: {what} ({n:,} products wait for it)", supplier=entry["supplier_id"], what=what, n=entry["products"])
        )
    if len(questions) > _ASKED_MOST:
        before.append(say("... and {n:,} more suppliers (run.json, questions)", n=len(questions) - _ASKED_MOST))
    if manifest["unmatched_offers"]:
        message = "{n:,} offers fit no product: see unmatched_offers.parquet, or add a matches file"
        before.append(say(message, n=manifest["unmatched_offers"]))
    if dry_run:
        return NextSteps(before, [say("dry run: nothing was written")])
    message = "next: open shortlists/{week}/report.html · `shortlist explain PRODUCT_ID` · `shortlist rejects`"
    return NextSteps(before, [say(message, week=manifest["week"])])


def stale_lines(rebuilt: Sequence[str], stale: Sequence[tuple[str, str]], pruned: Sequence[str], say: Words = ENGLISH) -> list[str]:
    """What became of other weeks: rebuilt ones, stale ones with what to do, and how many old runs went."""
    lines = [say("rebuilt: {weeks}", weeks=say.listed(rebuilt))] if rebuilt else []
    for cure in sorted({cure for _, cure in stale}):
        weeks = say.listed(week for week, held in stale if held == cure)
        message = "stale: {weeks}: made of other earlier weeks than stand there now; {cure}"
        lines.append(say(message, weeks=weeks, cure=say.found(cure)))
    return [*lines, *([say("removed {n:,} old runs", n=len(pruned))] if pruned else [])]
