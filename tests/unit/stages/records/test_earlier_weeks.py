"""What earlier weeks told of orders, returns and deliveries, beside this week's."""

import datetime as dt

import pandas as pd
import pyarrow as pa

from pipeline.stages.records.earlier_weeks import counted, known_deliveries, known_orders, known_returns, without_exact_repeats
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import DELIVERIES, ORDERS, ORIGIN, RETURNS, schema

DAY = dt.date(2026, 11, 1)


def orders(*rows):
    """(order, quantity, is a return)"""
    told = [{"marketplace": "US", "product_id": "P", "order_id": order, "quantity": quantity, "is_return": back, "file": "own.csv", "line": 2}
            for order, quantity, back in rows]  # fmt: skip
    return to_frame(pa.Table.from_pylist(told, schema=schema(ORDERS + ORIGIN)))


def deliveries(*rows):
    """(days until promised, days until shipped or None)"""
    told = [{"supplier_id": "S", "promised_date": DAY + dt.timedelta(days=promised),
             "shipped_date": None if shipped is None else DAY + dt.timedelta(days=shipped)} for promised, shipped in rows]  # fmt: skip
    return to_frame(pa.Table.from_pylist(told, schema=schema(DELIVERIES)))


def lines(frame):
    back = frame["is_return"].astype(object).where(frame["is_return"].notna(), None)
    return sorted((o, int(q), bool(b)) for o, q, b in zip(frame["order_id"], frame["quantity"], back, strict=True))


def parcels(frame):
    shipped = frame["shipped_date"].astype(object).where(frame["shipped_date"].notna(), None)
    told = [((p - DAY).days, None if s is None else (s - DAY).days) for p, s in zip(frame["promised_date"], shipped, strict=True)]
    return sorted(told, key=str)


def kept_orders(generation, *rows):
    return without_exact_repeats(orders(*rows), ORDERS).assign(generation=generation)


def kept_deliveries(generation, *rows):
    return counted(deliveries(*rows)).assign(generation=generation)


def test_without_earlier_weeks_this_dump_stands_untouched():
    own = orders(("a", 1, None))
    assert known_orders(kept_orders(1).iloc[:0], own) is own


def test_orders_that_this_dump_does_not_name_still_stand_and_those_that_it_names_are_told_anew():
    kept = pd.concat([kept_orders(1, ("a", 1, None), ("b", 1, None)), kept_orders(2, ("b", 5, None), ("c", 1, None))])
    assert lines(known_orders(kept, orders(("c", 9, None), ("d", 1, None)))) == [
        ("a", 1, False), ("b", 5, False), ("c", 9, False), ("d", 1, False),
    ]  # fmt: skip


def test_a_return_line_does_not_take_the_place_of_its_sale():
    kept = kept_orders(1, ("a", 2, None))
    assert lines(known_orders(kept, orders(("a", 1, True)))) == [("a", 1, True), ("a", 2, False)]


def test_two_lines_of_an_order_stay_two_and_exact_repeats_one():
    assert lines(without_exact_repeats(orders(("a", 1, None), ("a", 2, None), ("a", 1, None)), ORDERS)) == [
        ("a", 1, False),
        ("a", 2, False),
    ]


def test_a_period_told_again_counts_as_the_newest_dump_says():
    def report(sold):
        row = {"marketplace": "US", "product_id": "P", "period_start": DAY, "period_end": DAY + dt.timedelta(days=6), "sold_orders": sold}
        return to_frame(pa.Table.from_pylist([row], schema=schema(RETURNS + ORIGIN)))

    kept = without_exact_repeats(report(30), RETURNS).assign(generation=202601)
    assert known_returns(kept, report(20))["sold_orders"].tolist() == [20]
    assert known_returns(kept, report(20).iloc[:0])["sold_orders"].tolist() == [30]


def test_parcels_of_earlier_weeks_stand_and_equal_ones_count_as_often_as_one_week_told_them():
    kept = pd.concat([kept_deliveries(1, (1, 1), (1, 1), (2, 2)), kept_deliveries(2, (1, 1), (3, 3))])
    assert parcels(known_deliveries(kept, deliveries((3, 3), (3, 3), (4, 9)))) == [(1, 1), (1, 1), (2, 2), (3, 3), (3, 3), (4, 9)]


def test_a_parcel_that_had_not_left_gives_way_to_later_word_and_stands_without_it():
    kept = kept_deliveries(1, (1, None), (2, None))
    assert parcels(known_deliveries(kept, deliveries((1, 5)))) == [(1, 5), (2, None)]
