"""What the category gate stopped, grouped by the segment, root, brand or words that decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import store


def stopped_segments(run: Path, top: int) -> list[dict[str, Any]]:
    """The commonest evidence of rejected and reviewed candidates: verdict, department, evidence, how many, the first as a sample."""
    columns = ["category_verdict", "department", "category_evidence", "product_id", "title"]
    table = store.read_parquet(run / "decisions.parquet", columns, [("category_verdict", "in", ["reject", "review"])])
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


def segment_lines(entries: list[dict[str, Any]]) -> list[str]:
    """The same for a terminal."""
    if not entries:
        return []
    lines = ["", "stopped by category", f"{'verdict':<8} {'department':<12} {'candidates':>10}  evidence"]
    for entry in entries:
        evidence = entry["evidence"] or "(no category)"
        lines.append(f"{entry['verdict']:<8} {entry['department']:<12} {entry['count']:>10,}  {evidence}, such as {entry['sample']}")
    return lines
