"""The last lines of a run: one line that sums it up, what needs a person, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def summary_line(manifest: Mapping[str, Any], is_new: bool) -> str:
    """`done in 41 s · read ... · shortlisted ...`, or that the list is up to date."""
    verdicts, totals = manifest["verdicts"], manifest["totals"]
    sample = "sample · " if manifest["sample"] else ""
    if not is_new:
        return f"up to date: {sample}{manifest['week']} · shortlisted {verdicts['shortlisted']:,}, nothing new to read"
    seconds = manifest["timings"]["total_seconds"]
    shown = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
    return (
        f"done in {shown} s · {sample}read {totals['rows']:,} · set aside {totals['set_aside']:,} · rejected {verdicts['rejected']:,} · "
        f"review {verdicts['review']:,} · incomplete {verdicts['incomplete']:,} · passed {verdicts['passed']:,} · "
        f"shortlisted {verdicts['shortlisted']:,} ({manifest['new']:,} new, {manifest['gone']:,} gone)"
    )


@dataclass(frozen=True)
class NextSteps:
    """Lines before the summary (warnings, questions to suppliers) and after it."""

    before: list[str]
    after: list[str]


_ASKED_MOST = 10


def next_steps(manifest: Mapping[str, Any], is_new: bool, dry_run: bool) -> NextSteps:
    """What a person should look at, in the order of need."""
    before: list[str] = []
    if manifest["sample"]:
        before.append("no dump of your own yet: this is the committed sample, an invented market; nothing in it can be bought")
    if not is_new:
        return NextSteps(before, [f"see it: data folder, shortlists/{manifest['week']}/"])
    before += [f"warning: {text}" for text in manifest["warnings"]]
    questions = manifest["questions"]
    for entry in questions[:_ASKED_MOST]:
        before.append(f"ask {entry['supplier_id']}: {', '.join(entry['asks'])} ({entry['products']:,} products wait for it)")
    if len(questions) > _ASKED_MOST:
        before.append(f"... and {len(questions) - _ASKED_MOST:,} more suppliers (run.json, questions)")
    if manifest["unmatched_offers"]:
        before.append(f"{manifest['unmatched_offers']:,} offers fit no product: see unmatched_offers.parquet, or add a matches file")
    if dry_run:
        return NextSteps(before, ["dry run: nothing was written"])
    after = [f"next: shortlists/{manifest['week']}/shortlist.parquet · `shortlist explain PRODUCT_ID` · `shortlist rejects`"]
    return NextSteps(before, after)


def stale_lines(rebuilt: Sequence[str], stale: Sequence[tuple[str, str]], pruned: Sequence[str]) -> list[str]:
    """What became of other weeks: rebuilt ones, stale ones with what to do, and how many old runs went."""
    lines = [f"rebuilt: {', '.join(rebuilt)}"] if rebuilt else []
    for cure in sorted({cure for _, cure in stale}):
        weeks = ", ".join(week for week, held in stale if held == cure)
        lines.append(f"stale: {weeks}: made of other earlier weeks than stand there now; {cure}")
    return [*lines, *([f"removed {len(pruned):,} old runs"] if pruned else [])]
