"""The header of any file: text, workbook or JSON is detected by content, and a source recognises its names."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import DumpError
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.workbooks import is_workbook
from pipeline.ingest.header.header import Header, read_text_header, text_header_names
from pipeline.ingest.header.json_header import is_json, json_names, read_json_header
from pipeline.ingest.header.sheet_header import read_sheet_header, sheet_header_names
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.schema import Source


def read_header(file: DumpFile, sources: Sequence[Source], context: ReadContext) -> Header:
    """Open a file as far as its header.

    Raises
    ------
    DumpError
        The file is empty, cannot be opened, is of an encoding that nobody declared, or of no known source.
    """
    if is_workbook(file.path, file.name):
        return read_sheet_header(file, sources, context)
    if is_json(file):
        return read_json_header(file, sources, context)
    return read_text_header(file, sources, context)


def header_names(file: DumpFile) -> tuple[str, ...]:
    """The names of a file's columns, as far as they can be found, for a file that no source recognises; none where it cannot be opened."""
    try:
        if is_workbook(file.path, file.name):
            return sheet_header_names(file)
        return json_names(file) if is_json(file) else text_header_names(file)
    except DumpError:
        return ()
