"""One file of a dump from its first block to its last: typed tables, and a report in which every physical line is counted once."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pyarrow as pa

from pipeline.errors import DumpError
from pipeline.ingest.accounts import FileReport
from pipeline.ingest.block_reading import BlockRules, Part, read_block, split_block
from pipeline.ingest.containers.blocks import Block, BlockReader, Start
from pipeline.ingest.containers.dump_files import DumpFile, path_values
from pipeline.ingest.containers.record_blocks import RecordReader
from pipeline.ingest.containers.sidecars import check_rows, check_sum
from pipeline.ingest.header.header import Header, encodings
from pipeline.ingest.lines.contract import Grammar
from pipeline.ingest.prefetch import prefetch
from pipeline.ingest.rows.assembly import TableForm
from pipeline.ingest.rows.converter import Converter
from pipeline.ingest.sources.context import ReadContext
from pipeline.tables import schemas

# A file in the right encoding has hardly a damaged line; more than one in 1,000 means that it is in another one.
_BROKEN_SHARE = 1_000
_LEARN_LINES = 1 << 15


class FileReading:
    """A recognised file; `tables()` or `chunks()` reads it once, after that `report` is whole.

    Blocks are worked on by `threads` threads. Rows, their order and the report do not depend on how many.
    """

    def __init__(self, file: DumpFile, header: Header, context: ReadContext, threads: int = 1) -> None:
        self.file, self.header, self.context, self.threads = file, header, context, threads
        match = self.match = header.match
        source = self.source = match.source
        given = {**source.constants, **path_values(source.path, file.name)}
        converter = Converter(match, context, file.name, given)
        constants = {name: value for name, value in given.items() if name not in {"marketplace", "currency", *match.columns}}
        self.schema = schemas.schema(schemas.DUMP_TABLES[source.table])
        form = TableForm(self.schema, source.name, file.name, constants)
        self.rules = BlockRules(match, Grammar(header.separator, len(match.header)), converter, form, header.records is None)
        self.report = FileReport(
            file.name, source.name, source.table, header.encoding, header.separator, header=header.lines, blank=header.blank,
            columns=header.fields(), unused=list(match.unused), warnings=list(header.notes), exported_at=match.exported_at(),
            non_records={"preamble": header.preamble} if header.preamble else {},
        )  # fmt: skip

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Chunks of the source's table, and of `set_aside`, in the schema of `pipeline.tables`; raises as `chunks` does."""
        for name, chunk in self.chunks():
            yield name, chunk.cast(self.schema) if name == self.source.table else chunk

    def chunks(self) -> Iterator[tuple[str, pa.Table]]:
        """The same, but that columns of text may be coded (`tables.schemas.CODED`), the same ones in every chunk: what a spill takes as
        it is.

        Raises
        ------
        DumpError
            The last line has no end, the file changed while it was read, is not in its encoding, or not what its sidecar says.
        """
        self.refuse_cut_off()
        if self.source.one_currency and "marketplace" not in self.match.columns:
            self.rules.converter.currencies.file_currency = self._named_currency()
        self.report.lines = self.header.before_records
        reader = self.reader()
        for part in self._parts(self._learning(reader.blocks())):
            self.report.add(part.counts)
            self.report.size = reader.size
            yield from part.tables
        self.finish(reader)

    def _learning(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The blocks; the converter sees the first lines of the first one before it is read."""
        for place, block in enumerate(blocks):
            if place == 0:
                front, _ = block.cut(min(block.ends.size, _LEARN_LINES))
                self.rules.converter.learn(split_block(self.rules, front, True)[2])
            self.report.lines += block.ends.size
            yield block

    def _parts(self, blocks: Iterator[Block]) -> Iterator[Part]:
        rest: Block | None = None
        for block, found in prefetch(functools.partial(read_block, self.rules), blocks, self.threads):
            # Lines that waited for this block: it is read again with them before it.
            part = read_block(self.rules, rest.before(block)) if rest else found()
            rest = part.rest
            yield part
        if rest:
            yield read_block(self.rules, rest, True)

    def _named_currency(self) -> int:
        """The one currency that the file's money cells name, or -1; read ahead so that no row depends on its neighbours."""
        reader, converter = self.reader(), self.rules.converter
        named: set[int] = set()
        rest: Block | None = None
        for piece in reader.blocks():
            _, rest, cells = split_block(self.rules, rest.before(piece) if rest else piece, False)
            named |= converter.convert(cells).named if cells.num_rows else set()
        if rest:
            named |= converter.convert(split_block(self.rules, rest, True)[2]).named
        exact = {int(converter.market_codes.exact[place]) for place in named if place >= 0} - {-1}
        return exact.pop() if len(exact) == 1 else -1

    def reader(self) -> BlockReader | RecordReader:
        """The file's records from the first one on."""
        return open_records(self.file, self.header, frozenset(self.rules.converter.types()))

    def refuse_cut_off(self) -> None:
        """Raise `DumpError` where the header has no line end and the source demands one."""
        if not self.header.is_whole and self.rules.needs_final_line_end:
            raise self.rules.cut_off()

    def finish(self, reader: BlockReader | RecordReader) -> None:
        """Close the accounts, once all blocks were read."""
        report = self.report
        report.size, report.sha256 = reader.size, reader.sha256
        check_sum(self.file.name, self.file.promise, reader.sha256)
        broken = report.set_aside.get("encoding", 0)
        if broken > max(1, report.lines // _BROKEN_SHARE) or (broken and encodings(self.source, self.context)):
            raise DumpError(
                f"{self.file.name}: {broken:,} lines are not {self.header.encoding}"
                f"; declare its `encoding` for {self.source.name} in the plan (gb18030, cp1252 ...)"
            )
        for header, count in report.softened.items():
            report.warnings.append(f"{header}: {count:,} cells not understood, taken as missing")
        if again := report.set_aside.get("second_header", 0):
            report.warnings.append(f"the header stands {again:,} more times in it; were several files put together?")
        if report.rows == 0:
            report.warnings.append("no rows")
        report.check_ledger()
        check_rows(self.file.name, self.file.promise, *report.counted_rows())


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
        reader = open_records(self.file, header, frozenset())
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


def start_reading(file: DumpFile, header: Header, context: ReadContext, threads: int = 1) -> FileReading | SkippedReading:
    """The reading of a file whose header is known; raises `DumpError` where its path, marketplace or currency is not known."""
    return SkippedReading(file, header) if header.match.source.left_out else FileReading(file, header, context, threads)


def open_records(file: DumpFile, header: Header, used: frozenset[int]) -> BlockReader | RecordReader:
    """A reader of a file's blocks from the first record on; `used` are the header positions whose cells are read."""
    if header.records:
        return header.records.reader(used)
    return BlockReader(file.path, file.name, Start(header.opening, header.encoding, header.skip, header.before_records))
