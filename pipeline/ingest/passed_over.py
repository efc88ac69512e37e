"""A file that is recognised and skipped: its lines are counted by name."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from pipeline.ingest.accounts import FileReport
from pipeline.ingest.containers.blocks import BlockReader, Start
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.sidecars import check_sum
from pipeline.ingest.header.header import Header


class SkippedReading:
    """Stands for a `FileReading` where a source says `left_out`; `tables()` and `chunks()` give nothing."""

    def __init__(self, file: DumpFile, header: Header) -> None:
        self.file, self.header, self.source = file, header, header.match.source
        self.report = FileReport(
            file.name, self.source.name, "left out", header.encoding, header.separator, header=header.lines, blank=header.blank,
            unused=list(header.match.header), warnings=[*header.notes, self.source.left_out],
        )  # fmt: skip

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Read the file to its end for its sum and its lines."""
        header, report = self.header, self.report
        start = Start(header.opening, header.encoding, header.skip, header.before_records)
        reader = header.records(frozenset()) if header.records else BlockReader(self.file.path, self.file.name, start)
        lines = sum(block.ends.size for block in reader.blocks())
        report.size, report.sha256 = reader.size, reader.sha256
        check_sum(self.file.name, self.file.promise, reader.sha256)
        report.lines = header.before_records + lines
        report.non_records = {"left_out": header.preamble + lines}
        report.check_ledger()
        yield from ()

    def chunks(self) -> Iterator[tuple[str, pa.Table]]:
        """The same."""
        return self.tables()
