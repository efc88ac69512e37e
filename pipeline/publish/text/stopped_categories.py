"""Products stopped by the category gate, grouped by the segment, root, brand or words that decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.messages import ENGLISH, Words
from pipeline.publish.text.formatting import padded
from pipeline.store.parquet import read_parquet


def stopped_segments(run: Path, top: int) -> list[dict[str, Any]]:
    """The commonest evidence of rejected and reviewed candidates: verdict, department, evidence, how many, the first as a sample."""
    columns = ["category_verdict", "department", "category_evidence", "product_id", "title"]
    table = read_parquet(run / "decisions.parquet", columns, [("category_verdict", "in", ["reject", "review"])])
    keys = ["category_verdict", "department", "category_evidence"]
    grouped = table.group_by(keys).aggregate([("product_id", "count"), ("product_id", "min")]).to_pylist()
    entries = [
        {
            "verdict": group["category_verdict"],
            "department": group["department"],
            "evidence": group["category_evidence"],
            "count": group["product_id_count"],
            "sample": group["product_id_min"],
        }
        for group in grouped
    ]
    return sorted(entries, key=lambda e: (e["verdict"], -e["count"], e["department"], e["evidence"] or ""))[:top]


def segment_lines(entries: list[dict[str, Any]], say: Words = ENGLISH) -> list[str]:
    """The same for a terminal."""
    if not entries:
        return []
    head = [padded(say(words), width) for words, width in (("verdict", 8), ("department", 12))]
    lines = ["", say("stopped by category"), " ".join([*head, padded(say("candidates"), 10, right=True), " " + say("evidence")])]
    for entry in entries:
        evidence = entry["evidence"] or say("(no category)")
        verdict, department = padded(say.found(entry["verdict"]), 8), f"{entry['department']:<12}"
        reported = say("{evidence}, such as {sample}", evidence=evidence, sample=entry["sample"])
        lines.append(f"{verdict} {department} {entry['count']:>10,}  {reported}")
    return lines
