"""How a week puts its prices and offers together before any stage sees them."""

import datetime as dt

import pandas as pd
import pyarrow as pa

from pipeline.frames import to_frame
from pipeline.stages.repeats import without_repeats
from pipeline.tables import ORIGIN, PRICE_HISTORY, schema
from pipeline.week import one_price_a_day, with_earlier_weeks

DAY = dt.date(2026, 11, 20)


def prices(*rows):
    """(days after DAY, price) or (days, price, file) of one product."""
    told = [
        {"marketplace": "US", "product_id": "P", "currency": "USD", "date": DAY + dt.timedelta(days=row[0]), "price_cents": row[1],
         "file": (*row, "a.csv")[2], "line": place}
        for place, row in enumerate(rows)
    ]  # fmt: skip
    return to_frame(pa.Table.from_pylist(told, schema=schema(PRICE_HISTORY + ORIGIN)))


def told(frame):
    values = frame["price_cents"].astype(object).where(frame["price_cents"].notna(), None)
    return [((day - DAY).days, price) for day, price in zip(frame["date"], values, strict=True)]


def test_of_two_prices_of_a_day_the_lower_is_taken_and_the_other_counted():
    for rows in ([(0, 2500), (0, 1900, "b.csv")], [(0, 1900, "b.csv"), (0, 2500)]):
        history, superseded = one_price_a_day(prices(*rows), prices())
        assert told(history) == [(0, 1900)] and superseded == {"a.csv": 1}


def test_a_price_stands_before_being_out_of_stock_on_the_same_day():
    assert told(one_price_a_day(prices((0, None), (0, 2500)), prices())[0]) == [(0, 2500)]


def test_a_price_history_stands_before_own_orders_even_when_these_are_cheaper():
    history, superseded = one_price_a_day(prices((0, 2500)), prices((0, 1000), (1, 1100)))
    assert told(history) == [(0, 2500), (1, 1100)] and superseded == {}


def test_on_the_same_day_the_newest_dump_wins_even_when_it_is_dearer_or_out_of_stock():
    kept = pd.concat(
        [prices((0, 1000), (1, 1100), (2, 1200)).assign(generation=1), prices((0, 900), (1, 950), (-1, 800)).assign(generation=0)]
    )
    assert told(with_earlier_weeks(prices((0, 3000), (2, None)), kept)) == [(-1, 800), (0, 3000), (1, 1100), (2, None)]


def test_without_earlier_weeks_this_week_s_prices_stand():
    assert told(with_earlier_weeks(prices((0, 3000)), prices().assign(generation=[]))) == [(0, 3000)]


def test_a_row_that_its_file_tells_twice_is_dropped_and_counted_and_that_of_another_file_is_not():
    rows, repeats = without_repeats(prices((0, 1), (0, 1), (0, 1, "b.csv"), (0, 2), (0, 1)))
    assert rows["line"].tolist() == [0, 2, 3] and repeats == {"a.csv": 2}
