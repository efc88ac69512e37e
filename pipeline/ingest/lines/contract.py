"""The line contract: a physical line is a record, and which lines of a block keep it.

A line keeps it when it matches the RFC 4180 grammar of a record (a quote opens only at the start of a field and closes only
before a separator or the line's end), has the header's width, and holds no NUL and no lone CR.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.ingest.containers.blocks import JOINED_LINES, Block

JOINED_BYTES = 64 << 10
_ROUNDS = 8
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

    def record(self, line: int) -> bytes:
        """The bytes of one line of the block, without its end."""
        begin = int(self.block.ends[line - 1]) + 1 if line else 0
        return self.block.data[begin : int(self.block.ends[line])]

    def text(self) -> bytes:
        """The kept lines, one after another."""
        if self.kept.all():
            return self.block.data
        return b"".join(_runs(self.block, self.kept))


def split(
    block: Block, grammar: Grammar, fits: Callable[[list[bytes]], list[bool]], check_width: bool, is_last: bool
) -> tuple[Lines, Block | None]:
    """Sort a block's lines into kept, blank, joined and refused.

    What comes back second are the block's last lines, when a record that began there may go on in the next block: what a
    line means does not depend on where blocks are cut.

    Parameters
    ----------
    block : whole lines.
    grammar : the file's separator and width.
    fits : says of joined records whether their typed cells fit; called for few records at a time.
    check_width : count separators in every line; without it the caller's parser must refuse a wrong width.
    is_last : no block follows.
    """
    bytes_ = np.frombuffer(block.data, np.uint8)
    ends = block.ends
    lengths = np.diff(ends, prepend=-1) - 1
    blank = (lengths == 0) | ((lengths == 1) & (bytes_[ends - 1] == _CR))
    refused: dict[int, str] = dict.fromkeys(np.flatnonzero(_controls(block, bytes_)).tolist(), "control")
    refused |= block.faults
    if block.broken is not None:
        refused |= dict.fromkeys(np.flatnonzero(block.broken).tolist(), "encoding")
    quotes = np.flatnonzero(bytes_ == _QUOTE) if b'"' in block.data else np.zeros(0, np.int64)
    faulty = _quote_faults(bytes_, ends, quotes, grammar) if quotes.size else np.zeros(ends.size, bool)
    faulty[list(refused)] = False
    lines = Lines(block, ~blank, int(blank.sum()), [], [])
    if faulty.any():
        found = np.flatnonzero(faulty).tolist()
        try:
            lines.joined = _join(lines, found, refused, _Rules(grammar, grammar.record, is_last), fits)
        except _Undecided as undecided:
            front, rest = block.cut(undecided.line)
            return split(front, grammar, fits, check_width, True)[0], rest
    inside = {line for join in lines.joined for line in range(join.first, join.last + 1)}
    for line in np.flatnonzero(faulty).tolist():
        if line not in inside:
            refused[line] = "quote"
    lines.kept[[*refused, *inside]] = False
    lines.blank = int((blank & ~_marked(ends.size, inside)).sum())
    if check_width:
        _refuse_widths(lines, bytes_, quotes, grammar, refused)
    lines.refused = sorted(refused.items())
    return lines, None


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
    # A mark at a line's start is eaten in silence by every CSV reader; it shows two files pasted together.
    starts = np.concatenate([np.zeros(1, np.int64), block.ends[:-1] + 1])[: block.ends.size]
    for line in np.flatnonzero(bytes_[starts] == _MARK[0]).tolist():
        found[line] |= data.startswith(_MARK, int(starts[line]))
    return found


def _quote_faults(bytes_: np.ndarray, ends: np.ndarray, quotes: np.ndarray, grammar: Grammar) -> np.ndarray:
    """Lines in which a quote stands where none may: within a line quotes open and close in turn."""
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


def _refuse_widths(lines: Lines, bytes_: np.ndarray, quotes: np.ndarray, grammar: Grammar, refused: dict[int, str]) -> None:
    ends, separator = lines.block.ends, ord(grammar.separator)
    outside = bytes_ == separator
    if quotes.size:
        marks = bytes_ == _QUOTE
        if not lines.kept.all():
            # A refused line may hold an odd number of quotes, which would turn all cells after it inside out.
            marks = marks & np.repeat(lines.kept, np.diff(ends, prepend=-1))
        outside &= (np.cumsum(marks, dtype=np.uint8) & 1) == 0
    upto = np.searchsorted(np.flatnonzero(outside), ends)
    wrong = lines.kept & (np.diff(upto, prepend=0) != grammar.width - 1)
    for line in np.flatnonzero(wrong).tolist():
        lines.kept[line] = False
        if lines.record(line).strip():
            refused[line] = "width"
        else:
            lines.blank += 1


@dataclass(frozen=True)
class _Rules:
    grammar: Grammar
    record: re.Pattern[bytes]
    is_last: bool


class _Undecided(Exception):
    """A record is still open at the block's end."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _join(
    lines: Lines, faulty: list[int], refused: dict[int, str], rules: _Rules, fits: Callable[[list[bytes]], list[bool]]
) -> list[Joined]:
    """Records that hold line ends: each begins at a faulty line, and none that fails takes another line with it."""
    verdicts: dict[tuple[int, int], bool] = {}
    banned: set[int] = set()
    joins: list[Joined] = []
    for _ in range(_ROUNDS):
        joins, undecided = _try_joins(lines, faulty, refused, banned, rules)
        fresh = [join for join in joins if (join.first, join.last) not in verdicts]
        if fresh:
            answers = fits([join.record for join in fresh])
            verdicts |= {(join.first, join.last): ok for join, ok in zip(fresh, answers, strict=True)}
        failed = {join.first for join in joins if not verdicts[join.first, join.last]}
        if not failed:
            if undecided is not None:
                raise _Undecided(undecided)
            return joins
        banned |= failed
    return [join for join in joins if join.first not in banned]


def _try_joins(
    lines: Lines, faulty: list[int], refused: dict[int, str], banned: set[int], rules: _Rules
) -> tuple[list[Joined], int | None]:
    joins: list[Joined] = []
    for first in faulty:
        if (joins and first <= joins[-1].last) or first in banned:
            continue
        try:
            join = _try_join(lines, first, refused, rules)
        except _Undecided:
            return joins, first
        if join:
            joins.append(join)
    return joins, None


def _try_join(lines: Lines, first: int, refused: dict[int, str], rules: _Rules) -> Joined | None:
    full = rules.grammar.width - 1
    separator = rules.grammar.separator.encode()
    parts = [lines.record(first)]
    size, quotes = len(parts[0]), parts[0].count(b'"')
    if quotes % 2 == 0:
        return None
    looks_whole = parts[0].count(separator) >= full
    for last in range(first + 1, first + JOINED_LINES):
        if last >= lines.block.ends.size:
            if rules.is_last:
                return None
            raise _Undecided(first)
        part = lines.record(last)
        size, quotes = size + len(part) + 1, quotes + part.count(b'"')
        # Two lines that each could be a record are two damaged records, not one with a line end in it.
        if last in refused or size > JOINED_BYTES or (looks_whole and part.count(separator) >= full):
            return None
        parts.append(part)
        if quotes % 2 == 0 and rules.record.fullmatch(whole := b"\n".join(parts)):
            return Joined(first, last, whole)
        if rules.record.fullmatch(part):
            return None
    return None


def _runs(block: Block, kept: np.ndarray) -> Iterator[bytes]:
    edges = np.flatnonzero(np.diff(kept, prepend=False, append=False))
    bounds = np.concatenate([[0], block.ends + 1])
    view = memoryview(block.data)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield bytes(view[int(bounds[begin]) : int(bounds[end])])
