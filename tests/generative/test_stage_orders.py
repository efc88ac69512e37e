"""Order lines in any order tell the same, and which sale came back is what a slow and obvious twin says."""

import datetime as dt

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.records.orders import order_facts
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import ORDERS, ORIGIN, schema

TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days
WINDOW = 60
LINES = st.lists(
    st.fixed_dictionaries(
        {
            "product_id": st.sampled_from(["P", "Q"]),
            "order_id": st.sampled_from(["1", "2", "3", "4", "5"]),
            "ago": st.integers(-2, 90),
            "hour": st.sampled_from([0, 12]),
            "quantity": st.integers(1, 4),
            "unit_price_cents": st.sampled_from([1000, 1500, 2000]),
            "title": st.sampled_from([None, "One", "Two"]),
            "customer_key": st.sampled_from([None, 7, 8]),
            "is_return": st.sampled_from([False, False, True]),
            "returned_order_id": st.sampled_from([None, None, "1", "2"]),
            "returned_ago": st.sampled_from([None, None, None, 3, 70]),
            "file": st.sampled_from(["a.csv", "b.csv"]),
        }
    ),
    max_size=14,
)


def rows_of(lines):
    rows = []
    for place, entry in enumerate(lines):
        day = TODAY - dt.timedelta(days=entry["ago"])
        came = entry["returned_ago"]
        told = {name: value for name, value in entry.items() if name not in ("ago", "hour", "returned_ago")}
        told |= {"ordered_at": dt.datetime.combine(day, dt.time(entry["hour"])), "line": place + 2, "byte_offset": 90 * place}
        told |= {"marketplace": "US", "currency": "USD", "source": "s"}
        told |= {"returned_at": TODAY - dt.timedelta(days=came) if came is not None and not entry["is_return"] else None}
        told |= {"order_id": f"C{entry['order_id']}" if entry["is_return"] else entry["order_id"]}
        rows.append(told)
    return rows


def facts(rows):
    return order_facts(to_frame(pa.Table.from_pylist(rows, schema=schema(ORDERS + ORIGIN))), AS_OF, WINDOW, 30)


def grouped(lines):
    """(product, order) -> its day, instant, units, customer, link and whether the sale says that it came back."""
    orders = {}
    for row in lines:
        key = row["product_id"], row["order_id"]
        entry = orders.setdefault(key, {"at": row["ordered_at"], "units": 0, "customer": 0, "link": "", "said": False})
        entry["at"] = min(entry["at"], row["ordered_at"])
        entry["units"] += row["quantity"]
        entry["customer"] = max(entry["customer"], row["customer_key"] or 0)
        entry["link"] = max(entry["link"], row["returned_order_id"] or "")
        entry["said"] |= row["returned_at"] is not None
    return orders


def twin(rows):
    """Product -> (mature orders, of them came back): one return after the other, one sale after the other."""
    distinct = {
        tuple(value for name, value in sorted(row.items(), key=str) if name not in ("file", "line", "byte_offset")): row for row in rows
    }
    lines = [row for row in distinct.values() if row["ordered_at"].date() <= TODAY]
    sales, returns = grouped([r for r in lines if not r["is_return"]]), grouped([r for r in lines if r["is_return"]])
    came_back = {key for key, sale in sales.items() if sale["said"]}
    left = {key: sale["units"] for key, sale in sales.items()}
    waiting = []
    for (product, order), back in sorted(returns.items(), key=lambda item: (item[1]["at"], item[0])):
        linked = product, back["link"] or order
        if linked in sales:
            came_back.add(linked)
            left[linked] -= back["units"]
        else:
            waiting.append((product, back))
    for product, back in waiting:
        own = [
            key
            for key, sale in sales.items()
            if key[0] == product and sale["customer"] == back["customer"] != 0 and sale["at"] <= back["at"]
        ]
        own.sort(key=lambda key: (sales[key]["at"], key), reverse=True)
        enough = [key for key in own if left[key] >= back["units"]]
        rest = back["units"]
        for key in enough[:1] or own:
            taken = min(rest, max(left[key], 0))
            if taken:
                came_back.add(key)
                left[key] -= taken
                rest -= taken
    mature = [key for key, sale in sales.items() if (TODAY - sale["at"].date()).days > WINDOW]
    products = {row["product_id"] for row in lines}
    return {p: (sum(k[0] == p for k in mature), sum(k[0] == p and k in came_back for k in mature)) for p in products}


@given(lines=LINES)
@settings(max_examples=40)
def test_the_orders_that_came_back_are_those_of_the_twin(lines):
    rows = rows_of(lines)
    counts = facts(rows).counts
    found = {
        product: (int(mature), int(back))
        for product, mature, back in zip(counts["product_id"], counts["mature_orders"], counts["mature_returned"], strict=True)
    }
    assert found == twin(rows)


@given(lines=LINES, dice=st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_lines_never_matters(lines, dice):
    rows = rows_of(lines)
    shuffled = dice.sample(rows, len(rows))
    one, other = facts(rows), facts(shuffled)
    pd.testing.assert_frame_equal(one.counts, other.counts)
    pd.testing.assert_frame_equal(one.history, other.history)
    # Where a line stood that was told several times is a test of its own, beside the other units.
    place = ["source", "file", "line", "byte_offset"]
    pd.testing.assert_frame_equal(one.candidates.drop(columns=place), other.candidates.drop(columns=place))
    assert one.repeats == other.repeats


@given(lines=LINES)
@settings(max_examples=20)
def test_no_more_orders_came_back_than_are_mature_and_no_more_are_mature_than_were_sold(lines):
    counts = facts(rows_of(lines)).counts
    assert (counts["mature_returned"] <= counts["mature_orders"]).all()
    assert (counts["mature_orders"] <= counts["own_sold_orders"]).all()


@given(lines=LINES)
@settings(max_examples=15)
def test_a_file_sent_twice_under_another_name_changes_no_count(lines):
    rows = rows_of(lines)
    again = [row | {"file": "copy.csv"} for row in rows]
    pd.testing.assert_frame_equal(facts(rows).counts, facts(rows + again).counts)
