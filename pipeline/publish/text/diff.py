"""Differences between two weeks' lists: products that entered, left or moved, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.stages.score.score import PARTS
from pipeline.store.parquet import read_parquet

_KEY = ["marketplace", "product_id"]
_LISTED = [*_KEY, "rank", "title", "currency", "price", "landed_cost", "net_profit", "supplier_id", *(f"score_{part}" for part in PARTS)]
_LEDGER = [*_KEY, "verdict", "reasons", "missing", "hidden_by"]
MOVED_POINTS = 0.05  # a part that changed by less is not named as the reason
Key = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """One product's change: ranks before and after (None: not listed), and why, as (kind, words)."""

    marketplace: str
    product_id: str
    title: str
    before: int | None
    after: int | None
    why: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def kind(self) -> str:
        """entered, left or moved."""
        return "entered" if self.before is None else "left" if self.after is None else "moved"


def list_changes(before: Path, after: Path) -> list[Change]:
    """Every product whose place changed between two runs' lists: entered by new rank, left by old rank, moved by how far."""
    old, new = _listed(before), _listed(after)
    came, gone = [key for key in new if key not in old], [key for key in old if key not in new]
    then, now = _ledger(before, came), _ledger(after, gone)
    changes = [_change(key, None, new[key], _why_outside(then.get(key), "before")) for key in came]
    changes += [_change(key, old[key], None, _why_outside(now.get(key), "after")) for key in gone]
    moved = [key for key in new if key in old and new[key]["rank"] != old[key]["rank"]]
    moved.sort(key=lambda key: (-abs(new[key]["rank"] - old[key]["rank"]), new[key]["rank"]))
    return changes + [_change(key, old[key], new[key], _why_moved(old[key], new[key])) for key in moved]


def _listed(folder: Path) -> dict[Key, dict[str, Any]]:
    rows = read_parquet(folder / "shortlist.parquet", _LISTED).to_pylist()
    return {(row["marketplace"], row["product_id"]): row for row in rows}


def _ledger(folder: Path, keys: list[Key]) -> dict[Key, dict[str, Any]]:
    if not keys:
        return {}
    found = read_parquet(folder / "decisions.parquet", _LEDGER, [("product_id", "in", sorted({product for _, product in keys}))])
    return {(row["marketplace"], row["product_id"]): row for row in found.to_pylist()}


def _change(key: Key, old: dict[str, Any] | None, new: dict[str, Any] | None, why: tuple[tuple[str, dict[str, Any]], ...]) -> Change:
    reported = new or old or {}
    return Change(*key, reported.get("title") or "", old["rank"] if old else None, new["rank"] if new else None, why)


def _why_outside(row: dict[str, Any] | None, when: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Why a product was not (when = before) or is no longer (when = after) on the list."""
    if row is None:
        return ((f"absent {when}", {}),)
    if row["verdict"] == "incomplete":
        return ((f"incomplete {when}", {"facts": list(row["missing"])}),)
    if row["verdict"] in ("rejected", "review"):
        severity = "reject" if row["verdict"] == "rejected" else "review"
        rules = [reason for reason in row["reasons"] if reason["severity"] == severity]
        return ((f"{row['verdict']} {when}", {"reasons": rules}),)
    displaced = next((reason for reason in row["reasons"] if reason["rule"] == "diversified_out"), None)
    if row["hidden_by"]:
        return ((f"hidden {when}", {"by": row["hidden_by"]}),)
    if displaced:
        return ((f"displaced {when}", {"by": displaced["detail"]}),)
    return ((f"below the cut {when}", {}),)


def _why_moved(old: dict[str, Any], new: dict[str, Any]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The parts of the score that changed, the largest first, and the facts behind them; nothing: others moved around it."""
    gaps = {part: round((new[f"score_{part}"] or 0.0) - (old[f"score_{part}"] or 0.0), 6) for part in PARTS}
    named = sorted((part for part in PARTS if abs(gaps[part]) >= MOVED_POINTS), key=lambda part: -abs(gaps[part]))
    why: list[tuple[str, dict[str, Any]]] = [("part", {"part": part, "points": gaps[part]}) for part in named]
    for fact in ("price", "landed_cost"):
        if old[fact] != new[fact]:
            why.append(("fact", {"fact": fact, "old": old[fact], "new": new[fact], "currency": new["currency"]}))
    if old["supplier_id"] != new["supplier_id"]:
        why.append(("supplier", {"old": old["supplier_id"], "new": new["supplier_id"]}))
    return tuple(why) or (("others moved", {}),)


def changes_json(changes: list[Change]) -> list[dict[str, Any]]:
    """The changes as plain values for programs."""
    return [
        {
            "change": c.kind, "marketplace": c.marketplace, "product_id": c.product_id, "title": c.title,
            "rank_before": c.before, "rank_after": c.after, "why": [{"kind": kind, **held} for kind, held in c.why],
        }
        for c in changes
    ]  # fmt: skip
