"""One row per product, merged from all files that name it.

Within one file a product stands once: an exact repeat is counted and dropped; of rows that contradict each other the one with the lowest
price is kept (a mistake must not make a margin) and the others are set aside. Across files every row may add what the better row
lacks, the row with the lower price first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.stages.records.duplicates import counts_by_file
from pipeline.tables.frames import whole
from pipeline.tables.schemas import CANDIDATES, KEY, ORIGIN

_KEYS = [column.name for column in KEY]
_FACTS = [column.name for column in CANDIDATES if column.name not in _KEYS]


@dataclass(frozen=True)
class Merged:
    """`candidates`: one row per key, sorted by key. `repeats`: exact repeats per file. `conflicts`: rows that were set aside."""

    candidates: pd.DataFrame
    repeats: dict[str, int]
    conflicts: pd.DataFrame


def one_row_per_product(rows: pd.DataFrame) -> Merged:
    """Merge candidate rows to one per product; the answer does not depend on the order of the rows.

    Parameters
    ----------
    rows : DataFrame
        Rows in the columns of `tables.schemas.CANDIDATES` and `tables.schemas.ORIGIN`.

    Returns
    -------
    Merged
        `conflicts` has `file`, `line`, `byte_offset`, `column`, `kind`, `message`.
    """
    price, known = whole(rows, "price_cents")
    ordered = rows.assign(_price=np.where(known, price, np.iinfo(np.int64).max))
    clashing = ordered.duplicated([*_KEYS, "file"], keep=False)
    if clashing.any():
        # A total order over everything a row says, so that which row is kept never depends on where it stood.
        said = ordered.loc[clashing, _FACTS].astype("string").fillna("").agg("\x1f".join, axis=1)
        ordered["_said"] = said.reindex(ordered.index).fillna("").astype(str)
    else:
        ordered["_said"] = ""
    ordered = ordered.sort_values([*_KEYS, "file", "_price", "_said", "line"], kind="stable")
    repeated = ordered.duplicated([*_KEYS, "file", *_FACTS])
    repeats = counts_by_file(ordered[repeated])
    ordered = ordered[~repeated]
    clash = ordered.duplicated([*_KEYS, "file"])
    conflicts = _conflicts(ordered[clash])
    ordered = ordered[~clash]
    if ordered.duplicated(_KEYS).any():
        ordered = ordered.sort_values([*_KEYS, "_price", "_said", "file"], kind="stable")
        ordered = _filled(ordered)
    columns = [column.name for column in CANDIDATES + ORIGIN]
    return Merged(ordered[columns].reset_index(drop=True), repeats, conflicts)


def _filled(ordered: pd.DataFrame) -> pd.DataFrame:
    """Each product's first row, with what it lacks taken from its next rows."""
    shared = ordered.duplicated(_KEYS, keep=False)
    several = ordered[shared]
    first = several.drop_duplicates(_KEYS).reset_index(drop=True)
    for rank in range(1, int(several.groupby(_KEYS).cumcount().max()) + 1):
        later = several[several.groupby(_KEYS).cumcount() == rank]
        aligned = first[_KEYS].merge(later, on=_KEYS, how="left")
        for name in _FACTS:
            first[name] = first[name].where(first[name].notna(), aligned[name])
    return pd.concat([ordered[~shared], first]).sort_values(_KEYS, kind="stable")


def _conflicts(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file": rows["file"],
            "line": rows["line"],
            "byte_offset": rows["byte_offset"],
            "column": "product_id",
            "kind": "conflict",
            "message": "the product "
            + rows["product_id"].astype(str)
            + " stands in this file with other facts too; the row with the lowest price is kept; send one row per product",
        }
    ).reset_index(drop=True)
