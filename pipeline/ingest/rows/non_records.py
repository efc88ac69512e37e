"""Lines that are no record, and records that are no product, as a source declares them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from pipeline.ingest.rows.chunk import Chunk
from pipeline.ingest.sources.recognition import Match


def find_non_record(cells: Sequence[str], match: Match) -> tuple[str, str | None] | None:
    """The kind of non-record that the trimmed cells of a line are, and the time of the export where it states one; None for a record."""
    for rule in match.source.non_records:
        is_empty = all(not cells[place] for name in rule.empty for place in match.columns.get(name, ()))
        found = re.search(rule.only, "".join(cells)) if is_empty else None
        if found:
            return rule.kind, found.groupdict().get("exported_at")
    return None


def count_non_products(chunk: Chunk, used: np.ndarray, match: Match) -> dict[str, int]:
    """Non-products among the rows that `used` (bool, a row each) marks, by their code."""
    numbers, counts = np.unique(chunk.codes[used & (chunk.codes >= 0)], return_counts=True)
    codes = [match.source.non_products[number].code for number in numbers.tolist()]
    totals: dict[str, int] = {}
    for code, count in zip(codes, counts.tolist(), strict=True):
        totals[code] = totals.get(code, 0) + count
    return totals
