"""The cells of each field of a source: trimmed, missing ones null, several headers put together as its rule says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.cells.clean import Cells, clean, drop_missing, trim
from pipeline.ingest.cells.numbers import is_plain_text
from pipeline.ingest.sources.recognition import Match
from pipeline.ingest.sources.schema import TEXT_KINDS, ColumnRule, FileForm

# Few distinct values in any file: each is read once.
CODED_KINDS = frozenset({"marketplace", "currency", "flag", "choice", "date", "timestamp", "range_low", "range_high"})
_NUMBERS = frozenset({"money", "cost", "count", "quantity", "real", "fraction", "weight_g", "length_mm"})
_DIGITS = frozenset("0123456789.")


@dataclass(frozen=True)
class FieldCells:
    """The cells of one field; `origin` (int32, a row each) is the number of the header that each cell is from (None: there is one)."""

    cells: Cells
    origin: np.ndarray | None = None


def collect_fields(match: Match, raw: dict[int, Cells]) -> dict[str, FieldCells]:
    """The cells of every field that the header fills; `raw` are the cells by header position."""
    form = match.source.file
    return {name: _field(match.source.columns[name], form, [raw[place] for place in places]) for name, places in match.columns.items()}


def _field(rule: ColumnRule, form: FileForm, columns: list[Cells]) -> FieldCells:
    tokens = rule.missing + (form.missing_text if rule.kind in TEXT_KINDS or rule.kind == "key" else form.missing)
    if len(columns) == 1:
        cells = columns[0]
        if rule.kind in _NUMBERS and not any(map(_DIGITS.issuperset, tokens)) and is_plain_text(cells.values):
            return FieldCells(Cells(drop_missing(cells.values, ()), cells.index))
        return FieldCells(clean(cells.distinct() if rule.kind in CODED_KINDS else cells, tokens))
    parts = [clean(column, tokens).rows() for column in columns]
    return FieldCells(_joined(rule, parts)) if rule.join else _coalesced(rule, parts)


def _joined(rule: ColumnRule, parts: list[pa.Array]) -> Cells:
    filled = [pc.fill_null(part, "") for part in parts]
    if rule.kind == "gtins":
        return Cells(drop_missing(pc.utf8_trim_whitespace(pc.binary_join_element_wise(*filled, " ")), ()))
    # A key of several columns: each keeps its place, so that (a, nothing) is not (nothing, a).
    return Cells(drop_missing(pc.binary_join_element_wise(*filled, "|"), ("|" * (len(parts) - 1),)))


def _coalesced(rule: ColumnRule, parts: list[pa.Array]) -> FieldCells:
    origin = np.full(len(parts[0]), 0, np.int32)
    taken = np.zeros(len(parts[0]), bool)
    for number, part in enumerate(parts):
        filled = part.is_valid().to_numpy(zero_copy_only=False)
        origin[filled & ~taken] = number
        taken |= filled
    merged = Cells(pc.coalesce(*parts))
    return FieldCells(merged.distinct() if rule.kind in CODED_KINDS else merged, origin)


def is_header_again(match: Match, raw: dict[int, Cells], rows: int) -> np.ndarray:
    """Which rows hold in every column that column's own header (bool, a row each)."""
    again = np.ones(rows, bool)
    for place, cells in raw.items():
        same = pc.fill_null(pc.equal(trim(cells.values), match.header[place]), False).to_numpy(zero_copy_only=False)
        again &= cells.spread_mask(same)
        if not again.any():
            break
    return again if raw else np.zeros(rows, bool)
