"""Order lines: what is a repeat, which sale came back, what is mature, what a day's price was."""

import datetime as dt

import pyarrow as pa
import pytest

from pipeline.stages.records.orders import order_facts
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import ORDERS, ORIGIN, schema

TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days
WINDOW, RECENT = 60, 30


def line(order, ago, quantity=1, **facts):
    """A line of product P, `ago` days before the as-of day at noon."""
    at = dt.datetime.combine(TODAY - dt.timedelta(days=ago), dt.time(12))
    return {
        "marketplace": "US", "product_id": "P", "order_id": order, "ordered_at": at, "quantity": quantity, "unit_price_cents": 2000,
        "currency": "USD", "customer_key": 7, "is_return": False, "source": "s", "file": "a.csv", "line": 2, "byte_offset": 50,
    } | facts  # fmt: skip


def back(order, ago, quantity=1, **facts):
    return line(order, ago, quantity, is_return=True, **facts)


def facts(*lines):
    return order_facts(to_frame(pa.Table.from_pylist(list(lines), schema=schema(ORDERS + ORIGIN))), AS_OF, WINDOW, RECENT)


def counts(*lines, product="P"):
    """Counts of a product, as plain numbers."""
    frame = facts(*lines).counts
    (row,) = frame[frame["product_id"] == product].to_dict("records")
    return {name: int(value) for name, value in row.items() if name not in ("marketplace", "product_id")}


def returned(*lines):
    """(mature orders, how many of them came back)."""
    found = counts(*lines)
    return found["mature_orders"], found["mature_returned"]


def test_a_line_that_repeats_another_of_its_file_is_counted_and_dropped():
    found = facts(line("1", 90), line("1", 90, line=3), line("1", 90, line=4))
    assert found.repeats == {"a.csv": 2}
    assert found.counts["own_sold_units"].tolist() == [1]


def test_a_line_told_by_two_files_is_one_line_and_no_repeat():
    found = facts(line("1", 90), line("1", 90, file="b.csv"))
    assert found.repeats == {}
    assert found.counts["own_sold_units"].tolist() == [1]


@pytest.mark.parametrize(
    "other", [{"unit_price_cents": 1999}, {"quantity": 2}, {"title": "other"}, {"customer_key": 8}, {"returned_at": TODAY}]
)
def test_lines_that_differ_in_one_column_are_no_repeats(other):
    assert facts(line("1", 90), line("1", 90) | other).repeats == {}


def test_evidence_is_orders_and_not_units():
    # One order of 40 units and one of two lines: two orders, 43 units.
    found = counts(line("1", 90, 40), line("2", 80, 1), line("2", 80, 2, unit_price_cents=1500))
    assert (found["own_sold_orders"], found["own_sold_units"], found["mature_orders"]) == (2, 43, 2)


def test_an_order_of_forty_units_that_came_back_is_one_returned_order():
    found = counts(line("1", 90, 40), back("C1", 80, 40))
    assert (found["own_returned_orders"], found["own_returned_units"], found["mature_returned"]) == (1, 40, 1)


@pytest.mark.parametrize(("ago", "mature"), [(59, 0), (60, 0), (61, 1), (200, 1)])
def test_an_order_is_mature_when_it_is_older_than_the_window(ago, mature):
    assert counts(line("1", ago))["mature_orders"] == mature


def test_a_return_of_a_young_order_is_no_mature_evidence_but_counts_as_returned():
    found = counts(line("1", 90), line("2", 20), back("C", 10))
    assert (found["mature_orders"], found["mature_returned"], found["own_returned_orders"]) == (1, 0, 1)


def test_a_return_is_matched_to_the_latest_earlier_sale():
    # The younger order came back, and it is not mature yet.
    assert returned(line("old", 90), line("new", 50), back("C", 40)) == (1, 0)


def test_a_sale_after_the_return_cannot_have_come_back():
    assert returned(line("old", 90), line("new", 62), back("C", 70)) == (2, 1)
    assert returned(line("new", 62), back("C", 70)) == (1, 0)


def test_a_sale_with_too_few_units_is_passed_over_for_an_earlier_one_with_enough():
    # Three units came back: the latest sale has 2, the earlier 5.
    assert returned(line("five", 90, 5), line("two", 80, 2), back("C", 70, 3)) == (2, 1)


def test_what_no_single_sale_holds_is_spread_backwards():
    # Six units came back of 5 and 2: both orders came back; of 9, 5 and 2 the single order of 9.
    assert returned(line("five", 90, 5), line("two", 80, 2), back("C", 70, 6)) == (2, 2)
    assert returned(line("nine", 95, 9), line("five", 90, 5), line("two", 80, 2), back("C", 70, 6)) == (3, 1)


def test_units_that_came_back_once_do_not_come_back_again():
    # The second return finds nothing left of the latest sale and takes the one before.
    assert returned(line("old", 90), line("new", 80), back("C1", 70), back("C2", 65)) == (2, 2)
    assert returned(line("old", 90), line("new", 80, 2), back("C1", 70), back("C2", 65)) == (2, 1)


@pytest.mark.parametrize("other", [{"customer_key": 8}, {"customer_key": None}, {"product_id": "Q"}, {"marketplace": "DE"}])
def test_a_return_of_another_customer_product_or_marketplace_matches_no_sale(other):
    found = facts(line("1", 90), back("C", 80) | other).counts
    assert found["mature_returned"].sum() == 0


def test_a_return_that_matches_no_sale_is_still_told_as_returned():
    found = counts(line("1", 90), back("C", 80, customer_key=8))
    assert (found["mature_returned"], found["own_returned_orders"]) == (0, 1)


def test_a_link_stands_before_the_search_and_needs_no_customer():
    linked = back("C", 80, returned_order_id="old", customer_key=None)
    assert returned(line("old", 95), line("new", 85), linked) == (2, 1)
    assert returned(line("old", 95), line("new", 50), linked) == (1, 1)


def test_a_return_line_with_the_sale_s_own_id_is_linked_by_it():
    assert returned(line("one", 95), line("two", 50), back("one", 40, customer_key=None)) == (1, 1)


def test_a_link_to_an_order_that_is_not_there_falls_back_to_the_search():
    assert returned(line("old", 90), back("C", 80, returned_order_id="nowhere")) == (1, 1)


def test_linked_units_are_gone_for_the_search():
    # The linked return takes the only unit of "new", so the other one must be of "old".
    assert returned(line("old", 95), line("new", 85), back("C1", 80, returned_order_id="new"), back("C2", 79)) == (2, 2)


def test_a_sale_may_say_itself_when_it_came_back():
    sale = line("1", 90, returned_at=TODAY - dt.timedelta(days=70))
    assert returned(sale, line("2", 90)) == (2, 1)
    assert counts(sale)["own_returned_orders"] == 1


def test_what_comes_back_after_the_as_of_day_is_not_known_yet():
    assert returned(line("1", 90, returned_at=TODAY + dt.timedelta(days=1))) == (1, 0)
    assert returned(line("1", 90, returned_at=TODAY)) == (1, 1)
    assert returned(line("1", 90), back("C", -1)) == (1, 0)


def test_lines_after_the_as_of_day_are_not_used():
    later = [line("2", -1, unit_price_cents=1), line("3", -20, product_id="NEW"), back("C", -2)]
    found, plain = facts(line("1", 90), *later), facts(line("1", 90))
    assert found.counts.equals(plain.counts)
    assert found.history.equals(plain.history)
    assert found.candidates.equals(plain.candidates)


def test_own_recent_units_are_those_of_the_last_days_returns_not_taken_off():
    # 30 days: day 0 to day 29 before the as-of day.
    found = counts(line("1", 30, 5), line("2", 29, 3), line("3", 0, 2), back("C", 1, 2))
    assert found["recent_units"] == 5


def test_a_day_s_price_is_the_lower_median_of_its_lines():
    prices = (3000, 1000, 2500, 2000)
    found = facts(*(line(str(price), 10, unit_price_cents=price) for price in prices)).history
    assert found["price_cents"].tolist() == [2000]
    assert found["date"].tolist() == [TODAY - dt.timedelta(days=10)]
    assert facts(*(line(str(price), 10, unit_price_cents=price) for price in prices[:3])).history["price_cents"].tolist() == [2500]


def test_each_day_and_product_has_its_own_price_and_returns_have_none():
    lines = [line("1", 10), line("2", 9, unit_price_cents=2100), line("3", 9, product_id="Q", unit_price_cents=5), back("C", 8)]
    found = facts(*lines).history
    assert list(zip(found["product_id"], found["price_cents"], strict=True)) == [("P", 2000), ("P", 2100), ("Q", 5)]


def test_a_product_that_only_orders_name_becomes_a_candidate_with_its_newest_title_and_price():
    lines = [
        line("1", 20, title="Old", unit_price_cents=1000), line("2", 5, title="New", unit_price_cents=3000, line=9),
        line("3", 5, unit_price_cents=2500, line=8), back("C", 1, title=None, unit_price_cents=1, line=7),
    ]  # fmt: skip
    (found,) = facts(*lines).candidates.to_dict("records")
    assert (found["title"], found["price_cents"], found["currency"]) == ("New", 2500, "USD")
    assert (found["file"], found["line"]) == ("a.csv", 2)


def test_the_place_of_a_line_told_twice_is_the_first_of_the_first_file_whatever_was_read_first():
    one, two = line("1", 10, line=2), line("1", 10, line=3)
    other = line("1", 10, line=9, file="b.csv")
    for lines in ((one, two, other), (other, two, one)):
        (found,) = facts(*lines).candidates.to_dict("records")
        assert (found["file"], found["line"]) == ("a.csv", 2)


def test_a_product_of_which_only_a_return_is_known_is_a_candidate_without_a_price():
    found = facts(back("C", 10))
    assert found.candidates["product_id"].tolist() == ["P"] and found.candidates["price_cents"].isna().all()
    assert found.counts["own_sold_orders"].tolist() == [0] and found.counts["own_returned_orders"].tolist() == [1]


def test_no_lines_are_no_error():
    found = facts()
    assert len(found.counts) == len(found.history) == len(found.candidates) == len(found.repeats) == 0


@pytest.mark.parametrize(
    "lines",
    [
        [line("1", 90, 2), back("C1", 80), back("C2", 79)],
        [line("1", 90, returned_at=TODAY - dt.timedelta(days=70)), back("C1", 70, returned_order_id="1")],
    ],
    ids=["one order back in two parcels", "told by the sale and by its return"],
)
def test_an_order_that_came_back_is_one_returned_order_however_often_it_is_told(lines):
    assert counts(*lines)["own_orders_back"] == 1
