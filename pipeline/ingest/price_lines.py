"""Price lines by the block: the id, day and price of every line that is plainly in order, without making a text of any cell.

A block of lines is an array of bytes. One comparison finds all separators, line ends and quotes; from their places follow those of the
cells; and eight bytes at a time are loaded from any place as one whole number, so that a day or a price is checked and read with a few
operations on whole columns (SWAR: several digits in one register). What is not plainly in order is not judged here: such lines are
handed back to be read by somebody slower. `take` never takes a line that the slow way would refuse, and reads what it takes the same.

Layout of a number loaded from text: the first byte is the lowest (little endian). With the text `12.34` right-aligned in eight bytes
and '0' taken off (xor 0x30), the bytes from low to high are 0 0 0 1 2 (0x1E for the dot) 3 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.keys import PAD, loader, pack
from pipeline.price_rows import PriceRows

_LF, _CR, _QUOTE, _COMMA = 10, 13, 34, 44
_PIECE = 1 << 19  # bytes worked on at once: its columns of numbers stay in the processor's second cache
_TAIL_BYTES = 4_096
_DOT = np.uint64(0x1E)  # '.' xor '0'
_DATE_BYTES = 10


def _u(value: int) -> np.uint64:
    return np.uint64(value)


_TOPS = _u(0x8080808080808080)
_ZEROS = _u(0x3030303030303030)
_TO_TEN = _u(0x7676767676767676)  # brings 10 to the top bit
# `26-11-20` xor this: two digits, 0, two digits, 0, two digits. What may be 9 reaches the top bit at 10, what must be 0 at 1.
_DATE_SIGNS = _u(int.from_bytes(b"00-00-00", "little"))
_DATE_LIMIT = _u(int.from_bytes(bytes([0x76, 0x76, 0x7F, 0x76, 0x76, 0x7F, 0x76, 0x76]), "little"))
_CENTURY = _u(int.from_bytes(b"20", "little"))
# Keeps the last n bytes of eight.
_LAST = np.array([((1 << 64) - 1) << (64 - 8 * n) & ((1 << 64) - 1) for n in range(9)], np.uint64)


def _day_table() -> np.ndarray:
    """Days since 1970 of every day of 2000 to 2099, by year (of the century), month and day in seven bits each; 0 where there is none."""
    dates = np.arange("2000-01-01", "2100-01-01", dtype="datetime64[D]")
    month = dates.astype("datetime64[M]")
    year = dates.astype("datetime64[Y]").astype(np.int64) - 30  # counted from 1970
    place = (year << 14) | ((month.astype(np.int64) % 12 + 1) << 7) | ((dates - month).astype(np.int64) + 1)
    table = np.zeros(1 << 21, np.uint16)
    table[place] = dates.astype(np.int64)
    return table


_DAYS = _day_table()


@dataclass(frozen=True)
class Layout:
    """Where the cells of a line stand, counted from 0: id, date and price, and those that must hold one of some texts (`words`).

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
    """Bytes with room for eight before and `PAD` behind them, so that a number can be loaded at any place of theirs."""

    def __init__(self, size: int) -> None:
        self._bytes = np.zeros(8 + size + PAD, np.uint8)
        self.text = self._bytes[8 : 8 + size]
        self.eight = loader(self._bytes)

    @staticmethod
    def of(data: bytes) -> Buffer:
        """A copy of some bytes."""
        buffer = Buffer(len(data))
        buffer.text[:] = np.frombuffer(data, np.uint8)
        return buffer


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
    key, fits = pack(buffer.eight, start + 8, end - start)
    day, dated = _read_days(buffer.eight, *cells.bounds(layout.date))
    start, end = cells.bounds(layout.price)
    cents, priced = _read_prices(buffer.eight, start, end)
    if layout.empty_price:
        priced |= start == end
    fits &= dated & priced
    words = []
    for place in layout.words:
        start, end = cells.bounds(place)
        size = end - start
        fits &= size <= 4
        word = buffer.eight[start + 8] & (_LAST[8 - np.clip(size, 0, 4)] ^ _u(0xFFFFFFFFFFFFFFFF))
        words.append(word.astype(np.uint32))
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
    """Lines that may hold quotes or end in CR LF: those whose cells can be told for certain, their cells, and how many lines there are.

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


def _read_days(eight: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days of cells that are `20YY-MM-DD` (int32), and which are real days.

    With the dashes and '0' taken off, ten times each byte and its right neighbour added gives the two-digit number in the first byte of
    each pair: at most 99, so no sum runs over its byte. Year, month and day in seven bits each look the day up.
    """
    fits = (end - start == _DATE_BYTES) & (eight[start + 8] & _u(0xFFFF) == _CENTURY)
    digits = eight[start + 10] ^ _DATE_SIGNS
    fits &= (digits | (digits + _DATE_LIMIT)) & _TOPS == 0
    pairs = digits * _u(10) + (digits >> _u(8))
    place = ((pairs & _u(0x7F)) << _u(14)) | ((pairs >> _u(17)) & _u(0x3F80)) | ((pairs >> _u(48)) & _u(0x7F))
    day = _DAYS[place.astype(np.int64)].astype(np.int32)
    return day, fits & (day > 0)


def _read_prices(eight: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cents of cells of up to eight bytes: digits, or digits, a dot and one or two digits (int32); and which are such prices above 0.

    The cell is loaded right-aligned, what stands before it made 0. Where a dot stands third or second from the end it is taken out, so
    that eight digits are left whose number is the cents: the part before the dot moves up over it (two decimals), or the last digit moves
    to the tens of cents (one). Without a dot two noughts move in from behind.
    """
    size = end - start
    digits = (eight[end] ^ _ZEROS) & _LAST[np.clip(size, 0, 8)]  # `end` is counted without the eight bytes before the text
    two = (digits >> _u(40)) & _u(0xFF) == _DOT
    joined = (digits & _u(0xFFFF000000000000)) | ((digits & _u(0x000000FFFFFFFFFF)) << _u(8))
    enough = size >= 4
    if not two.all():
        one = ~two & ((digits >> _u(48)) & _u(0xFF) == _DOT)
        with_one = (digits & _u(0x0000FFFFFFFFFFFF)) | ((digits >> _u(56)) << _u(48))
        joined = np.where(two, joined, np.where(one, with_one, digits >> _u(16)))
        enough = np.where(two, enough, np.where(one, size >= 3, (size >= 1) & (size <= 6)))
    fits = enough & (size <= 8) & ((joined | (joined + _TO_TEN)) & _TOPS == 0)
    # Pairs, then fours, then all eight digits.
    value = joined * _u(10) + (joined >> _u(8))
    value = ((value & _u(0x00FF00FF00FF00FF)) * _u(100)) + ((value >> _u(16)) & _u(0x00FF00FF00FF00FF))
    value = ((value & _u(0x0000FFFF0000FFFF)) * _u(10_000)) + ((value >> _u(32)) & _u(0x0000FFFF0000FFFF))
    cents = (value & _u(0xFFFFFFFF)).astype(np.int32)
    return cents, fits & (cents > 0)
