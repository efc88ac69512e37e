"""Damage in the header itself: read only where nothing is left to guess."""

from __future__ import annotations

import pytest

from pipeline.errors import DumpError

NAMES = ("product_id", "title", "price", "currency")
ROWS = 'A,"Lamp, large",24.99,USD\nB,"Hook 2"" wide",5.00,USD\n'


@pytest.mark.parametrize("place", range(len(",".join(NAMES)) + 1))
def test_one_stray_quote_anywhere_in_the_header_loses_no_row(read, place):
    head = ",".join(NAMES)
    got = read(f'{head[:place]}"{head[place:]}\n{ROWS}')
    assert [(row["product_id"], row["title"], row["price_cents"]) for row in got.rows] == [
        ("A", "Lamp, large", 2499),
        ("B", 'Hook 2" wide', 500),
    ]
    assert (got.aside, got.report.header) == ([], 1)
    assert got.report.warnings == ["a quote in its header is never closed; the header was read without it"]


def test_a_stray_quote_in_a_header_that_nobody_knows_is_refused(read):
    with pytest.raises(DumpError, match="a quote in its header is never closed"):
        read(f'"product_id,title,prize,currency\n{ROWS}')


def test_a_stray_quote_that_swallows_records_is_refused(read):
    with pytest.raises(DumpError):
        read('"product_id,title,price,currency\nA,"Lamp,24.99,USD\nB,Hook,5.00,USD\n')


def test_rows_beside_a_header_of_another_width_are_set_aside(read):
    got = read('product_id,"title,price,currency\nA,24.99,USD\nB,Hook,5.00,USD\n')
    assert [row["product_id"] for row in got.rows] == ["B"]
    assert [(row["line"], row["kind"]) for row in got.aside] == [(2, "width")]


def test_a_page_of_html_is_not_told_that_it_lacks_what_it_has(read):
    with pytest.raises(DumpError, match="no source knows this header") as refused:
        read("<html><body>504 Gateway Timeout</body></html>\n")
    assert "the file has" not in str(refused.value)
