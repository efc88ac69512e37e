"""One parser per kind of cell: text in, typed array and a mask of what fitted out; a null stays null and fits."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.cells.clean import matches, raw_bytes, raw_parts
from pipeline.ingest.cells.money import DIGITS
from pipeline.ingest.cells.numbers import NumberForm, parse_reals, parse_scaled, scale, to_decimal
from pipeline.ingest.cells.times import YEARS, to_date, to_days, to_time
from pipeline.ingest.sources.schema import ColumnRule

Parsed = tuple[pa.Array, np.ndarray]
WANTED = {
    "id": "an id without line ends inside, and whole: 4.00E+12 has lost its last digits",
    "gtins": "GTINs of 8 to 14 digits",
    "money": "an amount of money above zero",
    "cost": "an amount of money, at most four decimals",
    "count": "a whole number",
    "quantity": "a whole number that is not zero",
    "real": "a number that is not negative",
    "fraction": "a share from 0 to 1",
    "flag": "yes or no",
    "date": "a date as YYYY-MM-DD",
    "timestamp": "a time as YYYY-MM-DD HH:MM:SS",
    "weight_g": "a weight above zero",
    "length_mm": "a length above zero",
    "range_low": "days, as 3 or 1-3",
    "range_high": "days, as 3 or 1-3",
    "marketplace": "a marketplace that the plan knows",
    "currency": "a currency that the plan knows",
}
YES = frozenset({"yes", "true", "1", "y", "是", "ja", "sí", "oui", "有", "支持", "はい"})
NO = frozenset({"no", "false", "0", "n", "否", "nein", "non", "无", "不支持", "いいえ"})
_UNITS = {
    "weight_g": {"g": "1", "kg": "1000", "lb": "453.59237", "lbs": "453.59237", "pounds": "453.59237", "oz": "28.349523125"},
    "length_mm": {"mm": "1", "cm": "10", "m": "1000", "in": "25.4", "inch": "25.4", "inches": "25.4"},
}
_FAST_DAY = r"^\d{4}-\d\d-\d\d$"
_FAST_TIME = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d$"
# 4006381333931 as a spreadsheet shows it: its last digits are lost.
_DAMAGED_ID = r"^[0-9]\.[0-9]+[Ee]\+[0-9]{2}$"
_GUARD = re.compile(r'="(.*)"', re.DOTALL)


def parse(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    """Read distinct cells of a column.

    Parameters
    ----------
    values : string array, trimmed, missing cells null.
    rule : the column's kind and options.
    form : how the source writes numbers.

    Returns
    -------
    typed array of the kind (null where missing or misfit), and a mask of the cells that fit.
    """
    return _PARSERS[rule.kind](values, rule, form)


def _text(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    return (pc.utf8_upper(values) if rule.upper else values), _all(values)


def _id(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    if _hold(values, "=") and matches(values, '^="').any():
        guarded = [None if text is None else _unguard(text) for text in values.to_pylist()]
        values = pa.array(guarded, pa.string())
    if rule.upper:
        values = pc.utf8_upper(values)
    fits = _without_controls(values)
    return values, fits & ~matches(values, _DAMAGED_ID) if _hold(values, "+") else fits


def _hold(values: pa.Array, sign: str) -> bool:
    return bool((raw_bytes(values) == ord(sign)).any())


def _without_controls(values: pa.Array) -> np.ndarray:
    return ~matches(values, r"[\x00-\x1f]") if (raw_bytes(values) < ord(" ")).any() else _all(values)


def _unguard(text: str) -> str | None:
    found = _GUARD.fullmatch(text)
    return (found[1].strip() or None) if found else text


def _path(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    for separator in rule.separators:
        if separator != " > ":
            values = pc.replace_substring(values, separator, " > ")
    return values, _without_controls(values)


def _gtins(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    plain = _are_codes(values) | values.is_null().to_numpy(zero_copy_only=False)
    if plain.all():
        return values, plain
    texts, fits = values.to_pylist(), plain.copy()
    for place in np.flatnonzero(~plain).tolist():
        texts[place] = to_gtins(texts[place], rule.misfit == "missing")
        fits[place] = texts[place] is not None
    return pa.array(texts, pa.string()), fits


def _are_codes(values: pa.Array) -> np.ndarray:
    """Where a cell is 8 to 14 digits; looks at the bytes of all cells first."""
    if ((raw_bytes(values) - ord("0")) > 9).any():
        return matches(values, r"^[0-9]{8,14}$")
    lengths = np.diff(raw_parts(values)[0])
    return (lengths >= 8) & (lengths <= 14)


def to_gtins(text: str, lenient: bool = False) -> str | None:
    """Several codes in a cell with one blank between, each once; None when one of them (lenient: each) is no GTIN."""
    kept: dict[str, str] = {}
    for piece in re.split(r"[\s,;]+", unicodedata.normalize("NFKC", text).strip()):
        code = found[1] if (found := _GUARD.fullmatch(piece)) else piece
        if re.fullmatch(r"[0-9]{8,14}", code):
            kept.setdefault(code.lstrip("0"), code)
        elif not lenient:
            return None
    return " ".join(kept.values()) or None


def _key(values: pa.Array, _: ColumnRule, __: NumberForm) -> Parsed:
    return pa.array([None if text is None else to_key(text) for text in values.to_pylist()], pa.int64()), _all(values)


def to_key(text: str) -> int:
    """A stable 63-bit key for a person's id; `15298.0` and `15298` are one id that a spreadsheet wrote twice."""
    digest = hashlib.blake2b(text.strip().removesuffix(".0").encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _cost(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    return _scaled(values, DIGITS, form, rule, lowest=0)


def _count(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    return _scaled(values, 0, form, rule, lowest=0)


def _quantity(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    array, fits = _scaled(values, 0, form, rule, lowest=-(10**12))
    return array, fits & (pc.fill_null(array, 1).to_numpy() != 0)


def _scaled(values: pa.Array, digits: int, form: NumberForm, rule: ColumnRule, lowest: int) -> Parsed:
    def slow(text: str) -> int | None:
        number = to_decimal(text.removesuffix("+").rstrip() if rule.at_least else text, form)
        return None if number is None else scale(number, digits, rule.round)

    numbers, fits = parse_scaled(values, digits, form, slow)
    fits &= numbers >= lowest
    return _zero(values, numbers, fits, rule, pa.int64())


def _real(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    def slow(text: str) -> float | None:
        number = to_decimal(text, form)
        return None if number is None or number < 0 else float(number)

    numbers, fits = parse_reals(values, form, slow)
    return _zero(values, numbers / rule.divisor, fits, rule, pa.float64())


def _fraction(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    numbers, fits = parse_reals(values, form, lambda text: to_fraction(text, form, rule.unit))
    if rule.unit == "percent":
        bare = ~matches(values, "[%％]")
        numbers[bare] = numbers[bare] / 100
    if rule.unit == "fraction_or_100":
        numbers[numbers == 100] = 1.0
    return _zero(values, numbers, fits & (numbers >= 0) & (numbers <= 1), rule, pa.float64())


def to_fraction(text: str, form: NumberForm, unit: str) -> float | None:
    """`15 %` is 0.15 whatever the column's unit; a bare number comes back as it is."""
    text = unicodedata.normalize("NFKC", text).strip()
    number = to_decimal(text.removesuffix("%").strip(), form)
    if number is None or (unit == "fraction" and text.endswith("%")):
        return None
    return float(number / 100 if text.endswith("%") else number)


def _measure(values: pa.Array, rule: ColumnRule, form: NumberForm) -> Parsed:
    units = _UNITS[rule.kind]
    is_stated = rule.unit == "stated"
    factor = Decimal(1) if is_stated or not rule.unit else Decimal(units[rule.unit])

    def slow(text: str) -> float | None:
        found = re.fullmatch(r"([^a-zA-Z]+?)\s*(?:([a-zA-Z]+)\.?)?", unicodedata.normalize("NFKC", text))
        if not found or (found[2] and found[2].lower() not in units):
            return None
        number = to_decimal(found[1], form)
        # Divided by the factor that is applied to the whole column below.
        return None if number is None else float(number * (Decimal(units[found[2].lower()]) / factor if found[2] else 1))

    numbers, fits = parse_reals(values, form, slow)
    numbers = numbers * float(factor)
    if is_stated:
        fits = fits & (matches(values, "[a-zA-Zａ-ｚＡ-Ｚ]") | values.is_null().to_numpy(zero_copy_only=False))
    return _zero(values, numbers, fits & (numbers >= 0), rule, pa.float64())


def _zero(values: pa.Array, numbers: np.ndarray, fits: np.ndarray, rule: ColumnRule, type_: pa.DataType) -> Parsed:
    null = values.is_null().to_numpy(zero_copy_only=False)
    zero = (numbers == 0) & ~null
    if rule.zero == "refuse":
        fits = fits & ~zero
    hidden = null | ~fits | (zero if rule.zero == "missing" else False)
    return pa.array(numbers, type_, mask=hidden), fits | null


def _flag(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    if rule.pattern:
        return pa.array(matches(values, rule.pattern)), _all(values)
    return _each(values, to_flag, pa.bool_())


def to_flag(text: str) -> bool | None:
    """Yes or no in the languages of the exports; None for any other word."""
    word = unicodedata.normalize("NFKC", text).strip().casefold()
    return True if word in YES else False if word in NO else None


def _choice(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    meant = {spelling.casefold(): choice for choice, spellings in rule.choices.items() for spelling in (choice, *spellings)}
    return _each(values, lambda text: meant.get(text.casefold()), pa.string())


def _date(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    if rule.formats[0] == "iso" and pc.all(pc.fill_null(pc.match_substring_regex(values, _FAST_DAY), True)).as_py():
        try:
            days = pc.cast(values, pa.date32())
        except pa.ArrowInvalid:  # a 30th of February: each cell is read by itself below
            pass
        else:
            years = pc.fill_null(pc.year(days), YEARS[0]).to_numpy()
            return days, (years >= YEARS[0]) & (years <= YEARS[-1])
    return _each(values, lambda text: to_date(text, rule.formats), pa.date32())


def _timestamp(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    fast = pc.match_substring_regex(values, _FAST_TIME)
    if pc.all(pc.fill_null(fast, True)).as_py():
        try:
            times = pc.cast(values, pa.timestamp("s"))
            years = pc.drop_null(pc.year(times)).to_numpy()
            if not years.size or YEARS[0] <= years.min() <= years.max() <= YEARS[-1]:
                return times, _all(values)
        except pa.ArrowInvalid:  # a cell that only looks like an instant: each cell is read by itself below
            pass
    return _each(values, lambda text: to_time(text, rule.formats), pa.timestamp("s"))


def _range(values: pa.Array, rule: ColumnRule, _: NumberForm) -> Parsed:
    end = 0 if rule.kind == "range_low" else 1

    def bound(text: str) -> int | None:
        days = to_days(text)
        return None if days is None else days[end]

    return _each(values, bound, pa.int64())


def _each(values: pa.Array, read: Callable[[str], object | None], type_: pa.DataType) -> Parsed:
    """Few distinct values: each is read by the strict function itself."""
    read_values = [None if text is None else read(text) for text in values.to_pylist()]
    array = pa.array(read_values, type_)
    fits = array.is_valid().to_numpy(zero_copy_only=False) | values.is_null().to_numpy(zero_copy_only=False)
    return array, fits


def _all(values: pa.Array) -> np.ndarray:
    return np.ones(len(values), bool)


_PARSERS: dict[str, Callable[[pa.Array, ColumnRule, NumberForm], Parsed]] = {
    "text": _text, "id": _id, "path": _path, "gtins": _gtins, "key": _key, "cost": _cost, "count": _count,
    "quantity": _quantity, "real": _real, "fraction": _fraction, "flag": _flag, "choice": _choice, "date": _date,
    "timestamp": _timestamp, "weight_g": _measure, "length_mm": _measure, "range_low": _range, "range_high": _range,
}  # fmt: skip
