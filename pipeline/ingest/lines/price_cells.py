"""Days and prices of whole columns of cells, eight bytes at a time as one whole number (SWAR: several digits in one register).

The first byte is the lowest (little endian). With the text `12.34` moved to the end of the eight bytes and '0' taken off (xor 0x30), the
bytes from low to high are 0 0 0 1 2 (0x1E for the dot) 3 4. A cell that is not plainly a day or a price is not judged here, only not
taken; what is taken is read as a line at a time would read it (`tests/generative/test_price_lines.py` holds the slow twin).
"""

from __future__ import annotations

import numpy as np


def _u(value: int) -> np.uint64:
    return np.uint64(value)


_TOPS = _u(0x8080808080808080)
_ZEROS = _u(0x3030303030303030)
_TO_TEN = _u(0x7676767676767676)  # brings 10 to the top bit
_DOT = 0x1E  # '.' xor '0'
_DOT_BEFORE_TWO = _u(_DOT << 40)
_TO_TEN_BUT_DOT = _u(0x76767F7676767676)  # brings 10 to the top bit, but in the dot's byte, which must be 0, 1
_CENTURY = _u(int.from_bytes(b"20", "little"))
_DATE_BYTES = 10
# The product of the eight bytes of `26-11-20` and this number has, for each day of the century, other 18 bits on top: found by trying
# random odd numbers, and proved by the table, which could not be filled otherwise (a test looks up all 36,525 days).
_DAY_FACTOR = _u(0x5E3B111DE17DCC85)
_DAY_BITS = 18


def _day_table() -> tuple[np.ndarray, np.ndarray]:
    """By place: the eight bytes of the day `YY-MM-DD` that belongs there (uint64) and its days since 1970 (int32); 0 where none does."""
    dates = np.arange("2000-01-01", "2100-01-01", dtype="datetime64[D]")
    month = dates.astype("datetime64[M]")
    year = dates.astype("datetime64[Y]").astype(np.uint64) - _u(30)  # counted from 1970
    parts = (year, month.astype(np.uint64) % _u(12) + _u(1), (dates - month).astype(np.uint64) + _u(1))
    text = np.full(len(dates), int.from_bytes(b"00-00-00", "little"), np.uint64)
    for place, part in enumerate(parts):
        text += (part // _u(10) + (part % _u(10) << _u(8))) << _u(24 * place)
    at = (text * _DAY_FACTOR) >> _u(64 - _DAY_BITS)
    texts, days = np.zeros(1 << _DAY_BITS, np.uint64), np.zeros(1 << _DAY_BITS, np.int32)
    texts[at], days[at] = text, dates.astype(np.int32)
    return texts, days


_DAY_TEXTS, _DAYS = _day_table()


def read_days(front: np.ndarray, back: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970 of cells that are `20YY-MM-DD` (int32), and which are real days.

    `front` and `back` are the eight bytes from the begin of each cell and the eight behind them, `size` its bytes. The eight bytes behind
    the century say where their day would stand in the table; they are a day exactly when those of that day are the same.
    """
    text: np.ndarray = (front >> _u(16)) | (back << _u(48))
    place = ((text * _DAY_FACTOR) >> _u(64 - _DAY_BITS)).view(np.int64)
    day = _DAYS[place]
    return day, (size == _DATE_BYTES) & (front & _u(0xFFFF) == _CENTURY) & (_DAY_TEXTS[place] == text) & (day > 0)


def read_prices(front: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cents of cells of up to eight bytes: digits, or digits, a dot and one or two digits (int32); and which are such prices above 0.

    `front` is the eight bytes from the begin of each cell, `size` its bytes. Moved up until the cell ends with the eighth byte, noughts
    move in before it. Nearly all prices have two decimals: those are read at once, the others in a second step, if there are any.
    """
    # A size beyond 8 shifts by a number beyond 63, which leaves 0.
    digits = (front ^ _ZEROS) << (_u(64) - (size.view(np.uint64) << _u(3)))
    joined = digits ^ _DOT_BEFORE_TWO
    fits = ((joined | (joined + _TO_TEN_BUT_DOT)) & _TOPS == 0) & (size >= 4)
    # Pairs of digits: 0 1, 2 3, 4 and the dot, 6 7.
    cents = _weighed(joined, 10 + (100_000 << 32), 1 + (1_000 << 32))
    if not fits.all():
        rest = np.flatnonzero(~fits)
        cents[rest], fits[rest] = _other_prices(digits[rest], size[rest])
    cents = cents.astype(np.int32)
    return cents, fits & (cents > 0)


def _other_prices(digits: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cents of prices with one decimal or none (uint64), and which are such prices.

    The dot is taken out so that eight digits are left whose number is the cents: the last digit moves to the tens of cents and a nought
    follows. Without a dot two noughts move in from behind.
    """
    has_one = (digits >> _u(48)) & _u(0xFF) == _DOT
    with_one = (digits & _u(0x0000FFFFFFFFFFFF)) | ((digits >> _u(56)) << _u(48))
    joined = np.where(has_one, with_one, digits >> _u(16))
    fits = (joined | (joined + _TO_TEN)) & _TOPS == 0
    fits &= np.where(has_one, (size >= 3) & (size <= 8), (size >= 1) & (size <= 6))
    return _weighed(joined, 100 + (1_000_000 << 32), 1 + (10_000 << 32)), fits


def _weighed(digits: np.ndarray, evens: int, odds: int) -> np.ndarray:
    """The number that eight digits make when each pair of them has its weight (uint64).

    The pairs are numbers of up to 99 in 16 bits each; of the first and the third (`evens`) the first has its weight in the upper half of
    the factor and the third in the lower one, so that both meet in the upper half of the product; `odds` does the same to the others.
    """
    pairs = (digits * _u(10) + (digits >> _u(8))) & _u(0x00FF00FF00FF00FF)
    every_other = _u(0x0000FFFF0000FFFF)
    weighed: np.ndarray = (pairs & every_other) * _u(evens) + ((pairs >> _u(16)) & every_other) * _u(odds)
    return weighed >> _u(32)
