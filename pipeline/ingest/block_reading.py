"""One block of a file: its lines to records, the records to typed rows, and the lines that are set aside.

A block is read by itself, without a look at any other: several may be read at a time, and one may be read in vain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.errors import DumpError
from pipeline.ingest.accounts import FileReport
from pipeline.ingest.containers.blocks import Block
from pipeline.ingest.lines.contract import MESSAGES, Grammar, Joined, Lines, scan_lines, sort_lines
from pipeline.ingest.lines.joins import JoinSearch
from pipeline.ingest.lines.record_cells import parse_cells, split_record
from pipeline.ingest.rows.assembly import TableForm
from pipeline.ingest.rows.chunk import Chunk, Fault
from pipeline.ingest.rows.converter import Converter
from pipeline.ingest.rows.embedded_history import SCHEMA as HISTORY_SCHEMA
from pipeline.ingest.rows.non_records import count_non_products, find_non_record
from pipeline.ingest.set_aside import SetAside
from pipeline.ingest.sources.recognition import Match


@dataclass(frozen=True)
class BlockRules:
    """What is needed of a file to read any of its blocks.

    `is_text` is false for a workbook and a JSON document: a line of theirs is a whole record, whatever line ends its values hold.
    """

    match: Match
    grammar: Grammar
    converter: Converter
    form: TableForm
    is_text: bool

    @property
    def needs_final_line_end(self) -> bool:
        """Whether a last line without an end refuses the file."""
        return self.match.source.file.final_line_end == "required"

    def cut_off(self) -> DumpError:
        """The refusal of a file whose last line has no end."""
        return DumpError(f"{self.form.file}: cut off, the last line has no end; wait for the upload to finish, then run again")


@dataclass
class Part:
    """The result of one block: typed rows, lines set aside, their counts, and the lines that wait for the next block."""

    tables: list[tuple[str, pa.Table]]
    counts: FileReport
    rest: Block | None


@dataclass(frozen=True)
class _Records:
    """Records of one block as text: their cells, the line (from 0 in the block) on which each begins, and the bytes of joined ones."""

    cells: pa.Table
    first: np.ndarray
    joined: list[bytes] | None
    block: Block

    def raw(self, row: int) -> bytes:
        """The bytes of one record."""
        return self.joined[row] if self.joined is not None else self.block.line(int(self.first[row]))


def read_block(rules: BlockRules, block: Block, is_last: bool = False) -> Part:
    """Read one block; `is_last` says that no block follows.

    Raises
    ------
    DumpError
        Its last line has no end and the source demands one, or that line is damaged.
    """
    if block.is_open and rules.needs_final_line_end:
        raise rules.cut_off()
    lines, rest, cells = split_block(rules, block, is_last)
    if block.is_open and not rest and lines.refused and lines.refused[-1][0] == block.ends.size - 1:
        raise rules.cut_off()
    source = rules.match.source
    counts = FileReport(rules.form.file, source.name, source.table, separator=rules.grammar.separator, blank=lines.blank)
    set_aside = SetAside(lines.block, counts, rules.match.personal)
    for line, kind in lines.refused:
        set_aside.add(line, Fault("", kind, MESSAGES[kind]), lines.block.line(line))
    tables: list[tuple[str, pa.Table]] = []
    for records in _records(rules, lines, cells):
        if records.cells.num_rows != records.first.size:
            raise AssertionError(f"{rules.form.file}: {records.first.size} records, but {records.cells.num_rows} rows parsed")
        if records.cells.num_rows:
            tables += [(name, rows) for name, rows in _typed_tables(rules, records, counts, set_aside) if rows.num_rows]
    counts.line_ends_in_values += sum(join.last - join.first for join in lines.joined)
    if set_aside.count:
        tables.append(("set_aside", set_aside.table()))
    return Part(tables, counts, rest)


def split_block(rules: BlockRules, block: Block, is_last: bool) -> tuple[Lines, Block | None, pa.Table]:
    """A block's lines, its last lines where a record may go on in the next block, and the cells of the lines that are kept.

    What a line means does not depend on where blocks are cut.
    """
    scanned = scan_lines(block, rules.grammar)
    joined: list[Joined] = []
    if scanned.is_faulty.any():
        search = JoinSearch(scanned, rules.grammar, is_last)
        while search.proposed:
            search.judge(_fit_columns(rules, [join.record for join in search.proposed]))
        if search.open_line is not None:
            front, rest = block.cut(search.open_line)
            lines, _, cells = split_block(rules, front, True)
            return lines, rest, cells
        joined = search.joined
    # First without counting cells: the parser counts them too, and raises. Only then is every line measured.
    lines = sort_lines(scanned, joined, rules.grammar, check_width=False)
    try:
        cells = _parse(rules, lines)
        if cells.num_rows == int(lines.kept.sum()):
            return lines, None, cells
    except pa.ArrowInvalid:
        pass
    lines = sort_lines(scanned, joined, rules.grammar, check_width=True)
    return lines, None, _parse(rules, lines)


def _parse(rules: BlockRules, lines: Lines) -> pa.Table:
    return parse_cells(lines.text(), rules.grammar, rules.converter.types(), lines.longest if rules.is_text else None)


def _parse_joined(rules: BlockRules, records: list[bytes]) -> pa.Table:
    return parse_cells(b"\n".join(records) + b"\n", rules.grammar, rules.converter.types(), None)


def _fit_columns(rules: BlockRules, records: list[bytes]) -> list[bool]:
    """Whether joined records are records: their typed cells fit, and their key is there."""
    chunk = rules.converter.convert(_parse_joined(rules, records))
    return ((chunk.faulty < 0) & ~chunk.again & ~chunk.suspects).tolist()


def _records(rules: BlockRules, lines: Lines, cells: pa.Table) -> list[_Records]:
    """The records of one line each, then those of several lines."""
    records = [_Records(cells, np.flatnonzero(lines.kept), None, lines.block)]
    if lines.joined:
        raw = [join.record for join in lines.joined]
        first = np.array([join.first for join in lines.joined])
        records.append(_Records(_parse_joined(rules, raw), first, raw, lines.block))
    return records


def _typed_tables(rules: BlockRules, records: _Records, counts: FileReport, set_aside: SetAside) -> list[tuple[str, pa.Table]]:
    """The records' table, and the price history that they hold; what does not fit goes to `set_aside`."""
    chunk, first, block = rules.converter.convert(records.cells), records.first, records.block
    used = _used_rows(rules, chunk, records, counts, set_aside)
    columns = rules.form.add_common(chunk.columns, first + block.first_line, block.starts[first])
    tables = [(rules.match.source.table, rules.form.to_table(columns, used))]
    if chunk.history:
        tables.append(("price_history", chunk.history.table(columns, used, HISTORY_SCHEMA)))
    return tables


def _used_rows(rules: BlockRules, chunk: Chunk, records: _Records, counts: FileReport, set_aside: SetAside) -> np.ndarray:
    """Which rows are taken (bool, a row each); every other one is counted by what it is, or set aside."""
    for header, softened in chunk.softened.items():
        counts.softened[header] = counts.softened.get(header, 0) + softened
    used = ~chunk.again
    for row in np.flatnonzero(chunk.again).tolist():
        set_aside.add(int(records.first[row]), Fault("", "second_header", MESSAGES["second_header"]), records.raw(row))
    if rules.match.source.non_records:
        for row in np.flatnonzero(chunk.suspects & used).tolist():
            found = find_non_record(split_record(records.raw(row), rules.grammar), rules.match)
            if found:
                kind, exported_at = found
                used[row] = False
                counts.non_records[kind] = counts.non_records.get(kind, 0) + 1
                counts.exported_at = exported_at or counts.exported_at
    for code, count in count_non_products(chunk, used, rules.match).items():
        counts.non_products[code] = counts.non_products.get(code, 0) + count
        counts.rows += count
    used &= chunk.codes < 0
    for row in np.flatnonzero(used & (chunk.faulty >= 0)).tolist():
        used[row] = False
        set_aside.add(int(records.first[row]), chunk.faults[int(chunk.faulty[row])], records.raw(row))
    counts.rows += int(used.sum())
    return used
