"""One file of a dump from bytes to typed tables, with a ledger in which every physical line stands once."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import csv as pa_csv

from pipeline.errors import DumpError
from pipeline.ingest.accounts import FileReport
from pipeline.ingest.containers.blocks import Block, BlockReader, Start
from pipeline.ingest.containers.dump_files import DumpFile, path_values
from pipeline.ingest.containers.record_blocks import RecordReader
from pipeline.ingest.containers.sidecars import check_rows, check_sum
from pipeline.ingest.header.header import Header, encodings
from pipeline.ingest.lines.contract import MESSAGES, Grammar, Lines, split
from pipeline.ingest.prefetch import prefetch
from pipeline.ingest.rows.chunk import Chunk, Fault
from pipeline.ingest.rows.converter import Converter
from pipeline.ingest.rows.embedded_history import SCHEMA as HISTORY_SCHEMA
from pipeline.ingest.set_aside import SetAside
from pipeline.ingest.sources.context import ReadContext
from pipeline.tables import schemas

# A file in the right encoding has hardly a damaged line; more than one in 1,000 means that it is in another one.
_BROKEN_SHARE = 1_000
_PARSE_BYTES = 1 << 20
_LEARN_LINES = 1 << 15


@dataclass
class _Batch:
    """Records of one block with the line (from 0 in the block) on which each begins, and their bytes."""

    first: np.ndarray
    raw: list[bytes] | None
    lines: Lines


@dataclass
class Part:
    """What came of one block: typed rows, lines set aside, their counts, and the lines that wait for the next block."""

    tables: list[tuple[str, pa.Table]]
    counts: FileReport
    rest: Block | None


class FileReading:
    """A recognised file; `tables()` or `chunks()` reads it once, after that `report` is whole.

    Blocks are worked on by `threads` threads. Rows, their order and the report do not depend on how many.
    """

    def __init__(self, file: DumpFile, header: Header, context: ReadContext, threads: int = 1) -> None:
        self.file, self.header, self.context, self.threads = file, header, context, threads
        self.match, self.source = header.match, header.match.source
        constants = {**self.source.constants, **path_values(self.source.path, file.name)}
        self.converter = Converter(self.match, context, file.name, constants)
        self.constants = {
            name: value for name, value in constants.items()
            if name not in {"marketplace", "currency"} and name not in self.match.columns
        }  # fmt: skip
        self.grammar = Grammar(header.separator, len(self.match.header))
        self.schema = schemas.schema(schemas.DUMP_TABLES[self.source.table])
        self.report = FileReport(
            file.name, self.source.name, self.source.table, header.encoding, header.separator, header=header.lines,
            blank=header.blank, columns=header.fields(), unused=list(self.match.unused), warnings=list(header.notes),
            exported_at=self.match.exported_at(), non_records={"preamble": header.preamble} if header.preamble else {},
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
        if not self.header.is_whole and self.source.file.final_line_end == "required":
            raise self.cut_off()
        if self.source.one_currency and "marketplace" not in self.match.columns:
            self.converter.currencies.file_currency = self._named_currency()
        self.report.lines = self.header.before_records
        reader = self.reader()
        for part in self._parts(self._learning(reader.blocks())):
            self.report.add(part.counts)
            self.report.size = reader.size
            yield from part.tables
        self.finish(reader)

    # -- blocks --------------------------------------------------------------------------------------------------------

    def _learning(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for place, block in enumerate(blocks):
            if place == 0:
                front, _ = block.cut(min(block.ends.size, _LEARN_LINES))
                self.converter.learn(self._split(front, True)[2])
            self.report.lines += block.ends.size
            yield block

    def _parts(self, blocks: Iterator[Block]) -> Iterator[Part]:
        rest: Block | None = None
        for block, found in prefetch(self.read_block, blocks, self.threads):
            # Lines that waited for this block: it is read again with them before it.
            part = self.read_block(rest.before(block)) if rest else found()
            rest = part.rest
            yield part
        if rest:
            yield self.read_block(rest, True)

    def read_block(self, block: Block, is_last: bool = False) -> Part:
        """Read one block, without a word to any other: it may be one of several at a time, and in vain."""
        if block.is_open and self.source.file.final_line_end == "required":
            raise self.cut_off()
        lines, rest, table = self._split(block, is_last)
        if block.is_open and not rest and lines.refused and lines.refused[-1][0] == block.ends.size - 1:
            raise self.cut_off()
        counts = FileReport(self.file.name, self.source.name, self.source.table, separator=self.grammar.separator, blank=lines.blank)
        part = Part([], counts, rest)
        aside = SetAside(lines, counts, self.match.personal)
        for line, kind in lines.refused:
            aside.add(line, Fault("", kind, MESSAGES[kind]), None)
        batches = [(table, _Batch(np.flatnonzero(lines.kept), None, lines))]
        if lines.joined:
            raw = [join.record for join in lines.joined]
            first = np.array([join.first for join in lines.joined])
            batches.append((self._parse(b"\n".join(raw) + b"\n", None), _Batch(first, raw, lines)))
            counts.line_ends_in_values += sum(join.last - join.first for join in lines.joined)
        for parsed, batch in batches:
            if parsed.num_rows != batch.first.size:
                raise AssertionError(f"{self.file.name}: {batch.first.size} records, but {parsed.num_rows} rows parsed")
            if parsed.num_rows:
                part.tables += [(name, rows) for name, rows in self._typed(parsed, batch, aside) if rows.num_rows]
        if aside.count:
            part.tables.append(("set_aside", aside.table()))
        return part

    def _split(self, block: Block, is_last: bool) -> tuple[Lines, Block | None, pa.Table]:
        """First without counting cells: the parser does that too, and complains; only then every line is measured."""
        is_records = self.header.records is not None  # their line ends are told by the block: a cell may hold others
        lines, rest = split(block, self.grammar, self._fits, False, is_last)
        try:
            table = self._parse(lines.text(), None if is_records else lines.longest)
            if table.num_rows == int(lines.kept.sum()):
                return lines, rest, table
        except pa.ArrowInvalid:  # a line of another width: not lost, but measured line by line below
            pass
        lines, rest = split(block, self.grammar, self._fits, True, is_last)
        return lines, rest, self._parse(lines.text(), None if is_records else lines.longest)

    def _parse(self, text: bytes, longest: int | None) -> pa.Table:
        """Cells of whole records as text; `longest` of their lines in bytes, None where values hold line ends."""
        names = [f"c{place}" for place in range(self.grammar.width)]
        types = {f"c{place}": type_ for place, type_ in self.converter.types().items()}
        if not text[:2].strip(b"\r\n") and not text.strip(b"\r\n"):
            return pa.schema(list(types.items())).empty_table()
        # Pieces that stay in the processor's cache take two thirds of the time; none may be shorter than a line.
        block_size = len(text) + 1 if longest is None else min(len(text) + 1, max(_PARSE_BYTES, longest + 2))
        return pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(column_names=names, block_size=block_size, use_threads=False),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.grammar.separator, quote_char='"', double_quote=True, escape_char=False,
                newlines_in_values=longest is None, ignore_empty_lines=True,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=list(types), check_utf8=False, strings_can_be_null=True,
                quoted_strings_can_be_null=True, null_values=[""],
            ),
        )  # fmt: skip

    def _fits(self, records: list[bytes]) -> list[bool]:
        """Whether joined records are records: their typed cells fit, and their key is there."""
        chunk = self.converter.convert(self._parse(b"\n".join(records) + b"\n", None))
        return ((chunk.faulty < 0) & ~chunk.again & ~chunk.suspects).tolist()

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _typed(self, parsed: pa.Table, batch: _Batch, aside: SetAside) -> Iterator[tuple[str, pa.Table]]:
        chunk, counts = self.converter.convert(parsed), aside.counts
        for header, softened in chunk.softened.items():
            counts.softened[header] = counts.softened.get(header, 0) + softened
        used = np.ones(chunk.rows, bool)
        for row in np.flatnonzero(chunk.again).tolist():
            used[row] = False
            aside.add(int(batch.first[row]), Fault("", "second_header", MESSAGES["second_header"]), _raw(batch, row))
        self._drop_non_records(chunk, batch, used, counts)
        self._drop_non_products(chunk, used, counts)
        for row in np.flatnonzero(used & (chunk.faulty >= 0)).tolist():
            used[row] = False
            aside.add(int(batch.first[row]), chunk.faults[int(chunk.faulty[row])], _raw(batch, row))
        counts.rows += int(used.sum())
        columns = self._columns(chunk, batch)
        yield self.source.table, self._assemble(columns, chunk.rows, used)
        if chunk.history:
            yield "price_history", chunk.history.table(columns, used, HISTORY_SCHEMA)

    def _drop_non_records(self, chunk: Chunk, batch: _Batch, used: np.ndarray, counts: FileReport) -> None:
        if not self.source.non_records or not chunk.suspects.any():
            return
        for row in np.flatnonzero(chunk.suspects & used).tolist():
            cells = [cell.strip() for cell in self._cells(_raw(batch, row) or batch.lines.record(int(batch.first[row])))]
            for rule in self.source.non_records:
                empty = all(not cells[place] for name in rule.empty for place in self.match.columns.get(name, ()))
                found = re.search(rule.only, "".join(cells)) if empty else None
                if found:
                    used[row] = False
                    counts.non_records[rule.kind] = counts.non_records.get(rule.kind, 0) + 1
                    counts.exported_at = found.groupdict().get("exported_at") or counts.exported_at
                    break

    def _cells(self, record: bytes) -> list[str]:
        try:
            return next(csv.reader([record.decode("utf-8", errors="replace")], delimiter=self.grammar.separator), [])
        except csv.Error:  # a cell of more than 128 kB is no blank one
            return ["?"] * self.grammar.width

    def _drop_non_products(self, chunk: Chunk, used: np.ndarray, counts: FileReport) -> None:
        dropped = chunk.codes[used & (chunk.codes >= 0)]
        for number, count in zip(*np.unique(dropped, return_counts=True), strict=True):
            code = self.source.non_products[int(number)].code
            counts.non_products[code] = counts.non_products.get(code, 0) + int(count)
            counts.rows += int(count)
        used &= chunk.codes < 0

    def _columns(self, chunk: Chunk, batch: _Batch) -> dict[str, pa.Array]:
        block = batch.lines.block
        origin = {
            "source": _constant(self.source.name, chunk.rows),
            "file": _constant(self.file.name, chunk.rows),
            "line": pa.array(batch.first + block.first_line, pa.int64()),
            "byte_offset": pa.array(block.starts[batch.first], pa.int64()),
        }
        columns = {**chunk.columns, **origin}
        for name, value in self.constants.items():
            columns[name] = pa.repeat(pa.scalar(value), chunk.rows).cast(self.schema.field(name).type)
        return columns

    def _assemble(self, columns: dict[str, pa.Array], rows: int, used: np.ndarray) -> pa.Table:
        arrays = [columns.get(entry.name, pa.nulls(rows, entry.type)) for entry in self.schema]
        arrays = [_as(array, entry.type) for array, entry in zip(arrays, self.schema, strict=True)]
        table = pa.Table.from_arrays(arrays, names=self.schema.names)
        return table if used.all() else table.filter(pa.array(used))

    # -- the file as a whole -------------------------------------------------------------------------------------------

    def _named_currency(self) -> int:
        """The one currency that the file's money cells name, or -1; read ahead so that no row depends on its neighbours."""
        reader = self.reader()
        named: set[int] = set()
        rest: Block | None = None
        for piece in reader.blocks():
            _, rest, table = self._split(rest.before(piece) if rest else piece, False)
            named |= self.converter.convert(table).named if table.num_rows else set()
        if rest:
            named |= self.converter.convert(self._split(rest, True)[2]).named
        exact = {int(self.converter.places.exact[place]) for place in named if place >= 0} - {-1}
        return exact.pop() if len(exact) == 1 else -1

    def reader(self) -> BlockReader | RecordReader:
        """The file's records from the first one on."""
        header = self.header
        if header.records:
            return header.records(frozenset(self.converter.types()))
        start = Start(header.opening, header.encoding, header.skip, header.before_records)
        return BlockReader(self.file.path, self.file.name, start)

    def cut_off(self) -> DumpError:
        """The refusal of a file whose last line has no end."""
        return DumpError(f"{self.file.name}: cut off, the last line has no end; wait for the upload to finish, then run again")

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


def _raw(batch: _Batch, row: int) -> bytes | None:
    return batch.raw[row] if batch.raw is not None else None


def _constant(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([text]))


def _as(array: pa.Array, type_: pa.DataType) -> pa.Array:
    return array if array.type in (type_, schemas.CODED) else array.cast(type_)
