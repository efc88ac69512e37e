"""The text of a notification: summary, doubts, top of the list, and changes since the last list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.publish.text.summary import summary_line
from pipeline.store.parquet import read_parquet

TOP = 10
_NAMED = 10
_TITLE_LETTERS = 60
_COLUMNS = ["rank", "marketplace", "product_id", "title", "price", "currency", "net_profit", "return_rate"]


def occasions_of(manifest: Mapping[str, Any], is_new: bool) -> frozenset[str]:
    """Occasions for a notification after a successful run: `empty`, `drift`."""
    found = set()
    if is_new and not manifest["verdicts"]["shortlisted"]:
        found.add("empty")
    if is_new and manifest.get("doubts"):
        found.add("drift")
    return frozenset(found)


def title_of(manifest: Mapping[str, Any]) -> str:
    """One line for the head of a message."""
    listed = manifest["verdicts"]["shortlisted"]
    doubts = f", {len(manifest['doubts'])} doubts" if manifest.get("doubts") else ""
    return f"shortlist {manifest['week']}: {listed:,} products ({manifest['new']:,} new, {manifest['gone']:,} gone){doubts}"


def body_of(manifest: Mapping[str, Any], folder: Path, last: Path | None, is_new: bool) -> str:
    """The message: plain text, titles cut and without control characters.

    Parameters
    ----------
    manifest, folder : the run
    last : the folder of the list before it, None for a first one
    is_new : False where nothing had changed
    """
    listed = read_parquet(folder / "shortlist.parquet", _COLUMNS).to_pylist()
    lines = [summary_line(manifest, is_new), *(f"warning: {text}" for text in manifest["warnings"])]
    lines += ["", f"top {min(TOP, len(listed))}"] + [_told(row) for row in listed[:TOP]]
    if last is not None:
        before = read_parquet(last / "shortlist.parquet", _COLUMNS).to_pylist()
        lines += _moved("entered", listed, before) + _moved("left", before, listed)
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)


def _told(row: Mapping[str, Any]) -> str:
    title = str(row["title"] or "")
    cut = title if len(title) <= _TITLE_LETTERS else title[: _TITLE_LETTERS - 1] + "…"
    money = f"{row['currency']} {row['price']:.2f}, earns {row['net_profit']:.2f}, returns {row['return_rate']:.1%}"
    return f"{row['rank']}. {row['marketplace']} {row['product_id']} {cut}: {money}"


def _moved(word: str, here: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> list[str]:
    known = {(row["marketplace"], row["product_id"]) for row in there}
    moved = [f"{row['marketplace']} {row['product_id']}" for row in here if (row["marketplace"], row["product_id"]) not in known]
    if not moved:
        return []
    more = f" and {len(moved) - _NAMED:,} more" if len(moved) > _NAMED else ""
    return ["", f"{word}: {', '.join(moved[:_NAMED])}{more}"]
