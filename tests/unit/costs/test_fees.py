"""Referral fees against the official examples, at every step's edge, and what a wrong schedule is told."""

import copy
import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from pipeline.config.files import load_configs
from pipeline.costs.fees import fee_table, flat_line, half_up, in_force, parse_schedules
from pipeline.errors import PlanError

CONFIGS = load_configs()
SCHEDULES = parse_schedules(CONFIGS.fee_tables, CONFIGS.digits)
US = in_force(SCHEDULES, "US", dt.date(2026, 11, 22))
STEPPED = sorted(key for key, line in US.lines.items() if line.bounds)

# docs/fees.md, section 2: fee category, price, referral fee, refund fee, closing fee.
EXAMPLES = [
    "clothing_accessories        15.00    0.75   0.15  0",
    "clothing_accessories        15.01    1.50   0.30  0",
    "clothing_accessories        20.00    2.00   0.40  0",
    "clothing_accessories        20.01    3.40   0.68  0",
    "beauty_health_personal_care 10.00    0.80   0.16  0",
    "beauty_health_personal_care 10.01    1.50   0.30  0",
    "furniture                  200.00   30.00   5.00  0",
    "furniture                  300.00   40.00   5.00  0",
    "jewelry                    250.00   50.00   5.00  0",
    "jewelry                   1000.00   87.50   5.00  0",
    "electronics_accessories    100.00   15.00   3.00  0",
    "electronics_accessories    150.00   19.00   3.80  0",
    "home_kitchen                 1.99    0.30   0.06  0",
    "home_kitchen                 2.00    0.30   0.06  0",
    "clothing_accessories         5.00    0.30   0.06  0",
    "grocery_gourmet              2.00    0.16   0.03  0",
    "home_kitchen                20.00    3.00   0.60  0",
    "home_kitchen                29.99    4.50   0.90  0",
    "beauty_health_personal_care 10.49    1.57   0.31  0",
    "lawn_mowers_snow_throwers  500.00   75.00   5.00  0",
    "lawn_mowers_snow_throwers  500.01   40.00   5.00  0",
    "watches                   2000.00  255.00   5.00  0",
    "fine_art                  6000.00  605.00   5.00  0",
    "books                       10.00    1.50   0.30  1.80",
]

# docs/fees.md, section 1, the traps: what the seller keeps at a step's edge, and the first price that keeps as much again.
TRAPS = [
    ("clothing_accessories", "15.00", "14.25", "15.83"),
    ("clothing_accessories", "20.00", "18.00", "21.69"),
    ("baby", "10.00", "9.20", "10.82"),
    ("beauty_health_personal_care", "10.00", "9.20", "10.82"),
    ("grocery_gourmet", "15.00", "13.80", "16.23"),
]


def cents(text):
    return int(Decimal(text) * 100)


def referral(line, prices):
    """The program's fee of one line at many prices."""
    prices = np.asarray(prices, dtype=np.int64)
    return fee_table([(US, line)]).referral(prices, np.zeros(prices.shape, dtype=np.int64))


def decimal_fee(entry, price):
    """The slow twin: reads a line of the TOML file, reckons one price in major units, step by step."""
    price, rates = Decimal(price) / 100, [Decimal(str(rate)) for rate in entry["rates"]]
    bounds = [Decimal(str(bound)) for bound in entry.get("steps", [])] + [Decimal("Infinity")]
    step = next(place for place, bound in enumerate(bounds) if price <= bound)
    if entry["kind"] == "marginal":
        parts = [(min(price, high) - low) * rate for low, high, rate in zip([0, *bounds], bounds, rates, strict=False) if price > low]
        fee = sum(parts, Decimal(0))
    else:
        fee = price * rates[step]
    rounded = int((fee * 100).quantize(Decimal(1), ROUND_HALF_UP))
    return max(rounded, int(Decimal(str(entry.get("minimum", 0))) * 100))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: " ".join(text.split()[:2]))
def test_each_worked_example_of_the_fee_page_is_met_to_the_cent(example):
    key, price, fee, refund, closing = example.split()
    table, entry = fee_table([(US, US.lines[key])]), np.zeros(1, dtype=np.int64)
    charged = table.referral(np.array([cents(price)]), entry)
    assert charged.tolist() == [cents(fee)]
    assert table.refund(charged, entry).tolist() == [cents(refund)]
    assert table.closing.tolist() == [cents(closing)]


def test_all_twenty_four_examples_stand_in_the_table():
    assert len(EXAMPLES) == 24


@pytest.mark.parametrize("key", STEPPED)
def test_every_step_of_the_us_schedule_is_right_from_both_sides_of_its_edge(key):
    entry = CONFIGS.fee_tables["us"]["schedule"][0]["lines"][key]
    prices = [bound + near for bound in US.lines[key].bounds for near in (-1, 0, 1, 2, 50)]
    assert referral(US.lines[key], prices).tolist() == [decimal_fee(entry, price) for price in prices]


def test_every_us_line_agrees_with_the_slow_twin_over_the_whole_band_of_prices():
    prices = [*range(1, 400), *range(1900, 4200, 7), 9_999, 10_000, 10_001, 123_456]
    for key, entry in CONFIGS.fee_tables["us"]["schedule"][0]["lines"].items():
        assert referral(US.lines[key], prices).tolist() == [decimal_fee(entry, price) for price in prices], key


@pytest.mark.parametrize(("key", "edge", "kept", "again"), TRAPS)
def test_behind_a_cliff_the_seller_keeps_less_until_the_price_that_the_fee_page_names(key, edge, kept, again):
    prices = np.arange(cents(edge), cents(again) + 1)
    keeps = prices - referral(US.lines[key], prices)
    assert keeps[0] == cents(kept)
    assert (keeps[1:-1] < keeps[0]).all() and keeps[-1] >= keeps[0]


def test_the_refund_fee_is_capped_from_a_referral_fee_of_twenty_five_dollars_on():
    table, entry = fee_table([(US, US.lines["home_kitchen"])]), np.zeros(3, dtype=np.int64)
    # 20 % of 24.97 = 4.994, of 25.00 = 5.00, of 30.00 = 6.00
    assert table.refund(np.array([2497, 2500, 3000]), entry).tolist() == [499, 500, 500]


def test_several_lines_are_charged_in_one_column_each_by_its_own_entry():
    table = fee_table([(US, US.lines[key]) for key in ("fine_art", "clothing_accessories", "books")])
    entry, price = np.array([2, 0, 1, 0]), np.array([1000, 600_000, 1501, 10_000])
    assert table.referral(price, entry).tolist() == [150, 60_500, 150, 2000]


def test_half_up_means_up_for_losses_too():
    # 0.5 -> 1, -0.5 -> 0, -1.5 -> -1, 1.5 -> 2
    assert half_up(np.array([1, -1, -3, 3]), 2).tolist() == [1, 0, -1, 2]


def test_a_line_made_on_the_spot_has_one_rate_and_no_minimum():
    assert referral(flat_line("stated", 123_456), [100, 1]).tolist() == [12, 0]


def test_yen_has_no_decimals_so_a_yen_schedule_counts_whole_yen():
    japan = in_force(SCHEDULES, "JP", dt.date(2026, 11, 22))
    assert (japan.currency, japan.refund_cap, japan.fallback_ppm) == ("JPY", 500, 150_000)


def test_a_schedule_holds_on_its_first_day_and_not_the_day_before():
    assert in_force(SCHEDULES, "US", dt.date(2025, 1, 1)) is US
    assert in_force(SCHEDULES, "US", dt.date(2024, 12, 31)) is None
    assert in_force(SCHEDULES, "ZZ", dt.date(2026, 11, 22)) is None


def schedule(**changes):
    line = {"kind": "whole", "steps": [10.0], "rates": [0.08, 0.15], "minimum": 0.3, "mark": "[A]"}
    return {
        "id": "one", "valid_from": dt.date(2026, 1, 1), "fallback_rate": 0.15, "refund_share": 0.2, "refund_cap": 5.0,
        "source": "test", "lines": {"toys": line | changes.pop("line", {})},
    } | changes  # fmt: skip


def parsed(*schedules):
    return parse_schedules({"zz": {"code": "ZZ", "currency": "USD", "schedule": list(schedules)}}, {"USD": 2})


def without(entry, key):
    entry = copy.deepcopy(entry)
    (entry if key in entry else entry["lines"]["toys"]).pop(key)
    return entry


def test_two_schedules_may_follow_each_other_without_a_gap():
    first = schedule(valid_to=dt.date(2026, 6, 30))
    found = parsed(schedule(id="two", valid_from=dt.date(2026, 7, 1)), first)
    assert [in_force(found, "ZZ", dt.date(2026, 6, day)).id for day in (29, 30)] == ["one", "one"]
    assert in_force(found, "ZZ", dt.date(2026, 7, 1)).id == "two"


@pytest.mark.parametrize(
    ("schedules", "words"),
    [
        ([schedule(), schedule(id="two", valid_from=dt.date(2026, 7, 1))], "'one' and 'two' overlap in time; end the first on 2026-06-30"),
        ([schedule(valid_to=dt.date(2026, 7, 1)), schedule(id="two", valid_from=dt.date(2026, 7, 1))], "overlap in time"),
        (
            [schedule(valid_to=dt.date(2026, 6, 29)), schedule(id="two", valid_from=dt.date(2026, 7, 1))],
            "no schedule holds between 'one' and 'two'; end the first on 2026-06-30",
        ),
        ([schedule(line={"unknown": 3})], "unknown 3 is no text; say in words what is not known"),
        ([schedule(line={"steps": [10.0, 10.0], "rates": [0.1, 0.2, 0.3]})], "do not rise"),
        ([schedule(line={"steps": [20.0, 10.0], "rates": [0.1, 0.2, 0.3]})], "do not rise"),
        ([schedule(line={"steps": [0.0]})], "do not rise"),
        ([schedule(line={"steps": [-5.0]})], "do not rise"),
        ([schedule(line={"rates": [0.08, 15]})], "15 is no fraction; write 0.15 for 15 %"),
        ([schedule(line={"rates": [0.08, 1.0]})], "1.0 is no fraction"),
        ([schedule(line={"rates": [-0.01, 0.15]})], "-0.01 is no fraction"),
        ([schedule(line={"rates": [float("nan"), 0.15]})], "nan is no fraction"),
        ([schedule(fallback_rate=15)], "fallback_rate: 15 is no fraction"),
        ([schedule(refund_share=1.2)], "refund_share: 1.2 is no fraction"),
        ([schedule(line={"rates": [0.08]})], "1 steps and 1 rates"),
        ([schedule(line={"kind": "flat"})], "1 steps and 2 rates; wanted one rate more than steps, flat without steps"),
        ([schedule(line={"steps": [], "rates": [0.1]})], "0 steps and 1 rates"),
        ([schedule(line={"steps": [1.0, 2.0, 3.0, 4.0], "rates": [0.1, 0.2, 0.1, 0.2, 0.1]})], "4 steps and 5 rates"),
        ([schedule(line={"kind": "cliff"})], "kind 'cliff' is unknown; take flat, whole or marginal"),
        ([schedule(line={"minimun": 0.3})], "toys: unknown key 'minimun'; known: closing, kind"),
        ([schedule(fallback=0.1)], "unknown key 'fallback'"),
        ([without(schedule(), "rates")], "'rates' is missing"),
        ([without(schedule(), "valid_from")], "'valid_from' is missing"),
        ([without(schedule(), "id")], "schedule '(without id)': 'id' is missing"),
    ],
)
def test_a_wrong_schedule_is_refused_in_one_line_that_says_where_and_why(schedules, words):
    with pytest.raises(PlanError) as refused:
        parsed(*schedules)
    message = str(refused.value)
    assert words in message and message.startswith("plan refused: configs/marketplaces/zz.toml: ") and "\n" not in message


@pytest.mark.parametrize(
    "wrong",
    [
        schedule(line={"minimum": -1}),
        schedule(line={"closing": -1.80}),
        schedule(refund_cap=-5),
        schedule(refund_cap=float("inf")),
        schedule(valid_to=dt.date(2025, 12, 31)),
        schedule(valid_from="2026-01-01"),
        schedule(line={"rates": ["0.08", 0.15]}),
        schedule(line={"rates": 0.08}),
        schedule(line={"steps": [float("nan")]}),
        schedule(lines=[1]),
    ],
    ids=["minimum", "closing", "cap", "infinite", "backwards", "text for a date", "text for a rate", "one rate", "nan step", "lines"],
)
def test_a_value_of_the_wrong_kind_or_sign_is_refused_in_one_line(wrong):
    with pytest.raises(PlanError) as refused:
        parsed(wrong)
    assert "\n" not in str(refused.value)


def test_a_schedule_s_name_stands_once():
    with pytest.raises(PlanError, match="'one' stands twice"):
        parsed(schedule(valid_to=dt.date(2026, 6, 30)), schedule(valid_from=dt.date(2026, 7, 1)))
