"""Rows of a sheet and objects of a JSON file as blocks of CSV lines, so that one reader and one set of sources serve all containers.

A record becomes one line: a comma between cells, quotes where a cell needs them. The line number is the record's own (the row of the sheet,
the position in the document), and the byte offset is that of the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.errors import DumpError
from pipeline.ingest.containers.blocks import Block

SEPARATOR = ","
_BLOCK_BYTES = 4 << 20
_NEEDS_QUOTES = frozenset(',"\n\r')


@dataclass(frozen=True)
class Record:
    """One record: its number from 1, where it begins, its cells by column, and what is wrong with some of them (column -> kind).

    A fault at column -1 is the whole record's.
    """

    line: int
    offset: int
    cells: list[str]
    faults: dict[int, str] = field(default_factory=dict)


class RecordReader(Protocol):
    """Reads the records of a file in blocks; afterwards it knows the checksum and the size of the bytes that it read."""

    @property
    def sha256(self) -> str:
        """Hexadecimal, of the file itself; known after `blocks()` has ended."""
        ...

    @property
    def size(self) -> int:
        """Bytes that were hashed."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Every record after the header."""
        ...


class RecordTable(Protocol):
    """The records of a file that is no text, once its header is known."""

    def reader(self, used: frozenset[int]) -> RecordReader:
        """Reads the records after the header; only a column in `used` can be at fault."""
        ...


def read_whole(path: Path, name: str, limit: int) -> bytes:
    """All bytes of a file that cannot be read front to back; raises `DumpError` above `limit` bytes, or when it changes meanwhile."""
    before = path.stat()
    if before.st_size > limit:
        raise DumpError(f"{name}: more than {limit >> 20} MB; send it in parts, or as CSV")
    content = path.read_bytes()
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise DumpError(f"{name}: changed while it was read; wait for the upload to finish, then run again")
    return content


def to_blocks(records: Iterable[Record], first: int, width: int) -> Iterator[Block]:
    """Records in ascending order of their numbers, as blocks of lines that begin at number `first`."""
    block = _BlockBuilder(first)
    for record in records:
        block.skip_to(record)
        block.add(record, width)
        if block.size > _BLOCK_BYTES:
            yield block.done()
            block = _BlockBuilder(record.line + 1)
    if block.starts:
        yield block.done()


def records_at(reader: RecordReader, offsets: Sequence[int]) -> list[bytes]:
    """The lines of the records that begin at the given byte offsets."""
    found: dict[int, bytes] = {}
    for block in reader.blocks():
        for line in np.flatnonzero(np.isin(block.starts, offsets)).tolist():
            found[int(block.starts[line])] = block.line(line)
    return [found[offset] for offset in offsets]


class _BlockBuilder:
    def __init__(self, first: int) -> None:
        self.first, self.size = first, 0
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._parts: list[bytes] = []
        self._faults: dict[int, str] = {}

    def skip_to(self, record: Record) -> None:
        for _ in range(record.line - self.first - len(self.starts)):
            self._line(b"\n", record.offset)

    def add(self, record: Record, width: int) -> None:
        line, fault = len(self.starts), next(iter(record.faults.values()), None)
        text = as_line(record.cells, width)
        try:
            data = text.encode()
        except UnicodeEncodeError:  # half a character: JSON can spell it, no text holds it
            data, fault = text.encode(errors="replace"), "encoding"
        if fault:
            self._faults[line] = fault
        self._line(data, record.offset)

    def _line(self, data: bytes, offset: int) -> None:
        self._parts.append(data)
        self.size += len(data)
        self.starts.append(offset)
        self.ends.append(self.size - 1)

    def done(self) -> Block:
        starts, ends = np.array(self.starts, np.int64), np.array(self.ends, np.int64)
        return Block(b"".join(self._parts), self.first, starts, ends, None, False, self._faults)


def as_line(cells: list[str], width: int) -> str:
    """Cells as a line of CSV with its end, filled up to `width`; a record without any text is an empty line."""
    if not any(cells):
        return "\n"
    filled = cells + [""] * (width - len(cells))
    return SEPARATOR.join(_quoted(cell) for cell in filled) + "\n"


def _quoted(cell: str) -> str:
    if _NEEDS_QUOTES.isdisjoint(cell):
        return cell
    return '"' + cell.replace("\r\n", "\n").replace("\r", "\n").replace('"', '""') + '"'
