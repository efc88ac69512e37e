"""The rows of one sheet of a workbook, from its XML: typed cells as text, with the place where each row begins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import DumpError
from pipeline.ingest.containers.blocks import Block
from pipeline.ingest.containers.cell_formats import CellForm, number_text
from pipeline.ingest.containers.dump_files import DumpFile
from pipeline.ingest.containers.record_blocks import Record, RecordReader, read_whole, to_blocks
from pipeline.ingest.containers.workbooks import LARGEST_WORKBOOK, Guard, Sheet, Workbook, call_locally, unescaped, xml_parser

# What the form of the file allows.
_ROWS, _COLUMNS = 1 << 20, 1 << 14
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_PLAIN = CellForm()
_WIDEST_HEADER = 1024  # columns; the widest export known has 240
_STEP_BYTES = 16 << 10


class SheetRows:
    """Reads one sheet from its first row to its last.

    Parameters
    ----------
    book, sheet : where the rows are.
    name : how an error calls the file.
    decimal : the decimal sign that the file's source reads; a typed number is shown with it.
    width : cells beyond so many columns stand one after another behind them, so that one cell far to the right costs no row of blanks.
    """

    def __init__(self, book: Workbook, sheet: Sheet, name: str, decimal: str = ".", width: int = _WIDEST_HEADER) -> None:
        self._book, self._sheet, self._name, self._decimal, self._width = book, sheet, name, decimal, width
        self._parser = xml_parser(name)
        self._parser.StartElementHandler = self._root
        self._done: list[Record] = []
        self._columns: dict[str, int] = {}
        self._row = 0
        self._offset = 0
        self._cells: list[str] = []
        self._faults: dict[int, str] = {}
        self._at = -1
        self._kind, self._form = "n", _PLAIN
        self._value: list[str] = []
        self._reads, self._is_aside, self._has_formula = False, False, False

    def rows(self) -> Iterator[Record]:
        """Every row that the sheet holds, in ascending order; rows without a cell may be left out.

        Raises
        ------
        DumpError
            The sheet is damaged, or its rows and cells do not stand in their order.
        """
        with Guard(self._name):
            for piece in self._book.sheet_bytes(self._sheet):
                # In small steps: the rows of one step are held at once, and a wide row is short in the file.
                for begin in range(0, len(piece), _STEP_BYTES):
                    self._parser.Parse(piece[begin : begin + _STEP_BYTES], False)
                    yield from self._done
                    self._done.clear()
            self._parser.Parse(b"", True)
            yield from self._done

    def rows_with_text(self) -> Iterator[Record]:
        """The rows in which a cell says something."""
        return (row for row in self.rows() if any(cell.strip() for cell in row.cells))

    # -- called by the parser ------------------------------------------------------------------------------------------

    def _root(self, tag: str, given: dict[str, str]) -> None:
        """The first element: most writers give names no prefix, and then nothing need be taken off a million times."""
        if ":" in tag:
            call_locally(self._parser, self._start, self._end, self._take)
            return
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._take

    def _start(self, tag: str, given: dict[str, str]) -> None:
        if tag == "c":
            self._begin_cell(given)
        elif tag == "row":
            row = int(given["r"]) if "r" in given else self._row + 1
            if not self._row < row <= _ROWS:
                raise self._disorder()
            self._row, self._offset, self._at = row, self._parser.CurrentByteIndex, -1
            self._cells, self._faults = [], {}
        elif tag == "f":
            self._has_formula = True
        elif tag == "rPh":
            self._is_aside = True
        self._reads = tag == "v" or (tag == "t" and not self._is_aside)

    def _take(self, text: str) -> None:
        if self._reads:
            self._value.append(text)

    def _end(self, tag: str) -> None:
        self._reads = False
        if tag == "c":
            self._end_cell()
        elif tag == "row":
            self._done.append(Record(self._row, self._offset, self._cells, self._faults))
        elif tag == "rPh":
            self._is_aside = False

    def _begin_cell(self, given: dict[str, str]) -> None:
        place = given.get("r")
        at = self._at + 1
        if place is not None:
            found = _PLACE.fullmatch(place)
            if not found or int(found[2]) != self._row:
                raise self._disorder()
            at = self._column(found[1])
        if not self._at < at < _COLUMNS:
            raise self._disorder()
        self._at, self._kind = at, given.get("t", "n")
        style = int(given.get("s", "0"))
        self._form = self._book.forms[style] if self._book.forms else _PLAIN
        self._value, self._has_formula = [], False

    def _end_cell(self) -> None:
        text, fault = self._shown("".join(self._value))
        if not text and not fault:
            return
        self._cells.extend([""] * (min(self._at, self._width) - len(self._cells)))
        self._cells.append(text)
        if fault:
            self._faults[self._at] = fault

    def _shown(self, value: str) -> tuple[str, str]:
        """A cell's text, and what is wrong with it."""
        if self._kind == "s" and value and not self._has_formula:
            place = int(value)
            if place < 0:
                raise IndexError(place)
            return self._book.texts[place], ""
        if self._has_formula and not value and self._kind != "str":
            return "=", "formula"
        if self._kind == "s":
            return (self._book.texts[int(value)] if value else ""), ""
        if self._kind in {"str", "inlineStr"}:
            return unescaped(value), ""
        if self._kind == "e":
            return value, "formula"
        if self._kind == "b":
            return {"1": "true", "0": "false"}.get(value, value), ""
        if self._kind != "n" or not value:
            return value, ""
        shown = number_text(value, self._form, self._decimal, self._book.is_1904)
        return (value, "") if shown is None else (shown, "")

    def _column(self, letters: str) -> int:
        if letters not in self._columns:
            number = 0
            for letter in letters:
                number = 26 * number + ord(letter) - 64
            self._columns[letters] = number - 1
        return self._columns[letters]

    def _disorder(self) -> DumpError:
        return DumpError(f"{self._name}: rows or cells of sheet '{self._sheet.title}' out of their order; save it again in a spreadsheet")


@dataclass(frozen=True)
class SheetTable:
    """The rows of a sheet below its header, as records of `width` cells; the last column has no name and holds what is beyond the table."""

    file: DumpFile
    sheet: Sheet
    header_line: int
    width: int
    decimal: str

    def reader(self, used: frozenset[int]) -> RecordReader:
        """Reads all rows below the header; only a column in `used` can be at fault."""
        return _SheetReader(self, used)

    def records(self, content: bytes, used: frozenset[int]) -> Iterator[Record]:
        """The rows below the header, from the bytes of the workbook."""
        book = Workbook(content, self.file.name)
        for row in SheetRows(book, self.sheet, self.file.name, self.decimal, self.width - 1).rows():
            if row.line > self.header_line:
                beyond = " ".join(cell for cell in row.cells[self.width - 1 :] if cell)
                cells = row.cells[: self.width - 1]
                if beyond:
                    cells = cells + [""] * (self.width - 1 - len(cells)) + [beyond]
                faults = {place: kind for place, kind in row.faults.items() if place in used}
                yield Record(row.line, row.offset, cells, faults)


class _SheetReader:
    """A `RecordReader` over a workbook that is held in memory as a whole."""

    def __init__(self, table: SheetTable, used: frozenset[int]) -> None:
        self._table, self._used = table, used
        self.sha256, self.size = "", 0

    def blocks(self) -> Iterator[Block]:
        """Every row after the header, in blocks; rows that the sheet leaves out are blank lines."""
        table = self._table
        content = read_whole(table.file.path, table.file.name, LARGEST_WORKBOOK)
        self.sha256, self.size = hashlib.sha256(content).hexdigest(), len(content)
        yield from to_blocks(table.records(content, self._used), table.header_line + 1, table.width)
