"""Lines that are set aside: their place in the file, their fault, and their text with personal cells masked."""

from __future__ import annotations

import csv

import pyarrow as pa

from pipeline.ingest.accounts import FileReport
from pipeline.ingest.containers.blocks import Block
from pipeline.ingest.rows.chunk import Fault
from pipeline.tables import schemas

HIDDEN = "***"
_RAW_BYTES = 8 << 10


class SetAside:
    """Lines of one block that are set aside."""

    def __init__(self, block: Block, counts: FileReport, personal: frozenset[int]) -> None:
        self._block, self._counts, self._personal = block, counts, personal
        self._rows: list[tuple[int, int, str | None, str, str, str]] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._rows)

    def add(self, line: int, fault: Fault, record: bytes) -> None:
        """Set aside the record that begins on a line of the block (from 0), with its bytes; a record of several lines is given whole."""
        has_cells = bool(fault.column) or fault.kind == "second_header"
        text = mask(record, self._personal, self._counts.separator, has_cells)
        place = self._block.first_line + line, int(self._block.starts[line])
        self._rows.append((*place, fault.column or None, fault.kind, fault.message, text))
        counts = self._counts.set_aside
        counts[fault.kind] = counts.get(fault.kind, 0) + 1

    def table(self) -> pa.Table:
        """The lines in the schema of `tables.schemas.SET_ASIDE`."""
        line, offset, column, kind, message, raw = zip(*self._rows, strict=True)
        file = [self._counts.file] * len(line)
        values = [file, line, offset, column, kind, message, raw]
        schema = schemas.schema(schemas.SET_ASIDE)
        arrays = [pa.array(list(part), entry.type) for part, entry in zip(values, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)


def mask(record: bytes, personal: frozenset[int], separator: str, has_cells: bool) -> str:
    """A record as text, its personal cells as `***`; all of it where those cells cannot be located."""
    text = record[:_RAW_BYTES].decode("utf-8", errors="replace").rstrip("\r")
    if not personal:
        return text
    if not has_cells or len(record) > _RAW_BYTES:
        return f"{HIDDEN} (a line with personal cells that cannot be told apart)"
    try:
        cells = next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        return HIDDEN
    return separator.join(HIDDEN if place in personal and cell else _quoted(cell, separator) for place, cell in enumerate(cells))


def _quoted(cell: str, separator: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in (separator, '"', "\n")) else cell
