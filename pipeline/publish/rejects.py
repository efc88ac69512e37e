"""The ledger in short: reasons with counts and samples, and what was set aside, with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import store
from pipeline.tables import REASONS

_SAMPLES = 3


def reject_reasons(run: Path, top: int) -> dict[str, Any]:
    """Counts of a run's reasons.

    Returns `verdicts` (name -> count), `reasons` (one entry per rule and severity: how many candidates, how many of them have no other
    reject, the nearest misses as samples with file and line, most first, at most `top`) and `set_aside` (file, kind, count, first line).
    """
    columns = ["verdict", "reasons", "missing", "product_id", "title", "file", "line"]
    table = store.read_parquet(run / "decisions.parquet", columns)
    verdicts = {entry["values"]: entry["counts"] for entry in table["verdict"].value_counts().to_pylist()}
    return {
        "verdicts": dict(sorted(verdicts.items(), key=lambda item: (-item[1], item[0]))),
        "missing": {entry["values"]: entry["counts"] for entry in _missing(table)},
        "reasons": _counted(table)[:top],
        "set_aside": _set_aside(run),
    }


def _missing(table: pa.Table) -> list[dict[str, Any]]:
    found = pc.list_flatten(table["missing"]).value_counts().to_pylist()
    return sorted(found, key=lambda entry: (-entry["counts"], entry["values"]))


def _counted(table: pa.Table) -> list[dict[str, Any]]:
    reasons = table["reasons"].combine_chunks().cast(REASONS)
    rows = pc.list_parent_indices(reasons)
    flat = reasons.flatten()
    told = pa.table(
        {
            "row": rows,
            **{name: flat.field(name) for name in ("rule", "severity", "distance", "detail")},
        }
    )
    rejects = told.filter(pc.equal(told["severity"], "reject")).group_by("row").aggregate([("rule", "count")])
    alone = set(rejects.filter(pc.equal(rejects["rule_count"], 1))["row"].to_pylist())
    entries = []
    for group in told.group_by(["rule", "severity"]).aggregate([("row", "count")]).to_pylist():
        part = told.filter(pc.and_(pc.equal(told["rule"], group["rule"]), pc.equal(told["severity"], group["severity"])))
        nearest = part.sort_by([("distance", "ascending"), ("row", "ascending")]).slice(0, _SAMPLES).to_pylist()
        samples = [
            {
                **{name: table[name][sample["row"]].as_py() for name in ("product_id", "title", "file", "line")},
                "distance": sample["distance"],
                "detail": sample["detail"],
            }
            for sample in nearest
        ]
        only = sum(1 for row in part["row"].to_pylist() if row in alone) if group["severity"] == "reject" else 0
        entries.append(
            {
                "rule": group["rule"],
                "severity": group["severity"],
                "count": group["row_count"],
                "alone": only,
                "nearest": samples,
            }
        )
    order = {"reject": 0, "review": 1, "warn": 2}
    return sorted(entries, key=lambda entry: (order[entry["severity"]], -entry["count"], entry["rule"]))


def _set_aside(run: Path) -> list[dict[str, Any]]:
    table = store.read_parquet(run / "set_aside.parquet")
    grouped = table.group_by(["file", "kind"]).aggregate([("line", "count"), ("line", "min"), ("message", "min")]).to_pylist()
    entries = [
        {
            "file": g["file"],
            "kind": g["kind"],
            "count": g["line_count"],
            "first_line": g["line_min"],
            "message": g["message_min"],
        }
        for g in grouped
    ]
    return sorted(entries, key=lambda entry: (-entry["count"], entry["file"], entry["kind"]))


def reject_lines(told: dict[str, Any]) -> list[str]:
    """The same for a terminal."""
    lines = ["verdicts: " + ", ".join(f"{name} {count:,}" for name, count in told["verdicts"].items()), ""]
    if told["missing"]:
        lines += ["missing facts: " + ", ".join(f"{name} {count:,}" for name, count in told["missing"].items()), ""]
    lines.append(f"{'severity':<8} {'rule':<22} {'candidates':>10} {'alone':>8}  nearest")
    for entry in told["reasons"]:
        nearest = entry["nearest"][0]
        where = f"{nearest['product_id']} ({nearest['file']}:{nearest['line']})"
        by = f" by {nearest['distance']:,.4g}" if nearest["distance"] else ""
        detail = f": {nearest['detail']}" if nearest["detail"] else ""
        lines.append(f"{entry['severity']:<8} {entry['rule']:<22} {entry['count']:>10,} {entry['alone'] or '':>8}  {where}{by}{detail}")
    if told["set_aside"]:
        lines += ["", "set aside (not candidates)"]
        lines += [
            f"  {entry['file']}: {entry['kind']} {entry['count']:,}, first at line {entry['first_line']}: {entry['message']}"
            for entry in told["set_aside"]
        ]
    return lines
