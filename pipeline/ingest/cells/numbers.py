"""Numbers from text: vectorised for plain ones, a strict Python function for the others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.cells.clean import raw_parts

_DOT = ord(".")
_PLAIN_BYTES = 15  # a float64 keeps 15 decimal digits
# 11 digits before and 4 after the point still are exact in a float64 scaled by 10,000.
_LARGEST = Decimal(10) ** 11
_LARGEST_REAL = 1e11
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


def plain(values: pa.Array, form: NumberForm) -> tuple[np.ndarray, np.ndarray]:
    """The plain numbers (ASCII digits with at most one point inside them) as float64, and a mask of where they are.

    A plain number has at most 15 bytes, so that a float64 holds all its digits. Where a comma is the decimal sign a point
    means something else, so only whole numbers are plain there.
    """
    offsets, data = raw_parts(values)
    lengths = np.diff(offsets)
    mask = (lengths > 0) & (lengths <= _PLAIN_BYTES)
    if values.null_count:
        mask &= values.is_valid().to_numpy(zero_copy_only=False)
    body = data[int(offsets[0]) : int(offsets[-1])]
    mask &= ~_holding(_odd_bytes(body, form), offsets)
    if form.decimal == "." and body.size and (body == _DOT).any():
        filled = lengths > 0
        edges = np.zeros(len(values), bool)
        edges[filled] = (data[offsets[:-1][filled]] == _DOT) | (data[offsets[1:][filled] - 1] == _DOT)
        mask &= ~edges
    numbers, mask = _cast(values, mask)
    mask &= numbers < _LARGEST_REAL
    return numbers, mask


def is_plain_text(values: pa.Array) -> bool:
    """Whether all cells together hold nothing but digits and points: no blank, no sign, no word."""
    offsets, data = raw_parts(values)
    return not _odd_bytes(data[int(offsets[0]) : int(offsets[-1])], NumberForm()).any()


def _odd_bytes(body: np.ndarray, form: NumberForm) -> np.ndarray:
    if form.decimal == ",":
        return (body - ord("0")) > 9
    return ((body - _DOT) > ord("9") - _DOT) | (body == ord("/"))  # `./0123456789` are consecutive in ASCII


def _holding(odd: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The cells that hold one of the marked bytes; hardly a column has any."""
    found = np.zeros(offsets.size - 1, bool)
    if odd.any():
        found[np.searchsorted(offsets, np.flatnonzero(odd) + int(offsets[0]), side="right") - 1] = True
    return found


def _cast(values: pa.Array, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The masked cells as float64, 0 elsewhere; those with two points are taken out of the mask."""
    is_whole = bool(mask.all())
    try:
        found = _reals(values if is_whole else values.filter(pa.array(mask)))
    except pa.ArrowInvalid:
        points = pc.fill_null(pc.count_substring(values, "."), 0).to_numpy()
        mask = mask & (points < 2)
        is_whole, found = False, _reals(values.filter(pa.array(mask)))
    if is_whole:
        return found, mask
    numbers = np.zeros(len(values))
    numbers[mask] = found
    return numbers, mask


def _reals(values: pa.Array) -> np.ndarray:
    return pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)


def parse_scaled(values: pa.Array, digits: int, form: NumberForm, slow: Callable[[str], int | None]) -> tuple[np.ndarray, np.ndarray]:
    """Whole steps of 10**-digits as int64, and where they fit; `slow` is asked for what is not plain."""
    scaled, fits = plain_scaled(values, digits, form)
    return scaled, fill(values, fits, slow, scaled)


def plain_scaled(values: pa.Array, digits: int, form: NumberForm) -> tuple[np.ndarray, np.ndarray]:
    """The plain numbers that are whole steps of 10**-digits, as int64, and a mask of where they are."""
    numbers, fits = plain(values, form)
    numbers = numbers * 10.0**digits
    whole = np.rint(numbers)
    # At most 14 digits: what is more than a rounding error of the product is more than 1e-14 of it.
    fits &= np.abs(numbers - whole) <= numbers * 2e-15
    return np.where(fits, whole, 0.0).astype(np.int64), fits


def parse_reals(values: pa.Array, form: NumberForm, slow: Callable[[str], float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Float64, and where they fit; `slow` is asked for what is not plain."""
    numbers, fits = plain(values, form)
    numbers = np.where(fits, numbers, 0.0)
    return numbers, fill(values, fits, slow, numbers)


def fill(values: pa.Array, fits: np.ndarray, slow: Callable[[str], Any], *columns: np.ndarray) -> np.ndarray:
    """Ask `slow` once for each distinct cell that does not fit yet, write what it says into the columns; the new mask, null fitting."""
    if values.null_count:
        fits = fits | ~values.is_valid().to_numpy(zero_copy_only=False)
    rest = np.flatnonzero(~fits)
    if not rest.size:
        return fits
    fits = fits.copy()
    coded = values.take(pa.array(rest)).dictionary_encode()
    answers = [slow(text) for text in coded.dictionary.to_pylist()]
    codes = coded.indices.to_numpy()
    fits[rest] = np.array([answer is not None for answer in answers])[codes]
    for place, column in enumerate(columns):
        found = [0 if answer is None else answer[place] if isinstance(answer, tuple) else answer for answer in answers]
        column[rest] = np.array(found, column.dtype)[codes]
    return fits
