"""Price lines by the block against a line at a time, and a price history read so against the general reader."""

import datetime as dt
import random
import re
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import history, history_lines
from pipeline.errors import Refusal
from pipeline.ingest.containers import blocks
from pipeline.ingest.dump import DumpFile, ReadContext, read_file
from pipeline.ingest.lines import price_lines
from pipeline.ingest.lines.price_lines import Buffer, Layout, take_lines
from pipeline.ingest.price_reading import plain_layout, plain_price_parts
from pipeline.ingest.rows.plain_prices import MarketPrices
from pipeline.ingest.sources.schema import load_sources
from pipeline.stages.prices.arrays import packed, table_of
from pipeline.tables import keys

IDS = [b"A", b"low", b"", b"0123456789A", b"X#1", b"[]^_", b"a" * 33, b"\x80\x81", b"B 1", b"Z" * 10, b"_" * 9, b"4.00E+12"]
DAYS = [b"2026-02-30", b"2024-02-29", b"2023-02-29", b"1999-01-01", b"2026-1-01", b"2026/01/01", b"", b"2026-01-001", b"2026-00-10",
        b"2026-13-01", b"202a-01-01", b"20:6-01-01", b"2026-01-32", b"2026-01-0/", b"2100-01-01", b"20\xb06-01-01"]  # fmt: skip
PRICES = [b"1.5", b".50", b"5.", b"0", b"0.00", b"0.01", b"00012.3", b"12.345", b"1,2", b"-1", b"1e5", b"nan", b"", b"1.2.3", b"1234567.89",
          b"12345.67", b"99999999", b"999999", b"9999999", b"1/2", b"1:2", b" 1", b"1..2", b"123456.7", b"..12", b"1.2.", b"\xff.11",
          b"21474836.48", b"$5.00", b"12.50"]  # fmt: skip
WORDS = [b"USD", b"USD", b"JPY", b"EUR", b"", b"LONGER", b"5", b"usd", b"XXX"]
MARKETS = [b"US", b"", b"gb", b"DE", b"com", b"QQ", b"JP"]
# What is plainly in order: id, day, price, words.
PLAIN = [
    rb"[\x2d-\x5f]{1,10}",
    rb"[-0-9]{10}",
    rb"(?:[0-9]{1,6}|[0-9]{1,6}\.[0-9]|[0-9]{1,5}\.[0-9]{2})",
    rb"[a-zA-Z0-9]{0,4}",
    rb"[a-zA-Z0-9]{0,4}",
]
STRAY = [b'"', b",", b"\r", b"\0", b" ", b"\x0b", b"", b'""', b"\xef\xbb\xbf"]


def cell(dice, plain, odd, dirt):
    return dice.choice(odd) if dice.random() < dirt else plain


def a_line(dice, order, dirt, quoted):
    plain = [
        f"B0{dice.randint(0, 20):08d}".encode(),
        f"2026-{dice.randint(1, 12):02d}-11".encode(),
        f"{dice.randint(1, 9999) / 100:.2f}".encode(),
        b"USD",
        b"US",
    ]
    cells = [cell(dice, plain[place], odd, dirt) for place, odd in enumerate((IDS, DAYS, PRICES, WORDS, MARKETS))]
    cells = [b'"' + text + b'"' if dice.random() < quoted else text for text in cells]
    line = b",".join(cells[place] for place in order)
    if dice.random() < dirt:
        at = dice.randrange(len(line) + 1)
        line = line[:at] + dice.choice(STRAY) + line[at + dice.randint(0, 2) :]
    return line


def some_lines(dice, order):
    """Lines of a file, their ends included: clean, dirty, quoted or with CR LF, by chance."""
    dirt, quoted, end = dice.choice([0, 0.003, 0.02, 0.3]), dice.choice([0, 0, 0.1, 1]), dice.choice([b"\n", b"\n", b"\r\n"])
    return [a_line(dice, order, dirt, quoted) + end for _ in range(dice.choice([1, 5, 60, 400]))]


@given(dice=st.randoms(use_true_random=False), piece=st.sampled_from([100, 5_000, 1 << 19]))
@settings(max_examples=25)
def test_every_line_that_is_taken_is_read_as_the_slow_twin_reads_it(dice, piece):
    order = dice.choice([(0, 1, 2), (0, 1, 2, 3), (2, 0, 3, 1), (1, 4, 2, 0, 3)])
    layout = Layout(len(order), order.index(0), order.index(1), order.index(2), tuple(p for p, c in enumerate(order) if c > 2))
    data = b"".join(some_lines(dice, order))
    saved, price_lines._PIECE = price_lines._PIECE, piece
    try:
        pieces = take_lines(Buffer.of(data), 0, len(data), layout)
    finally:
        price_lines._PIECE = saved
    lines = data.split(b"\n")[:-1]
    assert sum(part.lines for part in pieces) == len(lines) and sum(part.size for part in pieces) == len(data)
    begin, taken = 0, 0
    for part in pieces:
        names = keys.unpack(part.rows.key, {}).to_pylist()
        for place, line in enumerate(part.line.tolist()):
            raw = lines[begin + line]
            assert history_lines.parse_line(raw, layout) == (names[place], part.rows.day[place], part.rows.cents[place]), raw
            cells = [quoted or plain for quoted, plain in history_lines.CELL.findall(raw.removesuffix(b"\r"))]
            assert [int(word[place]) for word in part.words] == [int.from_bytes(cells[p], "little") for p in layout.words]
        begin, taken = begin + part.lines, taken + len(part.line)
    shape = re.compile(b",".join(PLAIN[column] for column in order))
    plain = sum(bool(shape.fullmatch(raw)) and isinstance(history_lines.parse_line(raw, layout), tuple) for raw in lines)
    assert taken >= plain, "a plain line was left to others"


@pytest.fixture(scope="module")
def sources(root):
    return load_sources(root / "configs" / "sources")


CONTEXT = ReadContext(
    currencies={"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0},
    marketplaces={"US": "USD", "UK": "GBP", "DE": "EUR", "JP": "JPY"},
    aliases={"com": "US", "gb": "UK"},
    default_marketplace="US",
)


def by_general(reading):
    prices, aside = [], []
    for name, table in reading.tables():
        if name == "set_aside":
            aside += table.to_pylist()
        else:
            for market, rows in (told := packed(table)).rows.items():
                prices += table_of(rows, market, told.currencies[market], told.wide).to_pylist()
    return prices, aside


def by_block(reading):
    prices, aside = [], []
    for part in plain_price_parts(reading, plain_layout(reading)):
        if isinstance(part, MarketPrices):
            prices += table_of(part.rows, part.market, part.currency, {}).to_pylist()
        elif part[0] == "set_aside":
            aside += part[1].to_pylist()
        else:
            for market, rows in (told := packed(part[1].cast(reading.schema))).rows.items():
                prices += table_of(rows, market, told.currencies[market], told.wide).to_pylist()
    return prices, aside


def outcome(read, path, sources):
    reading = read_file(DumpFile("prices.csv", path), sources, CONTEXT)
    try:
        prices, aside = read(reading)
    except Refusal as error:
        return type(error), str(error)
    return sorted(prices, key=str), sorted(aside, key=str), reading.report


@given(dice=st.randoms(use_true_random=False), block=st.sampled_from([300, 4_000, 1 << 24]), has_market=st.booleans())
@settings(max_examples=25)
def test_a_file_read_by_the_block_gives_what_the_general_reader_gives(dice, block, has_market, sources, tmp_path_factory):
    order = (0, 1, 2, 3, 4) if has_market else (1, 0, 3, 2)
    names = ["product_id", "date", "price", "currency", "marketplace"]
    lines = some_lines(dice, order)
    if dice.random() < 0.3:  # line ends inside values, and quotes that are never closed
        lines.insert(
            dice.randrange(len(lines) + 1),
            dice.choice([b'"B01\nB02",2026-01-11,1.00,USD,US\n', b'B01,"2026-01-11\n",1.00,USD\n', b'B01,"2026-01-11\n', b"\n", b" \n"]),
        )
    tail = b"" if dice.random() < 0.9 else b"B01,2026-01-11"
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    path.write_bytes(",".join(names[place] for place in order).encode() + b"\n" + b"".join(lines) + tail)
    saved, blocks.BLOCK_BYTES = blocks.BLOCK_BYTES, block
    try:
        assert outcome(by_block, path, sources) == outcome(by_general, path, sources)
    finally:
        blocks.BLOCK_BYTES = saved


@pytest.mark.soak
def test_a_hundred_thousand_mutated_lines_are_read_alike(sources, tmp_path):
    dice = random.Random(4)
    for number in range(100):
        path = tmp_path / "prices.csv"
        lines = [line for _ in range(10) for line in some_lines(dice, (0, 1, 2, 3, 4))]
        path.write_bytes(b"product_id,date,price,currency,marketplace\n" + b"".join(lines))
        assert outcome(by_block, path, sources) == outcome(by_general, path, sources), number


def test_sources_that_say_more_than_the_parser_knows_are_left_to_the_general_reader(sources, tmp_path):
    path = tmp_path / "prices.csv"
    for header, is_plain in ((b"product_id,date,price,currency", True), (b"product_id;date;price;currency", False)):
        path.write_bytes(header + b"\n")
        assert (plain_layout(read_file(DumpFile("prices.csv", path), sources, CONTEXT)) is not None) == is_plain


def test_the_whole_job_sets_bad_lines_aside_with_their_numbers_and_takes_the_last_line_of_a_day(tmp_path):
    lines = [b"asin,date,price,sales_rank", b"B000000001,2026-11-01,10.00,5", b"B000000001,2026-11-11,20.00,5", b"B000000001,2026-11-11,30.00,",
             b'B0"00000001,2026-11-12,1.00,5', b"B000000001,2026-11-12,1.00", b"B 00000001,2026-11-12,1.00,5", b"B000000001,2026-11-31,1.00,5",
             b"B000000001,2026-11-12,1.001,5", b'"seller sku"x,1', b"a-long-lower-case-id,2026-11-10,5,5", b'"B000000002","2026-11-20","7","1"',
             b"B000000003,2026-11-21,9.00,5"]  # fmt: skip
    path, out = tmp_path / "prices.csv", tmp_path / "out.parquet"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    told = history.run(path, out, dt.date(2026, 11, 20))
    assert told == {"lines": 13, "accepted": 6, "set_aside": 6, "products": 3}
    table = pq.read_table(out)
    first, second, third = table.to_pylist()
    # 10 days at 10.00, then 9 at 30.00 up to the as-of day: (10 x 1000 + 9 x 3000) / 1900.
    assert (first["asin"], first["n"], first["last_price_cents"], first["nchg90"], first["days_since_change"]) == (
        "B000000001",
        2,
        3000,
        1,
        9,
    )
    assert first["twm90"] == pytest.approx(37_000 / 1_900, abs=1e-12) and (first["q50"], first["q55"]) == (1000, 3000)
    # Of the as-of day itself: no day in force.
    assert (second["asin"], second["n"], second["twm90"], second["q50"], second["sdlog90"]) == ("B000000002", 1, None, None, None)
    assert (third["asin"], third["q05"], third["mdd365"]) == ("a-long-lower-case-id", 500, 0.0)
    aside = pq.read_table(tmp_path / "out.set_aside.parquet").to_pylist()
    assert [(row["line"], row["reason"]) for row in aside] == [
        (5, "quote"),
        (6, "width"),
        (7, "id"),
        (8, "date"),
        (9, "price"),
        (10, "quote"),
    ]
    assert table.schema.field("q05").type == "int32" and table.schema.field("first_date").type == "date32[day]"
    assert np.array_equal(table["last_date"].to_numpy(), np.array(["2026-11-11", "2026-11-20", "2026-11-10"], "datetime64[D]"))


def test_an_unknown_marketplace_is_set_aside_though_the_plan_declares_one(sources, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"product_id,date,price,currency,marketplace\nB01,2026-01-11,1.00,USD,XX\nB02,2026-01-11,1.00,USD,\n")
    context = replace(CONTEXT, declared={"canonical-price-history": {"marketplace": "US"}})
    for read in (by_block, by_general):
        prices, aside = read(read_file(DumpFile("prices.csv", path), sources, context))
        assert ([row["product_id"] for row in prices], [row["line"] for row in aside]) == (["B02"], [2])
