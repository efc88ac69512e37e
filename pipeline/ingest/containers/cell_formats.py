"""What a spreadsheet's number format says of a typed cell, and that cell as the text that a source's rules read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from pipeline.ingest.cells.money import LOCALE_CODES, SIGNS

_BUILT_IN_DATES = frozenset([*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58])
_BUILT_IN_TIMES = frozenset([*range(18, 22), *range(32, 36), *range(45, 48), 55, 56])
_BUILT_IN_PERCENTS = frozenset([9, 10])
# Day 60 of the 1900 system is a 29 February that never was: earlier serials are off by one, and no export is so old.
_FIRST_SERIAL, _LAST_SERIAL = 61, 2_958_465
_EPOCH_1900, _EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|[_*].|\[([^\]]*)\]|(AM/PM|A/P|General)|(.)', re.IGNORECASE | re.DOTALL)
# Digits that a float64 holds for certain, and that a spreadsheet shows: 24.990000000000002 is 24.99.
_DIGITS = 15


@dataclass(frozen=True)
class CellForm:
    """How a number is meant: plain, a share, a day, an instant or a time alone; its currency's name in `money.SIGNS`; digits of a code."""

    kind: Literal["plain", "percent", "date", "instant", "time"] = "plain"
    currency: str = ""
    zeros: int = 0


def built_in_form(number: int) -> CellForm:
    """The form of a built-in format; built-in currencies depend on the reader's computer, so none is assumed."""
    if number in _BUILT_IN_PERCENTS:
        return CellForm("percent")
    if number in _BUILT_IN_TIMES:
        return CellForm("time")
    if number in _BUILT_IN_DATES:
        return CellForm("instant" if number == 22 else "date")
    return CellForm()


def cell_form(code: str) -> CellForm:
    """The form that a format code gives to positive numbers.

    >>> cell_form("#,##0.00 [$€-C0A]")
    CellForm(kind='plain', currency='EUR', zeros=0)
    >>> cell_form("[$-409]d/m/yy h:mm;@").kind, cell_form("0.00 %").kind, cell_form("000000").zeros
    ('instant', 'percent', 6)
    """
    letters, words, name, is_elapsed = "", "", "", False
    for quoted, escaped, bracket, word, sign in _TOKEN.findall(_first_section(code)):
        words += quoted + escaped
        if bracket.startswith("$"):
            name = name or _currency(*bracket[1:].partition("-")[::2])
        elif bracket and set(bracket.lower()) <= set("hms"):
            is_elapsed = True
        if not word:
            letters += sign
    words += "".join(sign for sign in letters if sign in SIGNS or unicodedata.category(sign) == "Sc")
    low = letters.lower().replace("e+", "").replace("e-", "")
    has_time = is_elapsed or "h" in low or "s" in low
    if "y" in low or "d" in low or ("m" in low and not has_time):
        return CellForm("instant" if has_time else "date")
    if has_time:
        return CellForm("time")
    if "%" in low:
        return CellForm("percent")
    zeros = len(letters) if len(letters) > 1 and not letters.strip("0") else 0
    return CellForm("plain", name or _currency(words.strip(), ""), zeros)


def _first_section(code: str) -> str:
    found = re.match(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])*', code, re.DOTALL)
    return found[0] if found else ""


def _currency(sign: str, locale: str) -> str:
    """The sign goes before the locale: `[$€-409]` is the euro in American dress; a locale names the dollar that is meant."""
    sign = unicodedata.normalize("NFKC", sign).strip()
    name = next((known for known in (sign, sign.upper()) if known in SIGNS), "")
    if not name:
        return ""
    by_locale = LOCALE_CODES.get(locale.upper().lstrip("0"), "")
    if by_locale in SIGNS[name]:
        return by_locale
    return next(iter(SIGNS[name])) if len(SIGNS[name]) == 1 else name


def number_text(raw: str, form: CellForm, decimal: str = ".", is_1904: bool = False) -> str | None:
    """A number cell as text; None when it is no number.

    A day comes out as `2026-01-19`, an instant as `2026-01-19 16:16:40`, a share as `15.45%`, money with its currency behind it.

    >>> number_text("24.990000000000002", CellForm(currency="EUR")), number_text("0.1545", CellForm("percent"))
    ('24.99 EUR', '15.45%')
    >>> number_text("46041.6777777778", CellForm("instant")), number_text("4.0e12", CellForm())
    ('2026-01-19 16:16:00', '4000000000000')
    """
    if (
        form.kind == "plain"
        and len(raw) <= _DIGITS
        and raw.isascii()
        and raw.replace(".", "", 1).isdecimal()
        and "." not in (raw[0], raw[-1])
    ):
        return _dressed(raw, form, decimal)  # as it stands, for nearly all cells
    try:
        number = float(raw)
    except ValueError:
        return None
    if not abs(number) < 1e100:
        return None
    exact = Decimal(f"{number:.{_DIGITS}g}")
    if form.kind in {"date", "instant"}:
        shown = _day(exact, form, is_1904)
        if shown:
            return shown
    # Keepa of 2022 writes 100 for 100 % in a column of shares (0.12): kept as it stands, for the column's own rule.
    is_share = form.kind == "percent" and exact != 100
    text = format((exact * 100 if is_share else exact).normalize() + 0, "f")
    return _dressed(text, form, decimal) + ("%" if is_share else "")


def _dressed(text: str, form: CellForm, decimal: str) -> str:
    if form.zeros and text.isdigit():
        return text.zfill(form.zeros)
    if decimal != ".":
        text = text.replace(".", decimal)
    return f"{text} {form.currency}" if form.currency else text


def _day(serial: Decimal, form: CellForm, is_1904: bool) -> str | None:
    first = 0 if is_1904 else _FIRST_SERIAL
    if not first <= serial <= _LAST_SERIAL - 1462:
        return None
    days = int(serial)
    # A time of day in a float64 is good to the second, not below.
    seconds = round((serial - days) * 86_400)
    days, seconds = days + seconds // 86_400, seconds % 86_400
    day = (_EPOCH_1904 if is_1904 else _EPOCH_1900) + timedelta(days=days)
    if form.kind == "date" or not seconds:
        return day.isoformat()
    return f"{day.isoformat()} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
