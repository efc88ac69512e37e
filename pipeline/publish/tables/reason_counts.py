"""Reasons counted over the whole ledger, table by table, so that memory does not grow with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.store.parquet import read_parquet
from pipeline.tables.published import REASONS

SAMPLES = 3
SAMPLE_COLUMNS = ("product_id", "title", "file", "line")
_ORDER = {"reject": 0, "review": 1, "warn": 2}


@dataclass
class ReasonCounts:
    """Counts of rules and missing facts over the tables seen so far; the same whatever the cut into tables."""

    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    _nearest: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def see(self, table: pa.Table) -> None:
        """Add a part of the ledger: needs `reasons`, `missing` and `SAMPLE_COLUMNS`."""
        for entry in table["missing"].combine_chunks().flatten().value_counts().to_pylist():
            self.missing[entry["values"]] += entry["counts"]
        reasons = table["reasons"].combine_chunks().cast(REASONS)
        flat = reasons.flatten()
        if not len(flat):
            return
        rows = np.asarray(reasons.value_parent_indices()).astype(np.int64)
        rule, severity = flat.field("rule").dictionary_encode(), flat.field("severity").dictionary_encode()
        severities = severity.dictionary.to_pylist()
        group = np.asarray(rule.indices).astype(np.int64) * len(severities) + np.asarray(severity.indices)
        distance = np.nan_to_num(np.asarray(flat.field("distance").fill_null(0.0)))
        is_reject = np.array([name == "reject" for name in severities])[np.asarray(severity.indices)]
        rejects = np.bincount(rows[is_reject], minlength=table.num_rows)
        alone = np.bincount(group[is_reject & (rejects[rows] == 1)], minlength=int(group.max()) + 1)
        order = np.argsort(group, kind="stable")
        bounds = np.flatnonzero(np.r_[True, np.diff(group[order]) != 0, True])
        for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
            members = order[start:stop]
            code = int(group[members[0]])
            key = (rule.dictionary[code // len(severities)].as_py(), severities[code % len(severities)])
            self.rules[key] += len(members)
            if key[1] == "reject":
                self.alone[key[0]] += int(alone[code])
            self._keep_nearest(key, members[_smallest(distance[members])], (rows, distance, flat.field("detail")), table)

    def _keep_nearest(
        self, key: tuple[str, str], at: np.ndarray, reported: tuple[np.ndarray, np.ndarray, pa.Array], table: pa.Table
    ) -> None:
        rows, distance, detail = reported
        found = [
            {
                **{name: table[name][int(rows[i])].as_py() for name in SAMPLE_COLUMNS},
                "distance": float(distance[i]),
                "detail": detail[int(i)].as_py(),
            }
            for i in at
        ]
        kept = self._nearest.get(key, []) + found
        self._nearest[key] = sorted(kept, key=lambda sample: float(sample["distance"]))[:SAMPLES]  # stable: ties keep the ledger's order

    def entries(self) -> list[dict[str, Any]]:
        """One entry per rule and severity, rejects first, then by count: `rule`, `severity`, `count`, `alone`, `nearest`."""
        reported = [
            {
                "rule": rule,
                "severity": severity,
                "count": count,
                "alone": self.alone[rule] if severity == "reject" else 0,
                "nearest": self._nearest[rule, severity],
            }
            for (rule, severity), count in self.rules.items()
        ]
        return sorted(reported, key=lambda entry: (_ORDER[entry["severity"]], -entry["count"], entry["rule"]))


def _smallest(distance: np.ndarray) -> np.ndarray:
    """Positions of the `SAMPLES` smallest values, ties in their order."""
    if len(distance) > SAMPLES:
        bound = np.partition(distance, SAMPLES - 1)[SAMPLES - 1]
        near = np.flatnonzero(distance <= bound)
    else:
        near = np.arange(len(distance))
    return near[np.argsort(distance[near], kind="stable")][:SAMPLES]


def set_aside_counts(folder: Path) -> list[dict[str, Any]]:
    """Lines that could not be taken, by file and kind."""
    table = read_parquet(folder / "set_aside.parquet", ["file", "kind", "line", "message"])
    grouped = table.group_by(["file", "kind"]).aggregate([("line", "count"), ("line", "min"), ("message", "min")]).to_pylist()
    entries = [
        {"file": g["file"], "kind": g["kind"], "count": g["line_count"], "first_line": g["line_min"], "message": g["message_min"]}
        for g in grouped
    ]
    return sorted(entries, key=lambda entry: (-entry["count"], entry["file"], entry["kind"]))
