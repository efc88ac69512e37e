"""The header of a workbook: which of its sheets is the table, and the source that knows it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pipeline.errors import DumpError
from pipeline.ingest.containers.blocks import Opening
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.record_blocks import SEPARATOR, Record, read_whole
from pipeline.ingest.containers.sheets import SheetRows, SheetTable
from pipeline.ingest.containers.workbooks import LARGEST_WORKBOOK, Sheet, Workbook
from pipeline.ingest.header.header import MOST_TITLES, Header, filled
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.recognition import Match, recognise
from pipeline.ingest.sources.schema import Source

_TEXT = Opening(b"", "utf-8", False, b"")


def read_sheet_header(file: DumpFile, sources: Sequence[Source], context: ReadContext) -> Header:
    """Find the one visible sheet of a workbook that a source knows by its first row (behind titles of one cell).

    Raises
    ------
    DumpError
        The workbook cannot be read, none of its sheets is known, or more than one is.
    """
    book = Workbook(read_whole(file.path, file.name, LARGEST_WORKBOOK), file.name)
    first_error: DumpError | None = None
    found: list[tuple[Sheet, Record, int, Match]] = []
    unread: list[str] = []
    for sheet in book.sheets:
        rows = SheetRows(book, sheet, file.name).rows_with_text()
        error: DumpError | None = None
        for titles, head in enumerate(itertools.islice(rows, MOST_TITLES + 1)):
            try:
                found.append((sheet, head, titles, recognise(_names(head), sources, file.name)))
                error = None
                break
            except DumpError as refusal:
                error = refusal if error is None or filled(head.cells) > 1 else error
            if filled(head.cells) > 1:
                break
        if error:
            first_error = first_error or error
            unread.append(sheet.title)
    if len(found) > 1:
        named = " and ".join(f"'{sheet.title}'" for sheet, *_ in found)
        raise DumpError(f"{file.name}: the sheets {named} both hold a table; send each in a workbook of its own")
    if not found:
        raise first_error or DumpError(f"{file.name}: no visible sheet holds a row; send the file again")
    sheet, head, titles, match = found[0]
    decimal = context.declared.get(match.source.name, {}).get("decimal", match.source.file.decimal)
    notes = tuple(f"sheet '{title}' is not read: no source knows it" for title in unread)

    records = SheetTable(file, sheet, head.line, len(match.header), decimal)
    return Header(match, _TEXT, "utf-8", SEPARATOR, 0, 1, head.line - 1 - titles, True, titles, records, notes)


def sheet_header_names(file: DumpFile) -> tuple[str, ...]:
    """The names in the first row of the first sheet that holds one, for a workbook that no source knows."""
    book = Workbook(read_whole(file.path, file.name, LARGEST_WORKBOOK), file.name)
    heads = (next(SheetRows(book, sheet, file.name).rows_with_text(), None) for sheet in book.sheets)
    return next((tuple(head.cells) for head in heads if head), ())


def _names(head: Record) -> list[str]:
    """The header, with one column without a name behind it: what stands to the right of the table is put there."""
    return [" ".join(cell.split()) if "\n" in cell else cell for cell in head.cells] + [""]
