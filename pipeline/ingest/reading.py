"""One file of a dump from bytes to typed tables, with a ledger in which every physical line stands once."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import csv as pa_csv

from pipeline import tables
from pipeline.errors import DumpError
from pipeline.ingest.aside import Aside
from pipeline.ingest.blocks import Block, BlockReader, Start
from pipeline.ingest.chunk import Chunk, Fault
from pipeline.ingest.convert import Converter
from pipeline.ingest.files import DumpFile, path_values
from pipeline.ingest.header import Header, encodings
from pipeline.ingest.history import SCHEMA as HISTORY_SCHEMA
from pipeline.ingest.lines import MESSAGES, Grammar, Lines, split
from pipeline.ingest.places import ReadContext
from pipeline.ingest.records import RecordReader
from pipeline.ingest.report import FileReport
from pipeline.ingest.sidecars import check_rows, check_sum

# A file in the right encoding has hardly a damaged line; more than one in 1,000 means that it is in another one.
_BROKEN_SHARE = 1_000
_PARSE_BYTES = 2 << 20


@dataclass
class _Batch:
    """Records of one block with the line (from 0 in the block) on which each begins, and their bytes."""

    text: bytes
    first: np.ndarray
    raw: list[bytes] | None
    lines: Lines


class FileReading:
    """A recognised file; `tables()` reads it once, after that `report` is whole."""

    def __init__(self, file: DumpFile, header: Header, context: ReadContext) -> None:
        self.file, self.header, self.context = file, header, context
        self.match, self.source = header.match, header.match.source
        constants = {**self.source.constants, **path_values(self.source.path, file.name)}
        self.converter = Converter(self.match, context, file.name, constants)
        self.constants = {
            name: value for name, value in constants.items()
            if name not in {"marketplace", "currency"} and name not in self.match.columns
        }  # fmt: skip
        self.grammar = Grammar(header.separator, len(self.match.header))
        self.schema = tables.schema(tables.DUMP_TABLES[self.source.table])
        self._softened: Counter[str] = Counter()
        self.report = FileReport(
            file.name, self.source.name, self.source.table, header.encoding, header.separator, header=header.lines,
            blank=header.blank, columns=header.fields(), unused=list(self.match.unused), warnings=list(header.notes),
            exported_at=self.match.exported_at(), non_records={"preamble": header.preamble} if header.preamble else {},
        )  # fmt: skip

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Chunks of the source's table, and of `set_aside`, in the schema of `pipeline.tables`.

        Raises
        ------
        DumpError
            The last line has no end, the file changed while it was read, is not in its encoding, or not what its sidecar says.
        """
        if not self.header.is_whole and self.source.file.final_line_end == "required":
            raise self._cut_off()
        if self.source.one_currency and "marketplace" not in self.match.columns:
            self.converter.file_currency = self._named_currency()
        reader = self._reader()
        rest: Block | None = None
        total = self.header.before_records
        for piece in reader.blocks():
            total += piece.ends.size
            block = rest.before(piece) if rest else piece
            rest = yield from self._block(block, False)
        if rest:
            yield from self._block(rest, True)
        self._finish(reader, total)

    # -- one block -----------------------------------------------------------------------------------------------------

    def _block(self, block: Block, is_last: bool) -> Generator[tuple[str, pa.Table], None, Block | None]:
        if block.is_open and self.source.file.final_line_end == "required":
            raise self._cut_off()
        lines, rest, table = self._split(block, is_last)
        if block.is_open and not rest and lines.refused and lines.refused[-1][0] == block.ends.size - 1:
            raise self._cut_off()
        self.report.blank += lines.blank
        aside = Aside(lines, self.report, self.match.personal)
        for line, kind in lines.refused:
            aside.add(line, Fault("", kind, MESSAGES[kind]), None)
        batches = [(table, _Batch(b"", np.flatnonzero(lines.kept), None, lines))]
        if lines.joined:
            raw = [join.record for join in lines.joined]
            first = np.array([join.first for join in lines.joined])
            batches.append((self._parse(b"\n".join(raw) + b"\n", True), _Batch(b"", first, raw, lines)))
            self.report.line_ends_in_values += sum(join.last - join.first for join in lines.joined)
        for parsed, batch in batches:
            if parsed.num_rows != batch.first.size:
                raise AssertionError(f"{self.file.name}: {batch.first.size} records, but {parsed.num_rows} rows parsed")
            if parsed.num_rows:
                typed, history = self._typed(parsed, batch, aside)
                if typed.num_rows:
                    yield self.source.table, typed
                if history is not None and history.num_rows:
                    yield "price_history", history
        if aside.count:
            yield "set_aside", aside.table()
        return rest

    def _split(self, block: Block, is_last: bool) -> tuple[Lines, Block | None, pa.Table]:
        """First without counting cells: the parser does that too, and complains; only then every line is measured."""
        is_records = self.header.records is not None  # their line ends are told by the block: a cell may hold others
        lines, rest = split(block, self.grammar, self._fits, False, is_last)
        try:
            table = self._parse(lines.text(), is_records)
            if table.num_rows == int(lines.kept.sum()):
                return lines, rest, table
        except pa.ArrowInvalid:  # a line of another width: not lost, but measured line by line below
            pass
        lines, rest = split(block, self.grammar, self._fits, True, is_last)
        return lines, rest, self._parse(lines.text(), is_records)

    def _parse(self, text: bytes, has_line_ends: bool) -> pa.Table:
        names = [f"c{place}" for place in range(self.grammar.width)]
        types = {f"c{place}": type_ for place, type_ in self.converter.types().items()}
        if not text.strip(b"\r\n"):
            return pa.schema(list(types.items())).empty_table()
        block_size = max(len(text) + 1, 1) if has_line_ends else min(len(text) + 1, _PARSE_BYTES)
        longest = 0 if has_line_ends or len(text) < _PARSE_BYTES else _longest_line(text)
        return pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(column_names=names, block_size=max(block_size, longest + 2)),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.grammar.separator, quote_char='"', double_quote=True, escape_char=False,
                newlines_in_values=has_line_ends, ignore_empty_lines=True,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=list(types), check_utf8=False, strings_can_be_null=False,
                quoted_strings_can_be_null=False, null_values=[],
            ),
        )  # fmt: skip

    def _fits(self, records: list[bytes]) -> list[bool]:
        """Whether joined records are records: their typed cells fit, and their key is there."""
        chunk = self.converter.convert(self._parse(b"\n".join(records) + b"\n", True))
        return ((chunk.faulty < 0) & ~chunk.again & ~chunk.suspects).tolist()

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _typed(self, parsed: pa.Table, batch: _Batch, aside: Aside) -> tuple[pa.Table, pa.Table | None]:
        chunk = self.converter.convert(parsed)
        self._softened.update(chunk.softened)
        used = np.ones(chunk.rows, bool)
        for row in np.flatnonzero(chunk.again).tolist():
            used[row] = False
            aside.add(int(batch.first[row]), Fault("", "second_header", MESSAGES["second_header"]), _raw(batch, row))
        self._drop_non_records(chunk, batch, used)
        self._drop_non_products(chunk, used)
        for row in np.flatnonzero(used & (chunk.faulty >= 0)).tolist():
            used[row] = False
            aside.add(int(batch.first[row]), chunk.faults[int(chunk.faulty[row])], _raw(batch, row))
        self.report.rows += int(used.sum())
        columns = self._columns(chunk, batch)
        history = chunk.history.table(columns, used, HISTORY_SCHEMA) if chunk.history else None
        return self._assemble(columns, chunk.rows, used), history

    def _drop_non_records(self, chunk: Chunk, batch: _Batch, used: np.ndarray) -> None:
        if not self.source.non_records or not chunk.suspects.any():
            return
        for row in np.flatnonzero(chunk.suspects & used).tolist():
            cells = [cell.strip() for cell in self._cells(_raw(batch, row) or batch.lines.record(int(batch.first[row])))]
            for rule in self.source.non_records:
                empty = all(not cells[place] for name in rule.empty for place in self.match.columns.get(name, ()))
                found = re.search(rule.only, "".join(cells)) if empty else None
                if found:
                    used[row] = False
                    self.report.non_records[rule.kind] = self.report.non_records.get(rule.kind, 0) + 1
                    self.report.exported_at = found.groupdict().get("exported_at") or self.report.exported_at
                    break

    def _cells(self, record: bytes) -> list[str]:
        try:
            return next(csv.reader([record.decode("utf-8", errors="replace")], delimiter=self.grammar.separator), [])
        except csv.Error:  # a cell of more than 128 kB is no blank one
            return ["?"] * self.grammar.width

    def _drop_non_products(self, chunk: Chunk, used: np.ndarray) -> None:
        dropped = chunk.codes[used & (chunk.codes >= 0)]
        for number, count in zip(*np.unique(dropped, return_counts=True), strict=True):
            code = self.source.non_products[int(number)].code
            self.report.non_products[code] = self.report.non_products.get(code, 0) + int(count)
            self.report.rows += int(count)
        used &= chunk.codes < 0

    def _columns(self, chunk: Chunk, batch: _Batch) -> dict[str, pa.Array]:
        block = batch.lines.block
        origin = {
            "source": pa.repeat(pa.scalar(self.source.name), chunk.rows),
            "file": pa.repeat(pa.scalar(self.file.name), chunk.rows),
            "line": pa.array(batch.first + block.first_line, pa.int64()),
            "byte_offset": pa.array(block.starts[batch.first], pa.int64()),
        }
        columns = {**chunk.columns, **origin}
        for name, value in self.constants.items():
            columns[name] = pa.repeat(pa.scalar(value), chunk.rows).cast(self.schema.field(name).type)
        return columns

    def _assemble(self, columns: dict[str, pa.Array], rows: int, used: np.ndarray) -> pa.Table:
        arrays = [columns.get(entry.name, pa.nulls(rows, entry.type)) for entry in self.schema]
        arrays = [array if array.type == entry.type else array.cast(entry.type) for array, entry in zip(arrays, self.schema, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=self.schema)
        return table if used.all() else table.filter(pa.array(used))

    # -- the file as a whole -------------------------------------------------------------------------------------------

    def _named_currency(self) -> int:
        """The one currency that the file's money cells name, or -1; read ahead so that no row depends on its neighbours."""
        reader = self._reader()
        named: set[int] = set()
        rest: Block | None = None
        for piece in reader.blocks():
            _, rest, table = self._split(rest.before(piece) if rest else piece, False)
            named |= self.converter.convert(table).named if table.num_rows else set()
        if rest:
            named |= self.converter.convert(self._split(rest, True)[2]).named
        exact = {int(self.converter.places.exact[place]) for place in named if place >= 0} - {-1}
        return exact.pop() if len(exact) == 1 else -1

    def _reader(self) -> BlockReader | RecordReader:
        header = self.header
        if header.records:
            return header.records(frozenset(self.converter.types()))
        start = Start(header.opening, header.encoding, header.skip, header.before_records)
        return BlockReader(self.file.path, self.file.name, start)

    def _cut_off(self) -> DumpError:
        return DumpError(f"{self.file.name}: cut off, the last line has no end; wait for the upload to finish, then run again")

    def _finish(self, reader: BlockReader | RecordReader, total: int) -> None:
        report = self.report
        report.size, report.sha256, report.lines = reader.size, reader.sha256, total
        check_sum(self.file.name, self.file.promise, reader.sha256)
        broken = report.set_aside.get("encoding", 0)
        if broken > max(1, total // _BROKEN_SHARE) or (broken and encodings(self.source, self.context)):
            raise DumpError(
                f"{self.file.name}: {broken:,} lines are not {self.header.encoding}"
                f"; declare its `encoding` for {self.source.name} in the plan (gb18030, cp1252 ...)"
            )
        for header, count in self._softened.items():
            report.warnings.append(f"{header}: {count:,} cells not understood, taken as missing")
        if report.rows == 0:
            report.warnings.append("no rows")
        report.check_ledger()
        check_rows(self.file.name, self.file.promise, *report.told_rows())


def _raw(batch: _Batch, row: int) -> bytes | None:
    return batch.raw[row] if batch.raw is not None else None


def _longest_line(text: bytes) -> int:
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    return int(np.diff(ends, prepend=-1).max()) if ends.size else len(text)
