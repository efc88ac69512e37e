"""`run.json`: inputs and results of a run, enough to make the list again; times are apart, under `timings`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.ingest.dump import FileReport

SCHEMA_VERSION = 1


def file_entry(report: FileReport, repeats: int, superseded: int, conflicts: int) -> dict[str, Any]:
    """One file's ledger, after repeats and conflicts between its rows were found; the accounting laws hold or `AssertionError` is raised.

    lines = header + blank + non-records + rows + line ends inside values + set aside, and
    rows = records used + non-products + exact repeats. `superseded` tells how many of the records used gave way to another row of the
    same product and day.
    """
    entry = asdict(report)
    entry["set_aside"] = dict(sorted(({**report.set_aside, "conflict": conflicts} if conflicts else report.set_aside).items()))
    entry["non_products"] = dict(sorted(report.non_products.items()))
    entry["rows"] = report.rows - conflicts
    entry["exact_repeats"] = repeats
    entry["superseded"] = superseded
    entry["records_used"] = entry["rows"] - sum(report.non_products.values()) - repeats
    reported = entry["header"] + entry["blank"] + sum(entry["non_records"].values()) + entry["rows"] + entry["line_ends_in_values"]
    reported += sum(entry["set_aside"].values())
    if reported != entry["lines"] or entry["records_used"] < 0:
        raise AssertionError(f"{report.file}: {entry['lines']} lines, {reported} accounted for, {entry['records_used']} records used")
    return entry


def set_aside_share(entry: Mapping[str, Any]) -> float:
    """Share of a file's records that could not be taken."""
    aside = sum(entry["set_aside"].values())
    return aside / (entry["rows"] + aside) if aside else 0.0


def totals(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Sums over all files."""
    names = ("lines", "header", "blank", "rows", "line_ends_in_values", "exact_repeats", "records_used")
    sums = {name: sum(entry[name] for entry in entries) for name in names}
    for name in ("non_records", "non_products", "set_aside"):
        sums[name] = sum(sum(entry[name].values()) for entry in entries)
    return sums


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as it is written: UTF-8 JSON, keys in a fixed order."""
    return (json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n").encode()
