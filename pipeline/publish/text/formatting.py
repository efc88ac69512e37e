"""Formatting of numbers and of untrusted text for people."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

TITLE_MOST = 300  # characters of a title on a page; the whole stands in the Parquet files
_SIGNS = {"USD": "$", "CAD": "C$", "GBP": "£", "EUR": "€", "JPY": "JP¥", "CNY": "CN¥", "INR": "₹", "MXN": "MX$", "BRL": "R$"}
# Joiners and marks without which emoji families, Arabic or Indic words fall apart; they move nothing.
_KEPT = frozenset("\u200c\u200d\u200b\ufeff\u00ad\u2060\u200e\u200f")


def readable(text: object, most: int | None = None) -> str:
    """A stranger's text with nothing in it that steers: control and direction-changing characters are shown as a replacement mark.

    >>> readable("a\\x1b[31mb\\u202e\\x00")
    'a�[31mb��'
    """
    reported = "" if text is None else str(text)
    if most is not None and len(reported) > most:
        reported = reported[:most] + "…"
    if reported.isprintable():
        return reported
    return "".join(
        c if c.isprintable() or c in _KEPT or not _steers(c) else " " if c in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for c in reported
    )


def _steers(c: str) -> bool:
    is_noncharacter = ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF
    return is_noncharacter or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def money(value: float | None, currency: str | None, digits: Mapping[str, int]) -> str:
    """An amount with its currency's sign and decimals; an en dash where missing.

    >>> money(-1234.5, "USD", {"USD": 2})
    '−$1,234.50'
    """
    if value is None:
        return "–"
    places = digits.get(currency or "", 2)
    sign = "−" if round(value, places) < 0 else ""
    return f"{sign}{_SIGNS.get(currency or '', f'{currency} ' if currency else '')}{abs(value):,.{places}f}"


def share(value: float | None, places: int = 1) -> str:
    """A fraction as a percentage.

    >>> share(0.0456)
    '4.6%'
    """
    return "–" if value is None else f"{100 * value:.{places}f}%".replace("-", "−")


def whole_number(value: float | None) -> str:
    """A count with separators."""
    return "–" if value is None else f"{value:,.0f}"


def figure(value: float | None, unit: str, currency: str | None, digits: Mapping[str, int]) -> str:
    """A rule's value or limit in the rule's own unit."""
    if value is None:
        return "–"
    if unit in ("share", "probability"):
        return share(value)
    return money(value, currency, digits) if unit == "money" else whole_number(value)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text on so many columns of a terminal; a Chinese character takes two.

    >>> padded("规则", 6) + "|", padded("规则", 6, right=True) + "|"
    ('规则  |', '  规则|')
    """
    taken = sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)
    blanks = " " * max(0, width - taken)
    return blanks + text if right else text + blanks
