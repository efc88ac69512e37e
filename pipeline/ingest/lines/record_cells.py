"""The cells of whole records as columns of text."""

from __future__ import annotations

import csv
from collections.abc import Mapping

import pyarrow as pa
from pyarrow import csv as pa_csv

from pipeline.ingest.lines.contract import Grammar

_PARSE_BYTES = 1 << 20


def parse_cells(text: bytes, grammar: Grammar, types: Mapping[int, pa.DataType], longest: int | None) -> pa.Table:
    """The cells of whole records, one row for each record.

    Parameters
    ----------
    text : records that keep the line contract, each with a line end.
    grammar : their separator and number of cells.
    types : header position -> the type of text to read it as; other positions are not read.
    longest : bytes of the longest line; None where values hold line ends.

    Returns
    -------
    pa.Table
        Columns `c0`, `c1` ... by header position.

    Raises
    ------
    pa.ArrowInvalid
        A record has another number of cells.
    """
    named = {f"c{place}": type_ for place, type_ in types.items()}
    if not text[:2].strip(b"\r\n") and not text.strip(b"\r\n"):
        return pa.schema(list(named.items())).empty_table()
    # Pieces that stay in the processor's cache take two thirds of the time; none may be shorter than a line.
    block_size = len(text) + 1 if longest is None else min(len(text) + 1, max(_PARSE_BYTES, longest + 2))
    return pa_csv.read_csv(
        pa.BufferReader(text),
        read_options=pa_csv.ReadOptions(
            column_names=[f"c{place}" for place in range(grammar.width)], block_size=block_size, use_threads=False
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=grammar.separator, quote_char='"', double_quote=True, escape_char=False,
            newlines_in_values=longest is None, ignore_empty_lines=True,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=named, include_columns=list(named), check_utf8=False, strings_can_be_null=True,
            quoted_strings_can_be_null=True, null_values=[""],
        ),
    )  # fmt: skip


def split_record(record: bytes, grammar: Grammar) -> list[str]:
    """The trimmed cells of one record, read leniently."""
    try:
        cells = next(csv.reader([record.decode("utf-8", errors="replace")], delimiter=grammar.separator), [])
    except csv.Error:  # a cell of more than 128 kB is no blank one
        return ["?"] * grammar.width
    return [cell.strip() for cell in cells]
