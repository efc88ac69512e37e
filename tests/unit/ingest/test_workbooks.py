"""Workbooks: typed cells read as their CSV twin would be, every row accounted for, and nothing unpacked that is no table."""

from __future__ import annotations

import io
import re
import time
import zipfile
from datetime import date, datetime

import openpyxl
import pytest
import xlsxwriter
from openpyxl.worksheet.formula import ArrayFormula

from pipeline.errors import DumpError
from pipeline.ingest.containers.cell_formats import CellForm, cell_form, number_text
from pipeline.ingest.containers.sheets import SheetRows
from pipeline.ingest.containers.workbooks import Workbook
from pipeline.ingest.dump import DumpFile, raw_records

EURO, DOLLAR, SHARE = "#,##0.00 [$€-C0A]", r"#.00\ [$$-409]", "0.00 %"
MARK = "Exported on 2025-09-02 07:05 (UTC) by ✜ Keepa.com"
KEEPA = [
    "Locale",
    "Title",
    "Sales Rank: Current",
    "Bought in past month",
    "Return Rate",
    "Buy Box 🚚: Current",
    "Buy Box 🚚: 90 days avg.",
    "Buy Box: % Amazon 90 days",
    "Referral Fee %",
    "ASIN",
    "Package: Weight (g)",
    "Listed since",
]
KEEPA_ROWS = (
    [
        "de",
        'Nestora "4er", faltbar\nneu',
        812,
        300,
        None,
        24.99,
        25.400000000000002,
        None,
        0.1545,
        "B0INV00001",
        980,
        datetime(2024, 3, 5, 12, 30),
    ],
    ["de", "Pawluma", 50211, 50, None, 19, 19.9, 1, 0.15, "B0INV00002", 610, None],
    ["de", "Kritzli", 155020, 100, "High", 402, 390.75, 0.4, None, "B0INV00003", None, datetime(2020, 1, 8)],
)
KEEPA_FORMS = {"F": EURO, "G": EURO, "H": "0 %", "I": SHARE, "L": "yyyy-mm-dd hh:mm"}


def book(*sheets, forms=None, then=lambda made: None):
    """A workbook of (title, rows); `forms` gives columns of the first sheet a number format; `then` may change it."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    for column, form in (forms or {}).items():
        for cell in made.worksheets[0][column][1:]:
            cell.number_format = form
    then(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def repacked(content, change=lambda name, text: text, add=()):
    """The same workbook with parts changed, left out (None) or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            text = change(entry.filename, old.read(entry))
            if text is not None:
                new.writestr(entry.filename, text)
        for name, text in add:
            new.writestr(name, text)
    return out.getvalue()


def shared(*rows):
    """A workbook whose cells point into one list of texts, as spreadsheets write them."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        sheet = made.add_worksheet("s")
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                form = "yyyy-mm-dd hh:mm:ss" if isinstance(cell, datetime) else "yyyy-mm-dd"
                sheet.write(number, place, cell, made.add_format({"num_format": form}) if isinstance(cell, date) else None)
    return out.getvalue()


def keepa():
    return book(("2025-09-02", [KEEPA, *KEEPA_ROWS, [None] * 12 + [MARK]]), forms=KEEPA_FORMS)


def test_a_keepa_workbook_gives_the_rows_of_its_csv(read):
    got = read(keepa(), "keepa.xlsx")
    assert got.report.source == "keepa" and got.aside == []
    twin = read(
        ",".join(KEEPA) + ",\n"
        'de,"Nestora ""4er"", faltbar\nneu",812,300,,24.99 -C0A,25.40 -C0A,,0.1545,B0INV00001,980,45356.5208333333,\n'
        "de,Pawluma,50211,50,,19.00 -C0A,19.90 -C0A,1,0.15,B0INV00002,610,,\n"
        "de,Kritzli,155020,100,High,402.00 -C0A,390.75 -C0A,0.4,,B0INV00003,,43838,\n" + "," * 12 + MARK + "\n"
    )
    place = {"file", "line", "byte_offset"}
    for row, other in zip(got.rows, sorted(twin.rows, key=lambda row: row["product_id"]), strict=True):
        assert {k: v for k, v in row.items() if k not in place and v != other[k]} == {}
    first = got.rows[0]
    assert (first["price_cents"], first["avg90_price_cents"], first["currency"], first["listed_since"]) == (
        2499,
        2540,
        "EUR",
        date(2024, 3, 5),
    )
    assert first["title"] == 'Nestora "4er", faltbar\nneu' and got.rows[1]["amazon_share_90"] == 1.0
    assert got.report.exported_at == "2025-09-02 07:05"


def test_every_row_of_a_sheet_stands_once_in_the_ledger(read):
    def gap(made):
        made.worksheets[0].cell(9, 10, "B0INV00009")
        made.worksheets[0].cell(9, 6, "no price")

    got = read(book(("s", [[], [], KEEPA, *KEEPA_ROWS]), then=gap), "keepa.xlsx")
    report = got.report
    # Two empty rows, the header in row 3, products in 4 to 6, nothing in 7 and 8, a row that does not fit in 9.
    assert (report.lines, report.header, report.blank, report.rows) == (9, 1, 4, 3)
    assert [row["line"] for row in got.rows] == [4, 5, 6]
    assert [(row["line"], row["column"], row["kind"]) for row in got.aside] == [(9, "Buy Box 🚚: Current", "value")]


def test_a_row_is_found_again_where_it_begins_in_the_sheet(tmp_path, read, sources, context):
    content = keepa()
    got = read(content, "keepa.xlsx")
    offsets = [row["byte_offset"] for row in got.rows]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml")
    assert [xml[offset:].startswith(f'<row r="{row["line"]}"'.encode()) for offset, row in zip(offsets, got.rows, strict=True)] == [
        True
    ] * 3
    source = next(source for source in sources if source.name == "keepa")
    lines = raw_records(DumpFile("keepa.xlsx", tmp_path / "keepa.xlsx"), source, offsets[1:], context)
    assert lines[0].startswith("de,Pawluma,50211,50,,19 EUR,19.9 EUR,100%,15%,B0INV00002,610,")


def test_a_keepa_viewer_of_2022_mixes_shares_with_100_and_texts_with_numbers(read):
    header = [
        "ASIN",
        "Locale",
        "Title",
        "Sales Rank: Current",
        "Buy Box: Current",
        "Reviews: Rating",
        "Package: Weight (g)",
        "Buy Box Seller",
    ]
    header += ["Buy Box out of stock percentage: 90 days OOS %", None, None]
    rows = [
        ["B0INV00001", "com", "Basket", 4182, 24.99, "4.5", "980", "Sample Store (98% A0INVENTED0001)", 0.12],
        ["B0INV00002", "com", "Bowl", None, None, "4.7", "0", "-", 100],
        ["B0INV00003", "com", "Globe", 155020, 39.5, "4.0", "2000", "Amazon", 0, None, MARK],
    ]
    got = read(book(("Sheet0", [header, *rows]), forms={"E": DOLLAR, "I": SHARE}), "viewer.xlsx")
    assert [row["out_of_stock_share_90"] for row in got.rows] == [0.12, 1.0, 0.0] and got.aside == []
    assert [(row["price_cents"], row["currency"], row["package_weight_g"]) for row in got.rows] == [
        (2499, "USD", 980.0), (None, "USD", None), (3950, "USD", 2000.0)
    ]  # fmt: skip


def test_one_sheet_is_read_and_the_others_are_told(read):
    got = read(book(("Search", [KEEPA, *KEEPA_ROWS]), ("Notes", [["made by a tool"]])), "keepa.xlsx")
    assert len(got.rows) == 3 and "sheet 'Notes' is not read: no source knows it" in got.report.warnings
    with pytest.raises(DumpError, match="the sheets 'a' and 'b' both hold a table; send each in a workbook of its own"):
        read(book(("a", [KEEPA, *KEEPA_ROWS]), ("b", [KEEPA, *KEEPA_ROWS])), "keepa.xlsx")
    with pytest.raises(DumpError, match="no source knows this header"):
        read(book(("a", [["Colour", "Mood"], ["red", "good"]])), "x.xlsx")

    def hide(made):
        made.worksheets[1].sheet_state = "hidden"

    assert len(read(book(("a", [KEEPA, *KEEPA_ROWS]), ("b", [KEEPA, *KEEPA_ROWS]), then=hide), "keepa.xlsx").rows) == 3


def test_a_formula_without_its_result_and_an_error_cost_their_row_where_they_are_read(read):
    header = ["product_id", "title", "price", "currency"]
    rows = [["B0INV00001", "Basket", 24.99, "USD"], ["B0INV00002", "=A2", 9.5, "USD"], ["B0INV00003", "Globe", "#DIV/0!", "USD"]]

    def array(made):
        made.worksheets[0]["C2"] = ArrayFormula("C2", "=SUM(A1:A2)")

    got = read(book(("s", [header, *rows]), then=array), "c.xlsx")
    assert [(row["line"], row["kind"]) for row in got.aside] == [(2, "formula"), (3, "formula"), (4, "formula")]
    saved = repacked(
        book(("s", [header, rows[1]])),
        lambda name, text: text.replace(b"<v></v>", b"<v>Hook</v>").replace(b"<v />", b"<v>Hook</v>").replace(b"<v/>", b"<v>Hook</v>")
        if name.endswith("sheet1.xml") else text,
    )  # fmt: skip
    assert [row["title"] for row in read(saved, "c.xlsx").rows] == ["Hook"]
    keepa_ = [[*KEEPA, "note"], [*KEEPA_ROWS[1], "=1+1"]]
    assert read(book(("s", keepa_)), "keepa.xlsx").aside == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"add": [("xl/vbaProject.bin", b"x")]}, "holds macros; save it as .xlsx"),
        ({"add": [("xl/externalLinks/externalLink1.xml", b"<x/>")]}, "takes values from other workbooks"),
        ({"add": [("xl/workbook.bin", b"x")]}, "binary workbook"),
        ({"change": lambda name, text: None if name == "xl/workbook.xml" else text}, "no workbook"),
        ({"change": lambda name, text: text[:-40] if name.endswith("sheet1.xml") else text}, "damaged or cut off"),
        ({"change": lambda name, text: text.replace(b'r="3"', b'r="2"') if name.endswith("sheet1.xml") else text}, "out of their order"),
        (
            {"change": lambda name, text: text.replace(b'r="B2"', b'r="ZZZZ2"') if name.endswith("sheet1.xml") else text},
            "out of their order",
        ),
        ({"change": lambda name, text: b"<" if name.endswith("styles.xml") else text}, "damaged or cut off"),
        (
            {"change": lambda name, text: text.replace(b"<sst ", b"<tss ") if name.endswith("sharedStrings.xml") else text},
            "damaged or cut off",
        ),
    ],
)
def test_a_workbook_that_is_not_plain_is_refused(read, change, said):
    with pytest.raises(DumpError, match=said) as told:
        read(repacked(shared(KEEPA, *KEEPA_ROWS), **change), "keepa.xlsx")
    assert "\n" not in str(told.value)


def test_bombs_are_refused_before_they_are_unpacked(read):
    entity = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    bombs = {
        "document type": repacked(
            keepa(), lambda name, text: text.replace(b"<worksheet", entity + b"<worksheet", 1) if name.endswith("sheet1.xml") else text
        ),
        "more than a table needs": repacked(keepa(), lambda name, text: b" " * (64 << 20) if name.endswith("sheet1.xml") else text),
        "unpacks to": repacked(keepa(), lambda name, text: b" " * (64 << 20) if name.endswith("styles.xml") else text),
        "holds 5,0": repacked(keepa(), add=[(f"xl/x{i}", b"") for i in range(5_000)]),
    }
    began = time.process_time()
    for said, content in bombs.items():
        with pytest.raises(DumpError, match=said):
            read(content, "keepa.xlsx")
    assert time.process_time() - began < 60  # seconds of this process, far above what it takes: a bomb would need minutes


def test_a_cut_workbook_is_refused_wherever_it_is_cut(read):
    content = keepa()
    for at in range(0, len(content), 61):
        with pytest.raises(DumpError):
            read(content[:at] if at else b"PK\x03\x04", "keepa.xlsx")


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("General", CellForm()),
        ("#,##0.00 [$€-C0A]", CellForm(currency="EUR")),
        ("#,##0.00 [$€-407]", CellForm(currency="EUR")),
        ("[$€-409]#,##0", CellForm(currency="EUR")),
        (r"#.00\ [$$-409]", CellForm(currency="USD")),
        ("[$$-1009]#,##0.00", CellForm(currency="$")),
        ("[$¥-411]#,##0", CellForm(currency="JPY")),
        ("[$￥-804]#,##0.00", CellForm(currency="CNY")),
        ("#,##0.00 [$BRL]", CellForm(currency="BRL")),
        ('"$"#,##0.00_);[Red]("$"#,##0.00)', CellForm(currency="$")),
        ("£#,##0.00", CellForm(currency="GBP")),
        ('#,##0.00 "kg"', CellForm()),
        ("0.00 %", CellForm("percent")),
        ("000000000000", CellForm(zeros=12)),
        ("0.00E+00", CellForm()),
        ("yyyy-mm-dd", CellForm("date")),
        ("[$-409]d-mmm-yy;@", CellForm("date")),
        ("m/d/yy h:mm AM/PM", CellForm("instant")),
        ("[h]:mm:ss", CellForm("time")),
        ('"day" 0', CellForm()),
    ],
)
def test_a_number_format_tells_currency_share_and_day(code, form):
    assert cell_form(code) == form


@pytest.mark.parametrize(
    ("raw", "form", "text"),
    [
        ("24.989999999999998", CellForm(currency="EUR"), "24.99 EUR"),
        ("-0", CellForm(), "0"),
        ("1e-7", CellForm(), "0.0000001"),
        ("4000000000012", CellForm(zeros=13), "4000000000012"),
        ("12345678901", CellForm(zeros=12), "012345678901"),
        ("0.28999999999999998", CellForm("percent"), "29%"),
        ("100", CellForm("percent"), "100"),
        ("45356", CellForm("date"), "2024-03-05"),
        ("45356.5208333333", CellForm("instant"), "2024-03-05 12:30:00"),
        ("45356.999999999", CellForm("instant"), "2024-03-06"),
        ("0.5", CellForm("date"), "0.5"),
        ("0.5", CellForm("time"), "0.5"),
        ("1e999", CellForm(), None),
        ("nan", CellForm(), None),
        ("x", CellForm(), None),
    ],
)
def test_a_typed_number_is_shown_as_it_is_meant(raw, form, text):
    assert number_text(raw, form) == text


@pytest.mark.parametrize("make", [lambda rows: book(("s", rows)), lambda rows: shared(*rows)])
def test_the_slow_twin_reads_the_same_cells(make):
    """openpyxl reads every kind of cell that it can write as our own reader does."""
    rows = [
        ["text", " blanks ", "a\nb", "a_x", "ü🐾", None],
        [1, 2.5, -3.25, 1e14, 0.1 + 0.2, 123456789012],
        [True, False, date(2024, 3, 5), datetime(2024, 3, 5, 12, 30, 5), None, "x"],
    ]
    content = make(rows)
    opened = Workbook(content, "x")
    ours = {row.line: row.cells for row in SheetRows(opened, opened.sheets[0], "x").rows()}
    twin = openpyxl.load_workbook(io.BytesIO(content), read_only=True).worksheets[0]

    def shown(value):
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%d" if value.time() == datetime.min.time() else "%Y-%m-%d %H:%M:%S")
        return value if isinstance(value, str) else f"{value:.15g}"

    for line, cells in enumerate(twin.iter_rows(values_only=True), 1):
        wanted = [shown(value) for value in cells]
        assert ours[line] + [""] * (len(wanted) - len(ours[line])) == wanted


@pytest.mark.parametrize("step", [97, pytest.param(1, marks=pytest.mark.soak)])
def test_a_flipped_byte_of_a_workbook_is_refused_or_changes_nothing_that_is_read(read, step):
    content = shared(KEEPA, *KEEPA_ROWS)
    wanted = read(content, "keepa.xlsx").rows
    for at in range(0, len(content), step):
        changed = bytearray(content)
        changed[at] ^= 0x10
        try:
            got = read(bytes(changed), "keepa.xlsx")
        except DumpError:
            continue
        assert got.rows == wanted and got.aside == [], at


def test_names_with_a_prefix_are_the_same_names(read):
    def prefixed(name, text):
        if not name.endswith("sheet1.xml"):
            return text
        text = re.sub(rb"<(/?)(\w)", rb"<\1x:\2", text)
        return text.replace(b"xmlns=", b"xmlns:x=")

    content = shared(KEEPA, *KEEPA_ROWS)
    drop = ["byte_offset"]
    plain, other = read(content, "keepa.xlsx").rows, read(repacked(content, prefixed), "keepa.xlsx").rows
    assert [{k: v for k, v in r.items() if k not in drop} for r in plain] == [{k: v for k, v in r.items() if k not in drop} for r in other]


def test_a_cell_far_to_the_right_costs_no_row_of_blanks(tmp_path):
    """Every row's only cell is in the last column that a sheet has: 16,384 blanks a row would be 33 million cells."""
    import io

    from pipeline.ingest.containers.sheets import SheetRows
    from pipeline.ingest.containers.workbooks import Workbook

    held = io.BytesIO()
    with xlsxwriter.Workbook(held) as book:
        sheet = book.add_worksheet()
        for row in range(2_000):
            sheet.write_number(row, 16_383, 1)
    book = Workbook(held.getvalue(), "far.xlsx")
    rows = list(SheetRows(book, book.sheets[0], "far.xlsx", width=5).rows())
    assert len(rows) == 2_000 and {tuple(row.cells) for row in rows} == {("", "", "", "", "", "1")}
    assert len(next(SheetRows(book, book.sheets[0], "far.xlsx").rows()).cells) <= 1_025
