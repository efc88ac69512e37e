"""One row per product: repeats are dropped, contradictions set aside, and files fill each other's gaps."""

import pyarrow as pa

from pipeline.stages.records.candidates import one_row_per_product
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, ORIGIN, schema


def row(price, file="a.csv", line=2, **facts):
    told = {"marketplace": "US", "product_id": "P", "currency": "USD", "price_cents": price}
    return told | {"source": "s", "file": file, "line": line, "byte_offset": 60 * line} | facts


def merged(*rows):
    return one_row_per_product(to_frame(pa.Table.from_pylist(list(rows), schema=schema(CANDIDATES + ORIGIN))))


def only(found):
    (record,) = found.candidates.to_dict("records")
    return record


def test_a_row_that_repeats_another_of_its_file_is_counted_and_dropped():
    found = merged(row(2000), row(2000, line=3), row(2000, line=4), row(2000, file="b.csv"), row(2000, file="b.csv", line=3))
    assert found.repeats == {"a.csv": 2, "b.csv": 1}
    assert only(found)["line"] == 2 and len(found.conflicts) == 0


def test_of_rows_that_contradict_each_other_in_a_file_the_lowest_price_is_kept():
    found = merged(row(2500), row(1900, line=3), row(2100, line=4))
    assert (only(found)["price_cents"], only(found)["line"]) == (1900, 3)


def test_the_others_are_set_aside_with_their_place_and_a_word_why():
    conflicts = merged(row(2500), row(1900, line=3), row(2100, line=4)).conflicts
    assert sorted(conflicts["line"]) == [2, 4] and set(conflicts["byte_offset"]) == {120, 240}
    assert set(conflicts["kind"]) == {"conflict"} and set(conflicts["column"]) == {"product_id"}
    assert "the product P stands in this file with other facts too" in conflicts["message"].iloc[0]


def test_a_row_with_a_price_stands_before_one_without():
    found = merged(row(None), row(9900, line=3))
    assert only(found)["price_cents"] == 9900 and found.conflicts["line"].tolist() == [2]


def test_a_row_set_aside_fills_no_gap_of_the_row_that_was_kept():
    found = merged(row(1900), row(2500, line=3, brand="Acme"))
    assert only(found)["brand"] != only(found)["brand"]  # missing


def test_at_the_same_price_what_the_rows_say_decides_and_not_where_they_stand():
    one, other = row(2000, title="Alpha"), row(2000, title="Beta", line=3)
    swapped = merged(one | {"line": 3}, other | {"line": 2})
    assert only(merged(one, other))["title"] == only(swapped)["title"] == "Alpha"


def test_across_files_the_better_row_takes_what_it_lacks_from_the_next():
    found = merged(
        row(2500, brand="Dear", monthly_sold=50, gtin="1"),
        row(1900, file="b.csv", brand="Cheap"),
        row(2100, file="c.csv", monthly_sold=70, is_hazmat=True),
    )
    record = only(found)
    assert (record["price_cents"], record["brand"], record["file"]) == (1900, "Cheap", "b.csv")
    assert (record["monthly_sold"], record["is_hazmat"], record["gtin"]) == (70, True, "1")
    assert len(found.conflicts) == 0 and found.repeats == {}


def test_a_price_is_filled_from_a_file_that_has_one():
    found = merged(row(None, title="From a"), row(1900, file="b.csv"))
    assert (only(found)["price_cents"], only(found)["title"]) == (1900, "From a")


def test_the_same_product_in_two_marketplaces_is_two_products():
    found = merged(row(2000), row(1500, line=3, marketplace="DE", currency="EUR"))
    assert found.candidates["marketplace"].tolist() == ["DE", "US"] and len(found.conflicts) == 0


def test_the_answer_is_sorted_by_marketplace_and_product():
    found = merged(
        row(1, product_id="Z"), row(1, product_id="A", line=3), row(1, product_id="M", file="b.csv"), row(2, product_id="Z", file="b.csv")
    )
    assert found.candidates["product_id"].tolist() == ["A", "M", "Z"]


def test_no_rows_are_no_error():
    found = merged()
    assert len(found.candidates) == len(found.conflicts) == len(found.repeats) == 0
