"""Exact repeats inside a file: kept once and counted."""

from __future__ import annotations

import pandas as pd

_PLACE = ("line", "byte_offset")


def without_repeats(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows without exact repeats inside one file (every column equal but the line), and how many each file had."""
    said = [name for name in rows.columns if name not in _PLACE]
    repeated = rows.duplicated(said)
    return rows[~repeated], counts_by_file(rows[repeated])


def counts_by_file(rows: pd.DataFrame) -> dict[str, int]:
    """Rows per file."""
    return {str(file): int(count) for file, count in rows["file"].value_counts().items()}
