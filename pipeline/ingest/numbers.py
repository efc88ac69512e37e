"""Numbers out of text: a vectorised way for plain ones, a strict Python function for the few that are not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.cells import raw_parts

_PLAIN_BYTES = np.zeros(256, bool)
_PLAIN_BYTES[list(b"0123456789.")] = True
_DOT = ord(".")
# Whole digits that a plain number may have: 11 before and 4 after the point still are exact in a float64 scaled by 10,000.
_WHOLE_DIGITS = 11
_LARGEST = Decimal(10) ** _WHOLE_DIGITS
# One sign between the groups of one number: the other of comma and point, a blank of any width, a Swiss apostrophe; and India's
# groups of two before the last three (1,02,990).
_GROUPED = {
    ".": r"\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+|(?:'\d{3})+)|\d{1,2}(?:,\d{2})+,\d{3}",
    ",": r"\d{1,3}(?:(?:\.\d{3})+|(?: \d{3})+|(?:'\d{3})+)",
}
_FORMS = {
    **{(sign, True): re.compile(rf"-?(?:\d+|{groups})(?:[{sign}]\d+)?") for sign, groups in _GROUPED.items()},
    **{(sign, False): re.compile(rf"-?(?:\d+(?:[{sign}]\d+)?|(?:{groups})[{sign}]\d+)") for sign, groups in _GROUPED.items()},
}


@dataclass(frozen=True)
class NumberForm:
    """How a source writes numbers: its decimal sign, and whether `1,299` is a grouped whole number."""

    decimal: str = "."
    grouping: bool = True


def to_decimal(text: str, form: NumberForm) -> Decimal | None:
    """One number, exactly; None for whatever is not one in that form. The slow twin of every fast way here.

    >>> to_decimal("1,299.00", NumberForm())
    Decimal('1299.00')
    >>> to_decimal("1,02,990", NumberForm())
    Decimal('102990')
    >>> to_decimal("12.99", NumberForm(decimal=",")) is None
    True
    """
    text = unicodedata.normalize("NFKC", text).strip().replace("\u2019", "'")
    if not text.isascii() or not _FORMS[form.decimal, form.grouping].fullmatch(text):
        return None
    group = "," if form.decimal == "." else "."
    number = Decimal(text.replace(group, "").replace(" ", "").replace("'", "").replace(form.decimal, "."))
    return number if abs(number) < _LARGEST else None


def scale(number: Decimal, digits: int, rounded: bool) -> int | None:
    """A number as whole steps of 10**-digits; None when it has more decimals and may not be rounded."""
    scaled = number.scaleb(digits)
    whole = scaled.to_integral_value(ROUND_HALF_EVEN)
    return int(whole) if rounded or whole == scaled else None


def plain(values: pa.Array, decimals: int, form: NumberForm) -> tuple[np.ndarray, np.ndarray]:
    """The plain numbers (digits, at most `decimals` after a point) as float64, and a mask of where they are.

    Where a comma is the decimal sign a point means something else, so only whole numbers are plain there.
    """
    decimals = decimals if form.decimal == "." else 0
    numbers = np.zeros(len(values))
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    lengths = np.diff(raw_parts(values)[0])
    if _is_plain(values):
        try:
            numbers = pc.fill_null(pc.cast(values, pa.float64()), 0.0).to_numpy()
        except pa.ArrowInvalid:  # two points in one number
            return _plain_by_pattern(values, decimals)
        dots = pc.fill_null(pc.find_substring(values, "."), -1).to_numpy()
        whole = np.where(dots < 0, lengths, dots)
        fits = valid & (whole <= _WHOLE_DIGITS) & (np.where(dots < 0, 0, lengths - dots - 1) <= decimals)
        return numbers, fits
    return _plain_by_pattern(values, decimals)


def _is_plain(values: pa.Array) -> bool:
    """Only digits and inner points; empty when there is nothing."""
    if values.null_count:
        values = values.drop_null()  # a null cell may still have its token in the buffer
    offsets, data = raw_parts(values)
    begins, ends = offsets[:-1], offsets[1:]
    if not begins.size:
        return True
    body = data[int(offsets[0]) : int(offsets[-1])]
    if (begins == ends).any() or not _PLAIN_BYTES[body].all():
        return False
    return bool((data[begins] != _DOT).all() and (data[ends - 1] != _DOT).all())


def _plain_by_pattern(values: pa.Array, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    tail = rf"(\.[0-9]{{1,{decimals}}})?" if decimals else ""
    found = pc.match_substring_regex(values, rf"^[0-9]{{1,{_WHOLE_DIGITS}}}{tail}$")
    mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False).copy()
    numbers = np.zeros(len(values))
    numbers[mask] = pc.cast(values.filter(pa.array(mask)), pa.float64()).to_numpy()
    return numbers, mask


def parse_scaled(values: pa.Array, digits: int, form: NumberForm, slow: Callable[[str], int | None]) -> tuple[np.ndarray, np.ndarray]:
    """Whole steps of 10**-digits as int64, and where they fit; `slow` is asked for what is not plain."""
    numbers, fits = plain(values, digits, form)
    scaled = np.rint(np.where(fits, numbers, 0.0) * 10**digits).astype(np.int64)
    fits = _fill(values, scaled, fits, slow)
    return scaled, fits


def parse_reals(values: pa.Array, form: NumberForm, slow: Callable[[str], float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Float64, and where they fit; `slow` is asked for what is not plain."""
    numbers, fits = plain(values, 15, form)
    numbers = numbers.copy()
    fits = _fill(values, numbers, fits, slow)
    return numbers, fits


def _fill(values: pa.Array, numbers: np.ndarray, fits: np.ndarray, slow: Callable[[str], float | None]) -> np.ndarray:
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    fits = fits.copy()
    for place in np.flatnonzero(valid & ~fits).tolist():
        number = slow(values[place].as_py())
        if number is not None:
            numbers[place], fits[place] = number, True
    return fits | ~valid
