"""The line contract: which physical lines are records, and that a bad one costs only itself."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.errors import DumpError
from pipeline.ingest.containers import blocks

HEAD = "product_id,title,price,currency\n"


def test_a_clean_file_gives_every_row_with_its_line_and_offset(read):
    got = read(HEAD + "B0INV00001,Basket,24.99,USD\nB0INV00002,Hook,5,USD\n")
    assert [(row["product_id"], row["price_cents"], row["line"], row["byte_offset"]) for row in got.rows] == [
        ("B0INV00001", 2499, 2, len(HEAD)),
        ("B0INV00002", 500, 3, len(HEAD) + len("B0INV00001,Basket,24.99,USD\n")),
    ]
    assert (got.report.lines, got.report.header, got.report.rows) == (3, 1, 2)


def test_the_hash_is_that_of_the_bytes_that_were_parsed(read):
    content = (HEAD + "B0INV00001,Basket,24.99,USD\n").encode()
    assert read(content).report.sha256 == hashlib.sha256(content).hexdigest()


def test_quoted_separators_and_doubled_quotes_belong_to_the_cell(read):
    got = read(HEAD + 'B0INV00001,"Basket, 4 Pack",24.99,USD\nB0INV00002,"12"" Globe",5,USD\n')
    assert [row["title"] for row in got.rows] == ["Basket, 4 Pack", '12" Globe']


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('B0INV00009,12" Globe,5,USD', "quote"),
        ('B0INV00009,"Globe,5,USD', "quote"),
        ('B0INV00009,"Globe" ,5,USD', "quote"),
        ('B0INV00009,"Glo"be",5,USD', "quote"),
        ("B0INV00009,Globe,5", "width"),
        ("B0INV00009,Globe,1,299.00,USD", "width"),
        ("B0INV00009,Glo\rbe,5,USD", "control"),
        ("B0INV00009,Glo\0be,5,USD", "control"),
        ("\ufeffB0INV00009,Globe,5,USD", "control"),
        ("product_id,title,price,currency", "second_header"),
        ('"product_id","title","price","currency"', "second_header"),
        ("B0INV00009,Globe,infinity,USD", "value"),
        (",Globe,5,USD", "value"),
    ],
)
def test_a_line_that_breaks_the_contract_costs_only_itself(read, line, kind):
    got = read(HEAD + f"B0INV00001,Basket,24.99,USD\n{line}\nB0INV00002,Hook,5,USD\n")
    assert [row["product_id"] for row in got.rows] == ["B0INV00001", "B0INV00002"]
    assert [row["line"] for row in got.rows] == [2, 4]
    assert [(row["line"], row["kind"]) for row in got.aside] == [(3, kind)]
    assert got.aside[0]["byte_offset"] == len(HEAD) + len("B0INV00001,Basket,24.99,USD\n")


def test_a_value_may_hold_a_line_end_when_the_joined_lines_are_a_record(read):
    got = read(HEAD + 'B0INV00001,"Basket\nfor shelves",24.99,USD\nB0INV00002,Hook,5,USD\n')
    assert {row["product_id"]: (row["title"], row["line"]) for row in got.rows} == {
        "B0INV00001": ("Basket\nfor shelves", 2),
        "B0INV00002": ("Hook", 4),
    }
    assert (got.report.line_ends_in_values, got.report.lines) == (1, 4)


def test_two_stray_quotes_do_not_swallow_the_records_between_them(read):
    got = read(HEAD + 'B0INV00001,"Basket,24.99,USD\nB0INV00002,Hook,5,USD\nB0INV00003,Globe",7,USD\nB0INV00004,Leash,8,USD\n')
    assert [row["product_id"] for row in got.rows] == ["B0INV00002", "B0INV00004"]
    assert [row["line"] for row in got.aside] == [2, 4]


def test_neighbouring_lines_with_stray_quotes_are_not_one_record(read):
    got = read(HEAD + 'B0INV00001,"Basket,24.99,USD\nB0INV00003,Globe",7,USD\n')
    assert got.rows == []
    assert [(row["line"], row["kind"]) for row in got.aside] == [(2, "quote"), (3, "quote")]


def test_a_joined_record_whose_cells_do_not_fit_costs_its_first_line_only(read):
    got = read(HEAD + 'B0INV00001,"Basket\nB0INV00005,Leash,9,USD\nx",twelve,USD\nB0INV00002,Hook,5,USD\n')
    assert [row["product_id"] for row in got.rows] == ["B0INV00005", "B0INV00002"]
    assert [row["line"] for row in got.aside] == [2, 4]


def test_what_a_line_means_does_not_depend_on_where_blocks_are_cut(read, monkeypatch):
    lines = [f'B0INV{i:05},"Basket\nnumber {i}",{i + 1}.50,USD\n' if i % 3 else f"B0INV{i:05},Hook {i},5,USD\n" for i in range(60)]
    content = HEAD + "".join(lines) + 'B0INV99999,"open,5,USD\n'
    whole = read(content)
    for size in (150, 333, 1000):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        cut = read(content)
        assert sorted(cut.rows, key=lambda row: row["line"]) == sorted(whole.rows, key=lambda row: row["line"])
        assert sorted(cut.aside, key=lambda row: row["line"]) == sorted(whole.aside, key=lambda row: row["line"])
    assert len(whole.rows) == 60 and whole.report.line_ends_in_values == 40


def test_windows_line_ends_and_blank_lines_are_counted_not_kept(read):
    got = read(HEAD.replace("\n", "\r\n") + "B0INV00001,Basket,24.99,USD\r\n\r\n   \r\nB0INV00002,Hook,5,USD\r\n")
    assert [row["currency"] for row in got.rows] == ["USD", "USD"]
    assert (got.report.blank, got.report.lines) == (2, 5)


def test_a_file_whose_only_line_ends_are_carriage_returns_is_read_as_such(read):
    got = read((HEAD + "B0INV00001,Basket,24.99,USD\nB0INV00002,Hook,5,USD\n").replace("\n", "\r"))
    assert [(row["product_id"], row["line"], row["byte_offset"]) for row in got.rows] == [
        ("B0INV00001", 2, 32),
        ("B0INV00002", 3, 60),
    ]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_tells_the_encoding(read, codec):
    content = (HEAD + "B0INV00001,Körbe 🐾,24.99,USD\nB0INV00002,Hook,5,USD\n").encode(codec)
    got = read(content)
    assert [row["title"] for row in got.rows] == ["Körbe 🐾", "Hook"]
    wanted = "B0INV00002".encode("utf-16-le" if codec == "utf-16" else "utf-8")
    assert content[got.rows[1]["byte_offset"] :].startswith(wanted)


def test_one_invalid_byte_sets_its_line_aside(read):
    got = read((HEAD + "B0INV00001,Basket,24.99,USD\n").encode() + b"B0INV00002,H\xffok,5,USD\n")
    assert len(got.rows) == 1
    assert [(row["line"], row["kind"]) for row in got.aside] == [(3, "encoding")]


def test_a_file_in_another_encoding_is_refused_with_the_key_to_declare(read):
    lines = "".join(f"B0INV{i:05},Körbe,5,USD\n" for i in range(9))
    with pytest.raises(DumpError, match="declare its `encoding` for canonical-candidates"):
        read((HEAD + lines).encode("cp1252"))


def test_the_plan_may_declare_the_encoding(read, context):
    from dataclasses import replace

    plan = replace(context, declared={"canonical-candidates": {"encoding": "cp1252"}})
    got = read((HEAD + "B0INV00001,Körbe,5,USD\n").encode("cp1252"), plan=plan)
    assert got.rows[0]["title"] == "Körbe" and got.report.encoding == "cp1252"


def test_a_canonical_file_without_its_last_line_end_is_refused(read):
    with pytest.raises(DumpError, match=r"dump\.csv: cut off, the last line has no end; wait for the upload"):
        read(HEAD + "B0INV00001,Basket,24.99,USD")


def test_an_empty_file_is_refused(read):
    with pytest.raises(DumpError, match="empty"):
        read("")


def test_a_header_without_rows_is_no_error(read):
    got = read(HEAD)
    assert (got.report.rows, got.report.lines, got.report.warnings) == (0, 1, ["no rows"])
