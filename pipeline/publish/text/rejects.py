"""The ledger in short: reasons with counts and samples, and what was set aside, with file and line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.messages import ENGLISH, Words
from pipeline.messages.rules import FACT_NAMES, SEVERITY_WORDS, VERDICT_WORDS
from pipeline.publish.tables.reason_counts import SAMPLE_COLUMNS, ReasonCounts, set_aside_counts
from pipeline.publish.text.formatting import padded, readable
from pipeline.store.parquet import read_parts


def reject_reasons(run: Path, top: int) -> dict[str, Any]:
    """Counts of a run's reasons.

    Returns `verdicts` (name -> count), `missing` (fact -> count), `reasons` (one entry per rule and severity: how many candidates, how many
    of them have no other reject, the nearest misses as samples with file and line, most first, at most `top`) and `set_aside` (file, kind,
    count, first line).
    """
    counts, verdicts = ReasonCounts(), Counter[str]()
    for part in read_parts(run / "decisions.parquet", ["verdict", "reasons", "missing", *SAMPLE_COLUMNS]):
        counts.see(part)
        for entry in part["verdict"].value_counts().to_pylist():
            verdicts[entry["values"]] += entry["counts"]
    return {
        "verdicts": _most_first(verdicts),
        "missing": _most_first(counts.missing),
        "reasons": counts.entries()[:top],
        "set_aside": set_aside_counts(run),
    }


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def reject_lines(reported: dict[str, Any], more: list[str], say: Words = ENGLISH) -> list[str]:
    """The same for a terminal, with `more` lines before the next step."""
    counted = say.listed(f"{say(VERDICT_WORDS[name])} {count:,}" for name, count in reported["verdicts"].items())
    lines = [say("verdicts: {counts}", counts=counted), ""]
    if reported["missing"]:
        counted = say.listed(f"{say(FACT_NAMES.get(name, name))} {count:,}" for name, count in reported["missing"].items())
        lines += [say("missing facts: {counts}", counts=counted), ""]
    head = [
        padded(say("severity"), 8),
        padded(say("rule"), 22),
        padded(say("candidates"), 10, right=True),
        padded(say("alone"), 8, right=True),
    ]
    lines.append(" ".join([*head, " " + say("nearest")]))
    for entry in reported["reasons"]:
        nearest = entry["nearest"][0]
        where = f"{nearest['product_id']} ({nearest['file']}:{nearest['line']})"
        by = say(" by {distance:,.4g}", distance=nearest["distance"]) if nearest["distance"] else ""
        detail = f": {readable(say.found(nearest['detail']), 200)}" if nearest["detail"] else ""
        severity = entry["severity"] if say.language == "en" else say(SEVERITY_WORDS[entry["severity"]])
        lines.append(f"{padded(severity, 8)} {entry['rule']:<22} {entry['count']:>10,} {entry['alone'] or '':>8}  {where}{by}{detail}")
    if reported["set_aside"]:
        lines += ["", say("set aside (not candidates)")]
        lines += [
            say(
                "  {file}: {kind} {n:,}, first at line {line}: {message}",
                file=entry["file"], kind=entry["kind"], n=entry["count"], line=entry["first_line"], message=say.found(entry["message"]),
            )
            for entry in reported["set_aside"]
        ]  # fmt: skip
    return [*lines, *more, "", say("next: `shortlist explain PRODUCT_ID` tells every rule of one product")]
