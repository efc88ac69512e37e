"""Each kind of cell against a slow twin of a few plain lines, over cells as exports really hold them."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.ingest.cells.numbers import NumberForm
from pipeline.ingest.rows.parsers import parse
from pipeline.ingest.sources.schema import ColumnRule

GRAMS = {"g": "1", "kg": "1000", "lb": "453.59237", "lbs": "453.59237", "pounds": "453.59237", "oz": "28.349523125"}
MILLIMETRES = {"mm": "1", "cm": "10", "m": "1000", "in": "25.4", "inch": "25.4", "inches": "25.4"}
NUMBERS = st.one_of(
    st.sampled_from(
        [
            "0",
            "4.5",
            "1,299",
            "1,299.5",
            "1,02,990",
            "1 299",
            "1\u202f299.5",
            "1'299",
            "１２．５",
            "-3",
            "+3",
            "1e5",
            ".5",
            "5.",
            "1.2.3",
            "--",
            "inf",
        ]
    ),
    st.decimals(-100, 100_000, places=2, allow_nan=False, allow_infinity=False).map(str),
)
LISTS = settings(max_examples=60, deadline=None)


def read(texts: list[str], **rule: Any) -> list[Any]:
    """What a column gives for each cell: its value, or an ellipsis where it does not fit."""
    array, fits = parse(pa.array(texts, pa.string()), ColumnRule(headers=("x",), **rule), NumberForm())
    return [value if ok else ... for value, ok in zip(array.to_pylist(), fits.tolist(), strict=True)]


def number(text: str) -> Decimal | None:
    """A number with a decimal point, its groups of one kind alone."""
    text = unicodedata.normalize("NFKC", text).strip()
    for sign in ",", " ", "'":
        whole, point, rest = text.lstrip("-").partition(".")
        groups = whole.split(sign)
        western = len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
        indian = sign == "," and len(groups) > 2 and len(groups[0]) <= 2 and len(groups[-1]) == 3 and all(len(g) == 2 for g in groups[1:-1])
        if len(groups) > 1 and not (western or indian):
            continue
        if re.fullmatch(r"\d+", "".join(groups)) and groups[0] and (not point or re.fullmatch(r"\d+", rest)) and text.count("-") <= 1:
            return Decimal(("-" if text.startswith("-") else "") + "".join(groups) + ("." + rest if rest else ""))
    return None


@LISTS
@given(st.lists(NUMBERS, max_size=12), st.sampled_from([1, 10]))
def test_reals(texts, divisor):
    slow = [number(text) for text in texts]
    assert read(texts, kind="real", divisor=divisor) == [float(n) / divisor if n is not None and n >= 0 else ... for n in slow]


@LISTS
@given(st.lists(NUMBERS, max_size=12))
def test_quantities_and_costs(texts):
    slow = [number(text) for text in texts]
    assert read(texts, kind="quantity") == [int(n) if n is not None and n == int(n) and n != 0 else ... for n in slow]
    cost = [n if n is not None and n >= 0 and (n * 10_000) == int(n * 10_000) else None for n in slow]
    assert read(texts, kind="cost") == [int(n * 10_000) if n is not None else ... for n in cost]


@LISTS
@given(
    st.lists(st.tuples(NUMBERS, st.sampled_from(["", " ", "\u00a0"]), st.sampled_from(["", *GRAMS, "KG", "st"])), max_size=12),
    st.sampled_from(["", "kg", "stated"]),
)
@example([("5.", "", ""), ("5", " ", "kg")], "")
def test_weights(cells, unit):
    texts = [value + blank + word for value, blank, word in cells]
    wanted = []
    for value, blank, word in cells:
        found = number(value + blank)
        factor = GRAMS.get(word.lower()) if word else (None if unit == "stated" else GRAMS[unit or "g"])
        wanted.append(... if found is None or found < 0 or factor is None else pytest.approx(float(found * Decimal(factor))))
    assert read(texts, kind="weight_g", unit=unit) == wanted


@LISTS
@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["", *MILLIMETRES, "ft"])), max_size=12))
def test_lengths(cells):
    wanted = [... if word == "ft" else pytest.approx(float(size * Decimal(MILLIMETRES[word or "cm"]))) for size, word in cells]
    assert read([f"{size} {word}" if word else str(size) for size, word in cells], kind="length_mm", unit="cm") == wanted


@LISTS
@given(
    st.lists(
        st.tuples(
            st.integers(0, 99),
            st.integers(0, 99),
            st.sampled_from(["-", " – ", "~", " to ", "至"]),
            st.sampled_from(["", " days", "天", " 个工作日", " hours", "小时", " weeks"]),
        )
    )
)
def test_spans_of_days(cells):
    texts = [f"{low}{sign}{high}{word}" for low, high, sign, word in cells]
    wanted = []
    for low, high, _, word in cells:
        days = [-(-end // 24) if word in {" hours", "小时"} else end for end in (low, high)]
        wanted.append(... if word == " weeks" or days[0] > days[1] else tuple(days))
    got = zip(read(texts, kind="range_low"), read(texts, kind="range_high"), strict=True)
    assert [... if low is ... else (low, high) for low, high in got] == wanted


@LISTS
@given(st.lists(st.text(alphabet='ab0=">. E+', max_size=8)))
def test_ids_and_paths(texts):
    texts = [text.strip() for text in [*texts, '="0367672960"', '=""', "4.00000E+12", "a\nb", "A > B", "A › B"]]
    wanted = []
    for text in texts:
        plain = text[2:-1].strip() if text.startswith('="') and text.endswith('"') and len(text) > 2 else text
        is_damaged = re.fullmatch(r"\d\.\d+[Ee]\+\d\d", plain) or "\n" in plain
        wanted.append(... if is_damaged else plain or None)
    got = read(texts, kind="id")
    assert [value or None if value is not ... else ... for value in got] == wanted
    assert read(texts, kind="path", separators=[" › "]) == [... if "\n" in text else text.replace(" › ", " > ") for text in texts]


@LISTS
@given(st.lists(st.sampled_from(["Low", "LOW", "low", "High", "average", "", "lo w"])))
def test_choices(texts):
    meant = {"low": "low", "high": "high"}
    assert read(texts, kind="choice", choices={"low": ("Low",), "high": ("High",)}) == [meant.get(text.lower(), ...) for text in texts]


@LISTS
@given(st.lists(st.dates(date(1970, 1, 1), date(2100, 12, 31)), max_size=8), st.integers(0, 86_399))
def test_days_in_every_declared_form(days, second):
    forms = {
        "iso": str,
        "%d.%m.%Y": lambda day: day.strftime("%d.%m.%Y"),
        "%m/%d/%y": lambda day: day.strftime("%m/%d/%y"),
        "excel": lambda day: f"{(day - date(1899, 12, 30)).days + Decimal(second) / 86_400:.10f}",
        "keepa": lambda day: str((day - date(1970, 1, 1)).days * 1440 + second // 60 - 21_564_000),
    }
    for form, write in forms.items():
        known = [day for day in days if form != "keepa" or day >= date(2011, 1, 1)]
        # A year of two digits is of 1969 to 2068, as everywhere in Python.
        wanted = [
            day - timedelta(0) if form != "%m/%d/%y" or day.year < 2069 else day.replace(year=day.year - 100)
            for day in known
            if not (form == "%m/%d/%y" and (day.month, day.day) == (2, 29))
        ]
        cells = [write(day) for day in known if not (form == "%m/%d/%y" and (day.month, day.day) == (2, 29))]
        assert read(cells, kind="date", formats=(form,)) == wanted, form
        others = [other for other in forms if other not in {form, "excel", "keepa"}]
        for other in others:
            assert all(value is ... for value in read(cells, kind="date", formats=(other,))), (form, other)
