"""Import the seller's decisions from a filled-in workbook into `decisions.csv`, which every later run reads and shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.ingest.seller_decisions import Decision, read_decisions_csv, read_workbook
from pipeline.store.data_folder import DataFolder
from pipeline.store.disk import replace_file
from pipeline.tables.calendar import checked_day

_HEADER = [
    "product_id",
    "decision",
    "marketplace",
    "decided_on",
    "quoted_cost",
    "quote_valid_until",
    "skip_until",
    "own_sku",
    "listed_price",
    "note",
]
_TAKEN = ("decision", "note", "quoted_cost", "quote_valid_until", "skip_until")


@dataclass(frozen=True)
class Imported:
    """The file of decisions, and how many of the workbook's were new, changed, unchanged, or older than the one in the file."""

    path: Path
    new: int
    changed: int
    same: int
    older: int


def import_decisions(data: Path, workbook: Path, on: str | None) -> Imported:
    """Copy the decisions in a workbook to `decisions.csv`; the rows of other products stay unchanged.

    The date of a decision is `on`, else the workbook's as-of day; the clock is not read. A row with empty seller columns is ignored, so an
    old workbook never deletes a later decision. A decision with a later date in the file is kept.

    Raises
    ------
    DumpError, UsageError, Locked, NotWritten
    """
    typed = read_workbook(workbook)
    day = checked_day(on) if on is not None else typed.as_of
    if day is None:
        raise UsageError(f"{workbook.name} does not say which week it is of; add --on, for example --on 2026-11-22")
    folder = DataFolder(data)
    path = data / "decisions.csv"
    with folder.lock():
        header, rows = read_decisions_csv(path)
        header = [*header, *(name for name in _HEADER if name not in header)]
        reported = Imported(path, *_merge(rows, typed.decisions, day.isoformat()))
        if reported.new or reported.changed:
            replace_file(path, _csv_bytes(header, rows))
    return reported


def _merge(rows: list[dict[str, str]], decisions: Sequence[Decision], day: str) -> tuple[int, int, int, int]:
    """Merge the workbook's decisions into the rows in place; the newest row of a product changes. Returns new, changed, same, older."""
    newest: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        key = (row.get("marketplace", "").strip().upper(), row["product_id"].strip())
        if key not in newest or row.get("decided_on", "") >= newest[key].get("decided_on", ""):
            newest[key] = row
    new = changed = same = older = 0
    for decision in decisions:
        held = newest.get((decision.marketplace, decision.product_id)) or newest.get(("", decision.product_id))
        if not decision.values:
            continue
        reported = {name: decision.values.get(name, "") for name in _TAKEN}
        if held is None:
            rows.append({"product_id": decision.product_id, "marketplace": decision.marketplace, "decided_on": day, **reported})
            new += 1
        elif _said(held) == dict(decision.values):
            same += 1
        elif held.get("decided_on", "") > day:
            older += 1
        else:
            # A changed note keeps the date: otherwise a skip would start again.
            if held.get("decision", "") != reported["decision"] or held.get("quoted_cost", "") != reported["quoted_cost"]:
                held["decided_on"] = day
            held.update(reported)
            changed += 1
    return new, changed, same, older


def _said(row: dict[str, str]) -> dict[str, str]:
    """The values of a row in the workbook's columns, formatted as the workbook returns them."""
    said = {name: " ".join(row.get(name, "").split()) for name in _TAKEN if row.get(name, "").strip()}
    if "quoted_cost" in said:
        try:
            said["quoted_cost"] = f"{float(said['quoted_cost']):.4f}".rstrip("0").rstrip(".")
        except ValueError:
            return said
    return said


def _csv_bytes(header: Sequence[str], rows: Sequence[dict[str, str]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(header), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()
