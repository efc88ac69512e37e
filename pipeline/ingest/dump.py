"""The public functions of ingest: list a dump, describe a file, read it, find its lines again."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import DumpError
from pipeline.ingest.accounts import Description, FileReport
from pipeline.ingest.containers.blocks import read_lines
from pipeline.ingest.containers.dump_files import DumpFile, list_dump
from pipeline.ingest.containers.record_blocks import records_at
from pipeline.ingest.header.opening import header_names, read_header
from pipeline.ingest.lines.contract import Grammar
from pipeline.ingest.reading import FileReading, SkippedReading, start_reading
from pipeline.ingest.set_aside import mask
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.recognition import reasons
from pipeline.ingest.sources.schema import Source

__all__ = [
    "Description", "DumpFile", "FileReading", "FileReport", "ReadContext", "describe", "list_dump", "raw_records", "read_file",
]  # fmt: skip


def read_file(file: DumpFile, sources: Sequence[Source], context: ReadContext, threads: int = 1) -> FileReading | SkippedReading:
    """Open a file and recognise it; `threads` will work on its blocks.

    Raises
    ------
    DumpError
        The file is empty, unknown, of an undeclared encoding, or lacks a currency that nothing else says.
    """
    return start_reading(file, read_header(file, sources, context), context, threads)


def raw_records(file: DumpFile, source: Source, offsets: Sequence[int], context: ReadContext) -> list[str]:
    """The physical lines that begin at places of a file's text, decoded leniently, the source's personal cells masked.

    `offsets` ascend; `context` is that with which the file was read, for it may declare the encoding.
    """
    header = read_header(file, (source,), context)
    record = Grammar(header.separator, len(header.match.header)).record
    if header.records:
        lines = records_at(header.records.reader(frozenset()), offsets)
    else:
        texts = read_lines(file.path, offsets, header.encoding, header.opening.is_cr)
        lines = [line.encode("utf-8", errors="replace") for line in texts]
    return [mask(line, header.match.personal, header.separator, bool(record.fullmatch(line))) for line in lines]


def describe(file: DumpFile, sources: Sequence[Source], context: ReadContext) -> Description:
    """How a file would be read, or why not; never raises a refusal, reads no more than the header."""
    try:
        header = read_header(file, sources, context)
        start_reading(file, header, context)
    except DumpError as error:
        return Description(file.name, header_names(file), problem=str(error.args[0]))
    match = header.match
    return Description(
        file.name, match.header, match.source.name, match.source.table or "left out", header.encoding, header.fields(), match.unused,
        tuple(reasons(match)),
    )  # fmt: skip
