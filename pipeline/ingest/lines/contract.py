"""The line contract: a physical line is a record, and which lines of a block keep it.

A line keeps it when it matches the RFC 4180 grammar of a record (a quote opens only at the start of a field and closes only
before a separator or the line's end), has the header's width, and holds no NUL and no lone CR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.ingest.containers.blocks import Block

_LF, _CR, _QUOTE = 10, 13, 34
_MARK = b"\xef\xbb\xbf"
MESSAGES = {
    "quote": "a quote opens only at the start of a cell and closes only at its end",
    "width": "as many cells as the header has",
    "control": "no NUL byte, no carriage return and no byte order mark inside a line",
    "encoding": "text in the file's encoding",
    "formula": "a value in every cell that is read, not an error or a formula whose result was not saved",
    "json": "an object whose values are plain where a column takes them, each name once",
    "second_header": "a record, not the header once more",
}


@dataclass(frozen=True)
class Grammar:
    """What a record of one file looks like: its separator and its number of cells."""

    separator: str
    width: int

    @property
    def record(self) -> re.Pattern[bytes]:
        """A whole record, quoted cells may hold line ends; possessive, so no input makes it slow."""
        sep = re.escape(self.separator.encode())
        cell = rb'(?>"[^"]*+(?:""[^"]*+)*+"|[^"\r\n' + sep + rb"]*+)"
        return re.compile(cell + rb"(?:" + sep + cell + rb"){%d}\r?" % (self.width - 1))


@dataclass(frozen=True)
class Joined:
    """A record over several physical lines of a block, `first` to `last`, counted from 0."""

    first: int
    last: int
    record: bytes


@dataclass
class Lines:
    """A block, line by line: every line is kept, blank, part of a joined record or refused."""

    block: Block
    kept: np.ndarray
    blank: int
    joined: list[Joined]
    refused: list[tuple[int, str]]

    @property
    def longest(self) -> int:
        """Bytes of the block's longest line without its end."""
        return int(np.diff(self.block.ends, prepend=-1).max(initial=1)) - 1

    def text(self) -> bytes:
        """The kept lines, one after another."""
        if self.kept.all():
            return self.block.data
        return b"".join(_runs(self.block, self.kept))


@dataclass(frozen=True)
class ScannedLines:
    """What the bytes of a block's lines show before records are joined.

    `is_blank` and `is_faulty` (a quote stands where none may) have an entry for each line; `refused` is line -> kind; `quotes` are the
    places of all quotes in the block.
    """

    block: Block
    is_blank: np.ndarray
    is_faulty: np.ndarray
    refused: dict[int, str]
    quotes: np.ndarray


def scan_lines(block: Block, grammar: Grammar) -> ScannedLines:
    """Find the blank lines of a block, and those that break the contract by a forbidden byte, their encoding or a quote."""
    bytes_ = np.frombuffer(block.data, np.uint8)
    ends = block.ends
    lengths = np.diff(ends, prepend=-1) - 1
    is_blank = (lengths == 0) | ((lengths == 1) & (bytes_[ends - 1] == _CR))
    refused: dict[int, str] = dict.fromkeys(np.flatnonzero(_controls(block, bytes_)).tolist(), "control")
    refused |= block.faults
    if block.broken is not None:
        refused |= dict.fromkeys(np.flatnonzero(block.broken).tolist(), "encoding")
    quotes = np.flatnonzero(bytes_ == _QUOTE) if b'"' in block.data else np.zeros(0, np.int64)
    is_faulty = _quote_faults(bytes_, ends, quotes, grammar) if quotes.size else np.zeros(ends.size, bool)
    is_faulty[list(refused)] = False
    return ScannedLines(block, is_blank, is_faulty, refused, quotes)


def sort_lines(scanned: ScannedLines, joined: Sequence[Joined], grammar: Grammar, *, check_width: bool) -> Lines:
    """Sort a block's lines into kept, blank, joined and refused.

    Parameters
    ----------
    scanned : the lines as `scan_lines` found them.
    joined : the records over several lines; a faulty line in none of them is refused.
    grammar : the file's separator and width.
    check_width : count separators in every line; without it the parser of the cells must refuse a wrong width.
    """
    refused = dict(scanned.refused)
    inside = {line for join in joined for line in range(join.first, join.last + 1)}
    refused |= dict.fromkeys((line for line in np.flatnonzero(scanned.is_faulty).tolist() if line not in inside), "quote")
    size = scanned.block.ends.size
    lines = Lines(scanned.block, ~scanned.is_blank, int((scanned.is_blank & ~_marked(size, inside)).sum()), list(joined), [])
    lines.kept[[*refused, *inside]] = False
    if check_width:
        _refuse_widths(lines, scanned.quotes, grammar, refused)
    lines.refused = sorted(refused.items())
    return lines


def _marked(size: int, places: set[int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[list(places)] = True
    return mask


def _controls(block: Block, bytes_: np.ndarray) -> np.ndarray:
    found = np.zeros(block.ends.size, bool)
    data = block.data
    if b"\0" in data:
        found[np.searchsorted(block.ends, np.flatnonzero(bytes_ == 0))] = True
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        returns = np.flatnonzero(bytes_ == _CR)
        found[np.searchsorted(block.ends, returns[bytes_[returns + 1] != _LF])] = True
    # CSV readers drop a byte order mark at a line's start without notice; it shows that two files were concatenated.
    starts = np.concatenate([np.zeros(1, np.int64), block.ends[:-1] + 1])[: block.ends.size]
    for line in np.flatnonzero(bytes_[starts] == _MARK[0]).tolist():
        found[line] |= data.startswith(_MARK, int(starts[line]))
    return found


def _quote_faults(bytes_: np.ndarray, ends: np.ndarray, quotes: np.ndarray, grammar: Grammar) -> np.ndarray:
    """Lines with a quote in a forbidden place: within a line quotes open and close in turn."""
    upto = np.searchsorted(quotes, ends)
    counts = np.diff(upto, prepend=0)
    faulty = counts % 2 == 1
    turn = np.arange(quotes.size) - np.repeat(upto - counts, counts)
    separator = ord(grammar.separator)
    before = np.where(quotes > 0, bytes_[quotes - 1], _LF)
    after = bytes_[quotes + 1]
    opens = (before == separator) | (before == _LF) | ((before == _QUOTE) & (turn > 0))
    is_end = (after == _LF) | ((after == _CR) & (bytes_[np.minimum(quotes + 2, bytes_.size - 1)] == _LF))
    closes = (after == separator) | (after == _QUOTE) | is_end
    wrong = np.where(turn % 2 == 0, ~opens, ~closes)
    faulty[np.repeat(np.arange(ends.size), counts)[wrong]] = True
    return faulty


def _refuse_widths(lines: Lines, quotes: np.ndarray, grammar: Grammar, refused: dict[int, str]) -> None:
    bytes_ = np.frombuffer(lines.block.data, np.uint8)
    ends, separator = lines.block.ends, ord(grammar.separator)
    outside = bytes_ == separator
    if quotes.size:
        marks = bytes_ == _QUOTE
        if not lines.kept.all():
            # A refused line may hold an odd number of quotes, after which quoted and unquoted text would be swapped.
            marks = marks & np.repeat(lines.kept, np.diff(ends, prepend=-1))
        outside &= (np.cumsum(marks, dtype=np.uint8) & 1) == 0
    upto = np.searchsorted(np.flatnonzero(outside), ends)
    wrong = lines.kept & (np.diff(upto, prepend=0) != grammar.width - 1)
    for line in np.flatnonzero(wrong).tolist():
        lines.kept[line] = False
        if lines.block.line(line).strip():
            refused[line] = "width"
        else:
            lines.blank += 1


def _runs(block: Block, kept: np.ndarray) -> Iterator[bytes]:
    edges = np.flatnonzero(np.diff(kept, prepend=False, append=False))
    bounds = np.concatenate([[0], block.ends + 1])
    view = memoryview(block.data)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield bytes(view[int(bounds[begin]) : int(bounds[end])])
