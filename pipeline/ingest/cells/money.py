"""Money out of text: an amount in ten-thousandths, and the currency that a sign, a word or a spreadsheet code names."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pyarrow as pa

from pipeline.ingest.cells.numbers import NumberForm, fill, plain_scaled, scale, to_decimal

DIGITS = 4
# Currencies that a header or a cell may name by their ISO code.
ISO_CODES = frozenset(
    [
        "AED",
        "ARS",
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CLP",
        "CNY",
        "COP",
        "CZK",
        "DKK",
        "EGP",
        "EUR",
        "GBP",
        "HKD",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "JPY",
        "KRW",
        "KWD",
        "MAD",
        "MXN",
        "MYR",
        "NOK",
        "NZD",
        "PEN",
        "PHP",
        "PKR",
        "PLN",
        "RON",
        "RUB",
        "SAR",
        "SEK",
        "SGD",
        "THB",
        "TRY",
        "TWD",
        "UAH",
        "USD",
        "VND",
        "ZAR",
    ]
)
# Spreadsheet locale codes: `[$€-C0A]` saved as text leaves `77.99 -C0A`.
LOCALE_CODES = {"409": "USD", "C0A": "EUR", "809": "GBP", "411": "JPY", "804": "CNY", "4009": "INR"}
# A sign may mean several currencies; then the row's own must be one of them.
SIGNS: dict[str, frozenset[str]] = {
    "$": frozenset(["USD", "CAD", "AUD", "MXN", "SGD", "HKD", "NZD", "TWD", "BRL", "ARS", "CLP", "COP"]),
    "US$": frozenset({"USD"}),
    "C$": frozenset({"CAD"}),
    "CA$": frozenset({"CAD"}),
    "A$": frozenset({"AUD"}),
    "R$": frozenset({"BRL"}),
    "NT$": frozenset({"TWD"}),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "¥": frozenset({"JPY", "CNY"}),
    "円": frozenset({"JPY"}),
    "元": frozenset({"CNY"}),
    "新臺幣": frozenset({"TWD"}),
    "新台幣": frozenset({"TWD"}),
    "人民币": frozenset({"CNY"}),
    "人民幣": frozenset({"CNY"}),
    "RMB": frozenset({"CNY"}),
    "美元": frozenset({"USD"}),
    "美金": frozenset({"USD"}),
    "欧元": frozenset({"EUR"}),
    "歐元": frozenset({"EUR"}),
    "英镑": frozenset({"GBP"}),
    "英鎊": frozenset({"GBP"}),
    "日元": frozenset({"JPY"}),
    "日圓": frozenset({"JPY"}),
    "HK$": frozenset({"HKD"}),
    "S$": frozenset({"SGD"}),
    "₹": frozenset({"INR"}),
    "Rs.": frozenset({"INR"}),
    **{code: frozenset({code}) for code in ISO_CODES},
}
NAMES: tuple[str, ...] = tuple(SIGNS)
_PLACE = {name: place for place, name in enumerate(NAMES)}
_SIGN = "|".join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))
_LOCALE = re.compile(rf"(.+?)\s+-({'|'.join(LOCALE_CODES)})")
_BEFORE = re.compile(rf"(-?)({_SIGN})\s*(.+)")
_AFTER = re.compile(rf"(.+?)\s*({_SIGN})")
_RANGE = re.compile(r"([^-–—~]*[\d元円])\s*(?:--?|–|—|~|至|\bto\b)\s*([^-–—~]*\d[^-–—~]*)")


def to_money(text: str, form: NumberForm, rounded: bool, end: str = "") -> tuple[int, int] | None:
    """One amount, or with `end` ("low", "high") that end of two (`$0.99 - $3.50`), both in one currency, the lower first.

    >>> to_money("$0.99 - $3.50", NumberForm(), False, "high") == (35000, NAMES.index("$"))
    True
    """
    one = _one_amount(text, form, rounded)
    if one or not end:
        return one
    found = _RANGE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    low, high = (_one_amount(part, form, rounded) for part in found.groups()) if found else (None, None)
    if not low or not high or not 0 <= low[0] <= high[0] or (low[1] != high[1] and low[1] >= 0 and high[1] >= 0):
        return None
    return (high if end == "high" else low)[0], max(low[1], high[1])


def _one_amount(text: str, form: NumberForm, rounded: bool) -> tuple[int, int] | None:
    """Ten-thousandths and the place in `NAMES` of the currency named (-1: none); None for what is no money.

    >>> _one_amount("113.38 -409", NumberForm(), False) == (1133800, NAMES.index("USD"))
    True
    """
    text = unicodedata.normalize("NFKC", text).strip()
    name = -1
    if found := _LOCALE.fullmatch(text):
        text, name = found[1], _PLACE[LOCALE_CODES[found[2]]]
    elif found := _BEFORE.fullmatch(text):
        text, name = found[1] + found[3], _PLACE[found[2]]
    elif found := _AFTER.fullmatch(text):
        text, name = found[1], _PLACE[found[2]]
    number = to_decimal(text, form)
    steps = None if number is None else scale(number, DIGITS, rounded)
    return None if steps is None else (steps, name)


def parse_money(values: pa.Array, form: NumberForm, rounded: bool, end: str = "") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amounts in ten-thousandths (int64), the currency each names (place in `NAMES`, -1 for none), and where they fit."""
    amounts, fits = plain_scaled(values, DIGITS, form)
    named = np.full(len(values), -1, np.int16)
    return amounts, named, fill(values, fits, lambda text: to_money(text, form, rounded, end), amounts, named)


def minor_units(amounts: np.ndarray, digits: np.ndarray | int, rounded: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ten-thousandths to minor units of currencies with that many digits (0 to 4), and where nothing was left over."""
    step = 10 ** (DIGITS - np.asarray(digits, np.int64))
    if step.size and (step == step.flat[0]).all():
        step = step.flat[:1]  # a division by one number is done without dividing
    whole = amounts // step
    rest = amounts - whole * step
    if rounded:
        return whole + (2 * rest >= step), np.ones(amounts.size, bool)
    return whole, rest == 0
