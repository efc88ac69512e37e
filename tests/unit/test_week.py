"""How a week puts its prices and offers together before any stage sees them."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.stages.prices.arrays import packed
from pipeline.stages.records.duplicates import without_repeats
from pipeline.tables.frames import to_frame
from pipeline.tables.price_rows import PriceRows
from pipeline.tables.schemas import ORIGIN, PRICE_HISTORY, schema
from pipeline.week import PriceFile, one_price_a_day, with_earlier_weeks

DAY = dt.date(2026, 11, 20)


def prices(*rows):
    """(days after DAY, price) or (days, price, file) of one product."""
    told = [
        {"marketplace": "US", "product_id": "P", "currency": "USD", "date": DAY + dt.timedelta(days=row[0]), "price_cents": row[1],
         "file": (*row, "a.csv")[2], "line": place}
        for place, row in enumerate(rows)
    ]  # fmt: skip
    return to_frame(pa.Table.from_pylist(told, schema=schema(PRICE_HISTORY + ORIGIN)))


def files(*rows):
    """The same rows as the prices of the files that tell them."""
    table = pa.Table.from_pandas(prices(*rows), preserve_index=False)
    names = sorted({*table["file"].to_pylist()})
    return [PriceFile(name, "US", packed(table.filter(pc.equal(table["file"], name))).rows["US"]) for name in names]


def told(known):
    rows = known.get("US", PriceRows.none())
    day = (DAY - dt.date(1970, 1, 1)).days
    return [(date - day, cents or None) for date, cents in zip(rows.day.tolist(), rows.cents.tolist(), strict=True)]


def kept(*rows_and_generation):
    """Prices of earlier weeks as the store hands them out."""
    parts = [(files(*rows)[0].rows, generation) for generation, rows in rows_and_generation]
    return {"US": (PriceRows.of([part for part, _ in parts]), np.repeat([g for _, g in parts], [len(part) for part, _ in parts]))}


def test_of_two_prices_of_a_day_the_lower_is_taken_and_the_other_counted():
    for rows in ([(0, 2500), (0, 1900, "b.csv")], [(0, 1900, "b.csv"), (0, 2500)]):
        history, repeats, superseded = one_price_a_day(files(*rows), prices())
        assert told(history) == [(0, 1900)] and superseded == {"a.csv": 1} and repeats == {}


def test_a_price_stands_before_being_out_of_stock_on_the_same_day():
    assert told(one_price_a_day(files((0, None), (0, 2500)), prices())[0]) == [(0, 2500)]


def test_a_price_history_stands_before_own_orders_even_when_these_are_cheaper():
    history, _, superseded = one_price_a_day(files((0, 2500)), prices((0, 1000), (1, 1100)))
    assert told(history) == [(0, 2500), (1, 1100)] and superseded == {}


def test_on_the_same_day_the_newest_dump_wins_even_when_it_is_dearer_or_out_of_stock():
    earlier = kept((202602, [(0, 1000), (1, 1100), (2, 1200)]), (202601, [(0, 900), (1, 950), (-1, 800)]))
    own = one_price_a_day(files((0, 3000), (2, None)), prices())[0]
    assert told(with_earlier_weeks(own, earlier)) == [(-1, 800), (0, 3000), (1, 1100), (2, None)]


def test_without_earlier_weeks_this_week_s_prices_stand():
    assert told(with_earlier_weeks(one_price_a_day(files((0, 3000)), prices())[0], {})) == [(0, 3000)]


def test_earlier_weeks_stand_where_this_dump_tells_no_price_of_a_marketplace():
    assert told(with_earlier_weeks({}, kept((202601, [(0, 900)])))) == [(0, 900)]


def test_price_rows_that_a_file_tells_twice_are_dropped_and_counted_and_those_of_another_file_gave_way():
    rows = (0, 1), (0, 1), (0, 1, "b.csv"), (0, 2), (0, 1)
    history, repeats, superseded = one_price_a_day(files(*rows), prices())
    assert told(history) == [(0, 1)] and repeats == {"a.csv": 2} and superseded == {"a.csv": 1, "b.csv": 1}


def test_a_row_that_its_file_tells_twice_is_dropped_and_counted_and_that_of_another_file_is_not():
    rows, repeats = without_repeats(prices((0, 1), (0, 1), (0, 1, "b.csv"), (0, 2), (0, 1)))
    assert rows["line"].tolist() == [0, 2, 3] and repeats == {"a.csv": 2}
