"""Price lines by the block: the id, day and price of every line that is plainly in order, without making a text of any cell.

A block of lines is an array of bytes. One comparison finds all separators, line ends and quotes; from their places follow those of the
cells; and eight bytes at a time are loaded from any place as one whole number, so that an id, a day or a price is checked and read with
a few operations on whole columns (`price_cells`, `tables.keys.pack`). Any other line is left to the general reader. `take_lines` never
takes a line that the general reader would refuse, and reads what it takes as that does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.ingest.lines.price_cells import read_days, read_prices
from pipeline.tables.keys import PAD, pack
from pipeline.tables.price_rows import PriceRows

_LF, _CR, _QUOTE, _COMMA = 10, 13, 34, 44
_PIECE = 1 << 19  # bytes worked on at once: its columns of numbers stay in the processor's second cache
_TAIL_BYTES = 4_096
_KEEP = np.array([(1 << 8 * n) - 1 for n in range(5)], np.uint64)  # keeps the first n bytes


@dataclass(frozen=True)
class Layout:
    """The positions of a line's cells, counted from 0: id, date and price, and those that must hold one of some texts (`words`).

    `width` is the number of cells. With `empty_price` a line without a price is taken, as 0 cents (out of stock).
    """

    width: int
    product: int
    date: int
    price: int
    words: tuple[int, ...] = ()
    empty_price: bool = False


@dataclass(frozen=True)
class Taken:
    """Of `lines` lines in `size` bytes those taken: `line` (int64, from 0), rows, and up to four bytes of each word cell (uint32)."""

    line: np.ndarray
    rows: PriceRows
    words: tuple[np.ndarray, ...]
    lines: int
    size: int


class Buffer:
    """Bytes with `PAD` behind them, so that a number can be loaded at any place of theirs."""

    def __init__(self, size: int) -> None:
        self._bytes = np.zeros(size + PAD, np.uint8)
        self.text = self._bytes[:size]
        # Sixteen bytes at every place: to gather them costs as much as to gather one (what costs is the odd place).
        self._pairs = np.ndarray((size + 1,), "V16", self._bytes, strides=(1,))

    @staticmethod
    def of(data: bytes) -> Buffer:
        """A copy of some bytes."""
        buffer = Buffer(len(data))
        buffer.text[:] = np.frombuffer(data, np.uint8)
        return buffer

    def load(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The eight bytes at each place and the eight behind them, first byte lowest (uint64)."""
        pairs = self._pairs[places].view("<u8").reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


def take_lines(buffer: Buffer, begin: int, end: int, layout: Layout) -> list[Taken]:
    """All lines of a stretch of a buffer that ends with a line end, in pieces of about a megabyte."""
    taken = []
    while begin < end:
        stop = _cut(buffer.text, begin, end)
        taken.append(_take_piece(buffer, begin, stop, layout))
        begin = stop
    return taken


def _cut(text: np.ndarray, begin: int, end: int) -> int:
    """Behind the last line end of the next piece; behind the first one after it where a line is longer than a piece."""
    stop = begin + _PIECE
    if stop >= end:
        return end
    tail = max(begin, stop - _TAIL_BYTES)
    for low, high, which in ((tail, stop, -1), (begin, stop, -1), (stop, end, 0)):
        line_ends = np.flatnonzero(text[low:high] == _LF)
        if len(line_ends):
            return low + int(line_ends[which]) + 1
    return end


def _take_piece(buffer: Buffer, begin: int, stop: int, layout: Layout) -> Taken:
    found = np.flatnonzero(buffer.text[begin:stop] <= _COMMA)
    signs = buffer.text[begin:stop][found]
    found += begin
    if len(signs) % layout.width == 0 and _is_plain(signs, layout.width):
        cells: _PlainCells | _QuotedCells = _PlainCells(begin, found.reshape(-1, layout.width))
        line, lines = None, len(signs) // layout.width
    else:
        line, cells, lines = _cells(begin, found, signs, layout.width)
    start, end = cells.bounds(layout.product)
    key, fits = pack(*buffer.load(start), end - start)
    start, end = cells.bounds(layout.date)
    day, is_day = read_days(*buffer.load(start), end - start)
    start, end = cells.bounds(layout.price)
    cents, is_price = read_prices(buffer.load(start)[0], end - start)
    if layout.empty_price:
        is_price |= start == end
    fits &= is_day & is_price
    words = []
    for place in layout.words:
        start, end = cells.bounds(place)
        size = end - start
        fits &= size <= 4
        words.append((buffer.load(start)[0] & _KEEP[np.minimum(size, 4)]).astype(np.uint32))
    if line is None:
        line = np.arange(lines)
    if not fits.all():
        line, key, day, cents, words = line[fits], key[fits], day[fits], cents[fits], [word[fits] for word in words]
    return Taken(line, PriceRows(key, day, cents), tuple(words), lines, stop - begin)


@dataclass(frozen=True)
class _PlainCells:
    """Cells of lines that hold nothing but plain cells: `cuts` are the places of each line's commas and its end, shape (lines, width)."""

    begin: int
    cuts: np.ndarray

    def bounds(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """First byte of each line's cell, and the byte behind it."""
        ends = np.ascontiguousarray(self.cuts[:, place])
        if place:
            return self.cuts[:, place - 1] + 1, ends
        starts = np.empty_like(ends)
        starts[:1], starts[1:] = self.begin, self.cuts[:-1, -1] + 1
        return starts, ends


@dataclass(frozen=True)
class _QuotedCells:
    """Cells of lines of which some stand in quotes: places of their first bytes and of those behind them, both (lines, width)."""

    starts: np.ndarray
    ends: np.ndarray

    def bounds(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """First byte of each line's cell, and the byte behind it."""
        return np.ascontiguousarray(self.starts[:, place]), np.ascontiguousarray(self.ends[:, place])


def _is_plain(signs: np.ndarray, width: int) -> bool:
    """Whether every line has its commas and its line end and nothing else of the kind: no quote, no CR, no blank."""
    if width == 4:
        return bool((signs.view("<u4") == 0x0A2C2C2C).all())
    shape = signs.reshape(-1, width)
    return bool((shape[:, -1] == _LF).all() and (shape[:, :-1] == _COMMA).all())


def _cells(begin: int, found: np.ndarray, signs: np.ndarray, width: int) -> tuple[np.ndarray, _QuotedCells, int]:
    """Lines that may hold quotes or end in CR LF: those whose cells are certain, their cells, and the number of lines.

    A cell is plain, or a quote stands at its very begin and its very end and no other sign in it. Any other small sign (a blank, a
    control, a comma inside quotes) leaves its line to others.
    """
    is_end = signs == _LF
    # A CR right before a line end belongs to it.
    cr = np.flatnonzero((signs[:-1] == _CR) & is_end[1:] & (found[1:] == found[:-1] + 1))
    shift = np.zeros(len(found), np.int64)
    shift[cr + 1] = 1
    if len(cr):
        keep = np.ones(len(found), bool)
        keep[cr] = False
        found, signs, is_end, shift = found[keep], signs[keep], is_end[keep], shift[keep]
    is_quote, is_cut = signs == _QUOTE, is_end | (signs == _COMMA)
    line_of = np.cumsum(is_end) - is_end
    lines = int(is_end.sum())
    cut = np.flatnonzero(is_cut)
    sizes = np.bincount(line_of[cut], minlength=lines)
    good = sizes == width
    good[line_of[~(is_quote | is_cut)]] = False
    # Cells between cuts: how many quotes, and where.
    quotes = np.cumsum(is_quote)[cut]
    inside = np.diff(quotes, prepend=0)
    ends = found[cut] - shift[cut]
    starts = np.empty_like(ends)
    starts[0], starts[1:] = begin, found[cut][:-1] + 1
    quoted = inside == 2
    closing, opening = found[np.maximum(cut - 1, 0)], found[np.maximum(cut - 2, 0)]
    closed = quoted & (closing == ends - 1) & (opening == starts)
    good[line_of[cut][(inside != 0) & ~closed]] = False
    starts, ends = starts + closed, ends - closed
    wanted = good[line_of[cut]]
    return np.flatnonzero(good), _QuotedCells(starts[wanted].reshape(-1, width), ends[wanted].reshape(-1, width)), lines
