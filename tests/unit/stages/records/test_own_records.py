"""What the seller's own records say: decisions that hide, quotes that hold, periods told once, suppliers that are late."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.config.files import load_plan
from pipeline.stages.offers.lateness import lateness_counts, supplier_lateness
from pipeline.stages.records.own_records import own_counts, period_counts, seller_marks
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, DELIVERIES, FLAG, LISTED, RETURNS, SELLER_DECISIONS, Column, schema

TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days
RULES = load_plan().rules
WEEKS = 12


def ago(days):
    return TODAY - dt.timedelta(days=days)


def table(columns, rows):
    return to_frame(pa.Table.from_pylist([{"marketplace": "US", "product_id": "P"} | row for row in rows], schema=schema(columns)))


def marks(*decisions, listed=(), products=("P",)):
    placed = table((*LISTED, Column("_listed", FLAG)), [row | {"_listed": True} for row in listed])
    candidates = table(CANDIDATES, [{"product_id": product} for product in products])
    found = seller_marks(candidates, table(SELLER_DECISIONS, decisions), placed, AS_OF, WEEKS).astype(object)
    return found.where(found.notna(), None).to_dict("records")


def mark(*decisions, **options):
    (found,) = marks(*decisions, **options)
    return found


def decision(word, days=7, **facts):
    return {"decision": word, "decided_on": ago(days) if days is not None else None} | facts


def test_without_a_decision_nothing_is_hidden_listed_or_quoted():
    assert mark() == {
        "decision": None,
        "hidden_by": None,
        "is_listed": False,
        "own_sku": None,
        "quoted_cost_cents": None,
        "own_quote_age_days": None,
    }


@pytest.mark.parametrize(("days", "hidden"), [(0, True), (83, True), (84, True), (85, False)])
def test_a_skip_hides_for_twelve_weeks(days, hidden):
    # 12 weeks are 84 days: the last of them still hides.
    assert (mark(decision("skip", days))["hidden_by"] is not None) == hidden


def test_a_skip_says_until_when():
    assert mark(decision("skip", 7))["hidden_by"] == f"decision skip: hidden until {ago(7 - 84)}"


@pytest.mark.parametrize(("until", "hidden"), [(1, False), (0, True), (-200, True)])
def test_a_skip_with_an_end_of_its_own_hides_until_that_day(until, hidden):
    assert (mark(decision("skip", 300, skip_until=ago(until)))["hidden_by"] is not None) == hidden


def test_a_skip_without_a_date_hides_until_it_is_changed():
    assert mark(decision("skip", None))["hidden_by"] == "decision skip: hidden until the decision is changed"


@pytest.mark.parametrize(("word", "why"), [("gated", "gated for this account"), ("ip_risk", "a risk of complaints"), ("stop", "stopped")])
def test_gated_risky_and_stopped_products_stay_hidden_for_good(word, why):
    assert mark(decision(word, 900))["hidden_by"] == f"decision {word}: {why}"


@pytest.mark.parametrize("word", ["test", "ask_quote", "quoted"])
def test_other_decisions_hide_nothing(word):
    assert (mark(decision(word))["hidden_by"], mark(decision(word))["decision"]) == (None, word)


def test_the_newest_decision_holds_whatever_their_order():
    for order in (1, -1):
        found = mark(*[decision("stop", 50), decision("test", 5), decision("skip", 20)][::order])
        assert (found["decision"], found["hidden_by"]) == ("test", None)


def test_a_dated_decision_stands_before_one_without_a_date():
    assert mark(decision("stop", None), decision("test", 50))["decision"] == "test"


def test_a_decision_of_tomorrow_does_not_hold_yet():
    assert mark(decision("stop", -1), decision("test", 9))["decision"] == "test"
    assert mark(decision("stop", -1))["decision"] is None


def test_a_decision_is_for_its_own_product_and_marketplace():
    found = marks(decision("stop", product_id="Q"), decision("stop", marketplace="DE"), products=("P", "Q"))
    assert [entry["decision"] for entry in found] == [None, "stop"]


def test_what_the_seller_decided_to_list_is_listed_already():
    found = mark(decision("list", own_sku="mine-1"))
    assert (found["is_listed"], found["hidden_by"], found["own_sku"]) == (True, "listed already", "mine-1")


def test_what_stands_among_the_listings_is_listed_already_under_its_own_number():
    found = mark(decision("test", own_sku="old"), listed=[{"own_sku": "mine-2"}])
    assert (found["is_listed"], found["hidden_by"], found["own_sku"]) == (True, "listed already", "mine-2")


def test_a_stop_says_why_a_listed_product_is_hidden():
    assert mark(decision("stop"), listed=[{"own_sku": "a"}])["hidden_by"] == "decision stop: stopped"


@pytest.mark.parametrize(("until", "cost"), [(None, 650), (0, 650), (-9, 650), (1, None)])
def test_a_quote_holds_until_its_last_day(until, cost):
    told = decision("quoted", quoted_cost_cents=650, quote_valid_until=None if until is None else ago(until))
    assert mark(told)["quoted_cost_cents"] == cost


def test_an_older_quote_does_not_outlive_a_newer_decision():
    assert mark(decision("quoted", 9, quoted_cost_cents=650), decision("ask_quote", 2))["quoted_cost_cents"] is None


# Periods of return reports


def period(start, end, sold, back, **facts):
    return {"period_start": ago(start), "period_end": ago(end), "sold_orders": sold, "returned_orders": back} | facts


def periods(*rows):
    found = period_counts(table(RETURNS, rows), AS_OF, 60)
    return [
        tuple(int(value) for value in row)
        for row in found[["own_sold_orders", "own_returned_orders", "mature_orders", "mature_returned"]].to_numpy()
    ]


def test_periods_add_up_and_only_those_that_ended_before_the_window_are_mature():
    assert periods(period(150, 121, 50, 3), period(120, 61, 40, 2), period(60, 30, 30, 1)) == [(120, 6, 90, 5)]


@pytest.mark.parametrize(("end", "mature"), [(60, 0), (61, 50)])
def test_a_period_is_mature_when_its_last_day_is_older_than_the_window(end, mature):
    assert periods(period(150, end, 50, 3))[0][2] == mature


def test_a_period_told_by_two_reports_counts_once_with_the_larger_number():
    for order in (1, -1):
        assert periods(*[period(150, 121, 50, 3), period(150, 121, 52, 2), period(120, 90, 10, 1)][::order]) == [(62, 3, 62, 3)]


def test_a_period_that_is_not_over_yet_is_not_used():
    assert periods(period(30, -1, 50, 3)) == []
    assert periods(period(30, 0, 50, 3)) == [(50, 3, 0, 0)]


def test_each_product_and_marketplace_has_its_own_periods():
    rows = [period(150, 121, 50, 3), period(150, 121, 40, 2, product_id="Q"), period(150, 121, 30, 1, marketplace="DE")]
    assert sorted(periods(*rows)) == [(30, 1, 30, 1), (40, 2, 40, 2), (50, 3, 50, 3)]


def test_a_period_inside_another_counts_once():
    assert periods(period(150, 61, 90, 6), period(120, 90, 30, 2)) == [(90, 6, 90, 6)]


COUNTS = [
    "own_sold_orders",
    "own_returned_orders",
    "own_orders_back",
    "own_sold_units",
    "own_returned_units",
    "mature_orders",
    "mature_returned",
    "recent_units",
]


def counts_of(**products):
    rows = [{"marketplace": "US", "product_id": name} | dict.fromkeys(COUNTS, value) for name, value in products.items()]
    frame = pd.DataFrame(rows, columns=["marketplace", "product_id", *COUNTS])
    return frame.astype({"marketplace": "str", "product_id": "str"} | dict.fromkeys(COUNTS, "Int64"))


def test_order_lines_stand_before_reports_and_are_never_added_to_them():
    candidates = table(CANDIDATES, [{"product_id": name} for name in "PQR"])
    found = own_counts(candidates, counts_of(P=5), counts_of(P=70, Q=80))
    assert found["mature_orders"].astype(object).where(found["mature_orders"].notna(), None).tolist() == [5, 80, None]
    assert found["own_monthly_units"].isna().tolist() == [False, True, True] and found["own_monthly_units"][0] == 5


# Lateness


def delivery(promised, shipped, supplier="S1"):
    day = None if shipped is None else ago(shipped)
    return {"supplier_id": supplier, "promised_date": None if promised is None else ago(promised), "shipped_date": day}


def lateness(*deliveries):
    rows = to_frame(pa.Table.from_pylist(list(deliveries), schema=schema(DELIVERIES)))
    found = lateness_counts(rows, AS_OF)
    return {name: (int(total), int(late)) for name, total, late in found[["supplier_id", "deliveries", "late_deliveries"]].to_numpy()}


@pytest.mark.parametrize(("shipped", "late"), [(11, 0), (10, 0), (9, 1), (0, 1), (None, 1), (-3, 1)])
def test_a_delivery_is_late_when_it_left_after_its_day_or_has_not_left_yet(shipped, late):
    assert lateness(delivery(10, shipped)) == {"S1": (1, late)}


def test_a_delivery_that_is_not_due_yet_tells_nothing():
    assert lateness(delivery(0, None), delivery(-5, None), delivery(0, 2)) == {}


def test_a_delivery_without_a_promise_tells_nothing():
    assert lateness(delivery(None, 5)) == {}


def test_deliveries_are_counted_per_supplier():
    rows = [delivery(10, 10), delivery(9, 8), delivery(8, 8, "S2"), delivery(7, None)]
    assert lateness(*rows) == {"S1": (3, 2), "S2": (1, 0)}


def test_the_chance_of_lateness_is_the_mean_of_a_weak_prior_and_the_counts():
    counts = lateness_counts(
        to_frame(pa.Table.from_pylist([delivery(10, 9), delivery(9, 9), delivery(8, 8)], schema=schema(DELIVERIES))), AS_OF
    )
    found = supplier_lateness(pd.DataFrame({"supplier_id": pd.Series(["S1", "S9", None, "S1"], dtype="str")}), counts, RULES)
    # 10 % of 10 deliveries before, then 1 of 3
    assert found["late_probability"].astype(object).where(found["late_probability"].notna(), None).tolist() == [2 / 13, 0.1, None, 2 / 13]
    assert found["deliveries"].isna().tolist() == [False, False, True, False]
    assert found["deliveries"].fillna(-1).tolist() == [3, 0, -1, 3] and found["late_deliveries"].fillna(-1).tolist() == [1, 0, -1, 1]


def test_no_deliveries_and_no_suppliers_are_no_error():
    assert lateness() == {}
    assert (
        len(
            supplier_lateness(
                pd.DataFrame({"supplier_id": pd.Series([], dtype="str")}),
                lateness_counts(to_frame(schema(DELIVERIES).empty_table()), AS_OF),
                RULES,
            )
        )
        == 0
    )
