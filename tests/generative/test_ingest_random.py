"""Random input: nothing crashes, every line is accounted for, and the fast ways agree with the slow ones."""

from __future__ import annotations

import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Refusal
from pipeline.ingest.cells.money import parse_money, to_money
from pipeline.ingest.cells.numbers import NumberForm, to_decimal
from pipeline.ingest.containers import blocks
from pipeline.ingest.containers.blocks import Block, line_ends
from pipeline.ingest.dump import DumpFile, FileReport, ReadContext, read_file
from pipeline.ingest.lines.contract import Grammar, scan_lines, sort_lines
from pipeline.ingest.rows.parsers import parse, to_date, to_flag, to_fraction, to_gtins, to_time
from pipeline.ingest.sources.schema import ColumnRule, load_sources

SOURCES = load_sources(Path(__file__).resolve().parents[2] / "configs" / "sources")
CONTEXT = ReadContext(
    {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "CNY": 2},
    {"US": "USD", "DE": "EUR", "UK": "GBP", "JP": "JPY"},
    {"com": "US", "gb": "UK", "de": "DE"},
    "US",
)
HEAD = b"product_id,title,price,currency,rating_count\n"
KEEPA = "ASIN,Title,Sales Rank: Current,Buy Box 🚚: Current,\n".encode()
CELL = st.sampled_from(["A", "B0INV1", "24.99", "USD", "", '"', '""', '"a', 'b"', '"x,y"', "EUR", "-1", "7", "\r", "\0", "ü", "'"])
LINE = st.one_of(st.lists(CELL, min_size=1, max_size=7).map(",".join), st.sampled_from(["A,Basket,24.99,USD,7", 'B,"a, b",5,USD,', ""]))


def read(content: bytes, threads: int = 1) -> tuple[list[dict[str, Any]], list[dict[str, Any]], FileReport]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dump.csv"
        path.write_bytes(content)
        reading = read_file(DumpFile("dump.csv", path), SOURCES, CONTEXT, threads)
        rows: list[dict[str, Any]] = []
        aside: list[dict[str, Any]] = []
        for name, table in reading.tables():
            (aside if name == "set_aside" else rows).extend(table.to_pylist())
    reading.report.check_ledger()
    assert sum(reading.report.set_aside.values()) == len(aside)
    assert reading.report.records == len(rows)
    return rows, aside, reading.report


@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=200).map(lambda tail: HEAD + tail),
        st.binary(max_size=200).map(lambda t: KEEPA + t),
    )
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_or_balance_the_ledger(content: bytes) -> None:
    try:
        _, _, report = read(content)
    except Refusal as refusal:
        assert str(refusal)
        return
    physical = content.count(b"\n") if b"\n" in content else content.count(b"\r")
    assert report.lines in {physical, physical + 1} or content.startswith((b"\xff\xfe", b"\xfe\xff"))


@given(st.lists(LINE, max_size=25))
@settings(max_examples=400, deadline=None)
def test_any_lines_balance_the_ledger_and_stand_where_they_are_said_to(lines: list[str]) -> None:
    content = HEAD + "".join(line + "\n" for line in lines).encode()
    rows, aside, report = read(content)
    assert report.lines == 1 + len(lines)
    starts = [m.end() for m in re.finditer(b"\n", content)]
    for record in [*rows, *aside]:
        assert record["byte_offset"] == starts[record["line"] - 2]


@given(st.lists(LINE, max_size=25), st.integers(1, 3), st.sampled_from([7, 40, 300]))
@settings(max_examples=60, deadline=None)
def test_neither_threads_nor_the_size_of_blocks_change_what_is_read(lines: list[str], threads: int, block_bytes: int) -> None:
    content = HEAD + "".join(line + "\n" for line in lines).encode()
    wanted = read(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block_bytes)
        rows, aside, report = read(content, threads)
    assert (rows, report) == (wanted[0], wanted[2])
    assert sorted(aside, key=lambda row: row["line"]) == sorted(wanted[1], key=lambda row: row["line"])


@given(st.permutations([f"P{i},Thing {i},{i + 1}.50,USD,{i}" for i in range(8)] + ['Q,"bad,1,USD,1', "R,x,0,USD,1"]))
@settings(max_examples=50, deadline=None)
def test_shuffled_lines_give_equal_rows_but_for_their_places(lines: list[str]) -> None:
    rows, aside, _ = read(HEAD + "".join(line + "\n" for line in lines).encode())
    assert sorted((row["product_id"], row["price_cents"], row["rating_count"]) for row in rows) == [
        (f"P{i}", 100 * (i + 1) + 50, i) for i in range(8)
    ]
    assert sorted(row["raw"] for row in aside) == ['Q,"bad,1,USD,1', "R,x,0,USD,1"]


@given(st.integers(0, 1_000), st.binary(min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_a_mutated_file_changes_only_the_lines_that_were_hit(place: int, patch: bytes) -> None:
    good = HEAD + b"".join(b'P%d,"Thing, %d",%d.50,USD,%d\n' % (i, i, i + 1, i) for i in range(12))
    place = len(HEAD) + place % (len(good) - len(HEAD) - 1)
    content = good[:place] + patch + good[place + len(patch) :]
    try:
        rows, _, _ = read(content)
    except Refusal:
        return
    hit = {good.count(b"\n", 0, place) - 1, good.count(b"\n", 0, min(place + len(patch), len(good) - 1)) - 1}
    whole = {(f"P{i}", f"Thing, {i}", 100 * (i + 1) + 50, "USD", i) for i in range(12) if i not in hit}
    got = {(row["product_id"], row["title"], row["price_cents"], row["currency"], row["rating_count"]) for row in rows}
    assert whole <= got
    assert len(rows) <= 12 + len(hit)


@given(st.lists(LINE, min_size=1, max_size=12))
@settings(max_examples=400, deadline=None)
def test_the_vectorised_contract_agrees_with_one_pattern_per_line(lines: list[str]) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    ends = line_ends(data)
    starts = np.concatenate([[0], ends[:-1] + 1])
    grammar = Grammar(",", 5)
    got = sort_lines(scan_lines(Block(data, 2, starts, ends, None, False), grammar), [], grammar, check_width=True)
    record = grammar.record
    for number, line in enumerate(data.split(b"\n")[:-1]):
        fits = bool(record.fullmatch(line)) and b"\0" not in line and b"\r" not in line.removesuffix(b"\r")
        assert bool(got.kept[number]) == (fits and bool(line.rstrip(b"\r"))), line


NUMBER = st.one_of(
    st.sampled_from(
        [
            "0",
            "007",
            "1,299.00",
            "1,299",
            "24,99",
            "1.2.3",
            ".5",
            "5.",
            "-3",
            "1E5",
            "nan",
            "１２",
            "99999999999999",
            "$5",
            "5 -409",
            "1,02,990",
            "1 299,50",
            "1\u202f299",
            "1'299.00",
            "1’299,5",
            "1,299'000",
            "$0.99 - $3.50",
            "5 -- 7",
            "7~5",
            "¥5 至 9",
        ]
    ),
    st.decimals(-1000, 100_000, places=3, allow_nan=False, allow_infinity=False).map(str),
    st.text(alphabet="0123456789.,- $€", max_size=12),
)


@given(st.lists(NUMBER, max_size=20), st.sampled_from([".", ","]), st.booleans(), st.booleans(), st.sampled_from(["", "low", "high"]))
@settings(max_examples=400, deadline=None)
def test_money_read_by_column_is_money_read_one_by_one(texts: list[str], decimal: str, grouping: bool, rounded: bool, end: str) -> None:
    form = NumberForm(decimal, grouping)
    amounts, named, fits = parse_money(pa.array(texts, pa.string()), form, rounded, end)
    for place, text in enumerate(texts):
        slow = to_money(text, form, rounded, end)
        assert bool(fits[place]) == (slow is not None), text
        if slow is not None:
            assert (int(amounts[place]), int(named[place])) == slow


@given(st.integers(0, 10**9), st.sampled_from([",", ".", " ", "\u00a0", "\u202f", "\u2009", "'", "’"]), st.sampled_from([".", ","]))
@settings(max_examples=300, deadline=None)
def test_groups_by_any_sign_but_the_decimal_one_are_the_number_they_were_made_of(number: int, group: str, decimal: str) -> None:
    text = f"{number:,}".replace(",", group) + decimal + "25"
    wanted = None if group == decimal and number >= 1_000 else Decimal(number) + Decimal("0.25")
    assert to_decimal(text, NumberForm(decimal)) == wanted
    assert to_decimal(text, NumberForm(decimal, grouping=False)) == wanted


@given(st.lists(st.sampled_from(["5,000+", "5000 +", "+", "5+5", "7", "7+", "-7+", "1.5+"]), max_size=8), st.booleans())
@settings(max_examples=100, deadline=None)
def test_counts_read_by_column_are_counts_read_one_by_one(texts: list[str], at_least: bool) -> None:
    array, fits = parse(pa.array(texts, pa.string()), ColumnRule(headers=("x",), kind="count", at_least=at_least), NumberForm())
    for place, text in enumerate(texts):
        number = to_decimal(re.sub(r" ?\+$", "", text) if at_least else text, NumberForm())
        whole = int(number) if number is not None and number == int(number) and number >= 0 else None
        assert (array[place].as_py(), bool(fits[place])) == (whole, whole is not None), text


@given(st.lists(NUMBER, max_size=20), st.sampled_from(["", "percent"]))
@settings(max_examples=200, deadline=None)
def test_shares_read_by_column_are_shares_read_one_by_one(texts: list[str], unit: str) -> None:
    form = NumberForm()
    array, fits = parse(pa.array(texts, pa.string()), ColumnRule(headers=("x",), kind="fraction", unit=unit), form)
    for place, text in enumerate(texts):
        slow = to_fraction(text, form, unit)
        slow = slow / 100 if slow is not None and unit == "percent" else slow
        inside = slow is not None and 0 <= slow <= 1
        assert bool(fits[place]) == inside, text
        if inside:
            assert array[place].as_py() == slow


WORDS = st.sampled_from(
    [
        "yes",
        "No",
        "是",
        "2026-01-05",
        "2026-02-30",
        "46039.5",
        "2026-01-05 10:00:00",
        "2026-13-05 10:00:00",
        "4006381333931",
        "12345",
        "x",
    ]
)


@given(st.lists(WORDS, max_size=8))
@settings(max_examples=200, deadline=None)
def test_words_dates_and_codes_read_by_column_are_those_read_one_by_one(texts: list[str]) -> None:
    values, form = pa.array(texts, pa.string()), NumberForm()
    readers = {
        "flag": to_flag,
        "date": lambda text: to_date(text, ("iso",)),
        "timestamp": lambda text: to_time(text, ("iso",)),
        "gtins": to_gtins,
    }
    for kind, slow in readers.items():
        array, fits = parse(values, ColumnRule(headers=("x",), kind=kind), form)  # type: ignore[arg-type]
        assert fits.tolist() == [slow(text) is not None for text in texts]
        assert [v for v, ok in zip(array.to_pylist(), fits, strict=True) if ok] == [slow(t) for t in texts if slow(t) is not None]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_thousand_mutated_lines_cost_themselves_alone(seed: int) -> None:
    """20 files of 10,000 lines, every second one mutated at one to three bytes (never at a line end)."""
    rng = np.random.default_rng(seed)
    good = [f'P{i},"Thing, {i}",{i % 900 + 1}.50,USD,{i}' if i % 3 else f"P{i},Thing {i},{i % 900 + 1}.50,USD,{i}" for i in range(10_000)]
    lines = [line.encode() for line in good]
    for number in range(0, len(lines), 2):
        line = bytearray(lines[number])
        for place in rng.integers(0, len(line), rng.integers(1, 4)).tolist():
            line[place] = int(rng.choice([0, 13, 34, 44, 32, 46, 48, 69, 120] + [0xC3] * (seed == 0)))
        lines[number] = bytes(line)
    try:
        rows, aside, report = read(HEAD + b"\n".join(lines) + b"\n", threads=1 + seed % 2)
    except Refusal as refusal:
        assert "are not utf-8" in str(refusal)  # more than one line in 1,000
        return
    whole = {(f"P{i}", 100 * (i % 900 + 1) + 50, i) for i in range(1, 10_000, 2)}
    assert whole <= {(row["product_id"], row["price_cents"], row["rating_count"]) for row in rows}
    assert report.lines == 10_001 and len(rows) + len(aside) >= 10_000 - report.line_ends_in_values
