"""Fees of fulfilment by Amazon: the two cards as tables, every step and tier from both sides of its edge, and the worked examples."""

import datetime as dt

import numpy as np
import pytest

from pipeline.config.files import load_configs
from pipeline.costs.fulfilment import cards_in_force, parse_cards

CONFIGS = load_configs()
CARDS = parse_cards(CONFIGS.card_tables, CONFIGS.digits)
SMALL, LARGE = (15, 12, 0.75), (10, 8, 1)  # inches; the larger one has 80 cubic inches, 9.2 ounces by volume
FLAT = (17, 2, 1)  # large standard by its length; 34 cubic inches, 3.9 ounces by volume

# Tier, inches, ounces up to and included, fee under 10 dollars, from 10 to 50, above 50. On 2026-03-01: no surcharge, no peak.
CARD_2026 = """
small_standard  SMALL   2  2.43  3.32  3.58
small_standard  SMALL   4  2.49  3.42  3.68
small_standard  SMALL   6  2.56  3.45  3.71
small_standard  SMALL   8  2.66  3.54  3.80
small_standard  SMALL  10  2.77  3.68  3.94
small_standard  SMALL  12  2.82  3.78  4.04
small_standard  SMALL  14  2.92  3.91  4.17
small_standard  SMALL  16  2.95  3.96  4.22
large_standard  FLAT    4  2.91  3.73  3.99
large_standard  FLAT    8  3.13  3.95  4.21
large_standard  FLAT   12  3.38  4.20  4.46
large_standard  FLAT   16  3.78  4.60  4.86
large_standard  FLAT   20  4.22  5.04  5.30
large_standard  FLAT   24  4.60  5.42  5.68
large_standard  FLAT   28  4.75  5.57  5.83
large_standard  FLAT   32  5.00  5.82  6.08
large_standard  FLAT   36  5.10  5.92  6.18
large_standard  FLAT   40  5.28  6.10  6.36
large_standard  FLAT   44  5.44  6.26  6.52
large_standard  FLAT   48  5.85  6.67  6.93
large_standard  FLAT   52  6.23  7.05  7.31
large_standard  FLAT   56  6.31  7.13  7.39
"""
CARD_2024 = """
small_standard  SMALL   2  2.29  3.06
small_standard  SMALL   4  2.38  3.15
small_standard  SMALL   6  2.47  3.24
small_standard  SMALL   8  2.56  3.33
small_standard  SMALL  10  2.66  3.43
small_standard  SMALL  12  2.76  3.53
small_standard  SMALL  14  2.83  3.60
small_standard  SMALL  16  2.88  3.65
large_standard  FLAT    4  2.91  3.68
large_standard  FLAT    8  3.13  3.90
large_standard  FLAT   12  3.38  4.15
large_standard  FLAT   16  3.78  4.55
large_standard  FLAT   20  4.22  4.99
large_standard  FLAT   24  4.60  5.37
large_standard  FLAT   28  4.75  5.52
large_standard  FLAT   32  5.00  5.77
large_standard  FLAT   36  5.10  5.87
large_standard  FLAT   40  5.28  6.05
large_standard  FLAT   44  5.44  6.21
large_standard  FLAT   48  5.85  6.62
large_standard  FLAT   52  6.23  7.00
"""
STEPS_2026 = [line.split() for line in CARD_2026.strip().splitlines()]
STEPS_2024 = [line.split() for line in CARD_2024.strip().splitlines()]


def fee(ounces, inches, price, day="2026-03-01"):
    """(fee in dollars, tier) of one parcel."""
    card = cards_in_force(CARDS, dt.date.fromisoformat(day))["US"]
    sides = np.array([inches], dtype=float) * 25.4
    cents, tier = card.fee(np.array([round(price * 100)]), np.array([ounces * 28.349523125]), sides)
    return (cents[0] / 100, card.tiers[tier[0]].key) if tier[0] >= 0 else (None, None)


@pytest.mark.parametrize(("steps", "day", "prices"), [
    (STEPS_2026, "2026-03-01", (9.99, 25.00, 50.01)),
    (STEPS_2024, "2025-06-01", (9.99, 10.00)),
])  # fmt: skip
def test_each_step_of_the_standard_tiers_holds_to_its_edge_and_the_next_behind_it(steps, day, prices):
    for place, (tier, size, ounces, *fees) in enumerate(steps):
        inches = SMALL if size == "SMALL" else FLAT
        for price, wanted in zip(prices, fees, strict=True):
            assert fee(int(ounces), inches, price, day) == (float(wanted), tier)
            if place + 1 < len(steps) and steps[place + 1][0] == tier:
                following = float(steps[place + 1][3 + prices.index(price)])
                assert fee(int(ounces) + 0.01, inches, price, day) == (following, tier)


@pytest.mark.parametrize(("price", "wanted"), [(9.99, 2.49), (10.00, 3.42), (50.00, 3.42), (50.01, 3.68)])
def test_both_ends_of_the_middle_price_band_are_in_it(price, wanted):
    assert fee(4, SMALL, price) == (wanted, "small_standard")


# Ounces, inches, fee at 25 dollars, tier: sizes and weights from both sides of each limit (2026-03-01).
EDGES = [
    (16, (15, 12, 0.75), 3.96, "small_standard"),
    (16.01, (15, 12, 0.75), 5.04, "large_standard"),  # 135 cubic inches are 15.5 ounces: the weight counts, up to 1.25 lb
    (4, (15.01, 12, 0.75), 4.60, "large_standard"),  # volume 135.1 / 139 lb = 15.55 oz
    (4, (15, 12.01, 0.75), 4.60, "large_standard"),
    (4, (15, 12, 0.76), 4.60, "large_standard"),  # 136.8 / 139 = 15.7 oz
    (4, (0.75, 15, 12), 3.42, "small_standard"),  # sides in any order
    (320, (18, 14, 8), 12.41, "large_standard"),  # 20 lb: 6.97 + 17 x 4 quarters x 0.08
    (320.01, (18, 14, 8), 15.15, "small_bulky"),  # 21 lb: 7.55 + 20 x 0.38
    (320, (18.01, 14, 8), 14.77, "small_bulky"),  # 20 lb: 7.55 + 19 x 0.38
    (320, (18, 14.01, 8), 14.77, "small_bulky"),
    (320, (18, 14, 8.01), 14.77, "small_bulky"),
    (16, (20, 10, 1), 8.31, "small_bulky"),  # two inches high at least: 400 / 139 = 2.9 lb: 7.55 + 2 x 0.38
    (16, (37, 2, 2), 7.93, "small_bulky"),  # 148 / 139 lb: 7.55 + 0.38
    (16, (37.01, 2, 2), 9.73, "large_bulky"),
    (16, (59, 2, 2), 9.73, "large_bulky"),  # 236 / 139 = 1.7 lb: 9.35 + 0.38
    (16, (59.01, 2, 2), 26.71, "extra_large_50"),
    (800, (40, 10, 10), 27.97, "large_bulky"),  # 50 lb: 9.35 + 49 x 0.38
    (800.01, (40, 10, 10), 37.32, "extra_large_70"),  # up to 51 lb
    (816, (40, 10, 10), 37.32, "extra_large_70"),
    (816.01, (40, 10, 10), 38.07, "extra_large_70"),
    (1120, (40, 10, 10), 51.57, "extra_large_70"),  # 70 lb: 37.32 + 19 x 0.75
    (1120.01, (40, 10, 10), 51.32, "extra_large_150"),
    (2400, (40, 10, 10), 110.57, "extra_large_150"),  # 150 lb: 51.32 + 79 x 0.75
    (2400.01, (40, 10, 10), 194.95, "extra_large_over"),
    (2416.01, (40, 10, 10), 195.14, "extra_large_over"),
    (16, (96, 2, 2), 27.09, "extra_large_50"),  # 384 / 139 = 2.8 lb: 26.33 + 2 x 0.38
    (16, (96.01, 2, 2), None, None),  # a further fee that is not recorded
    (16, (58, 34, 2), 36.97, "extra_large_50"),  # length and girth 58 + 2 x 36 = 130; 3944 / 139 = 28.4 lb: 26.33 + 28 x 0.38
    (16, (58, 34, 2.01), None, None),
    (16, (57, 33, 2), 19.61, "large_bulky"),  # 3762 / 139 = 27.1 lb: 9.35 + 27 x 0.38
    (float("nan"), (10, 8, 1), None, None),
    (4, (float("nan"), 8, 1), None, None),
]


@pytest.mark.parametrize(("ounces", "inches", "wanted", "tier"), EDGES)
def test_each_tier_ends_where_the_card_says(ounces, inches, wanted, tier):
    assert fee(ounces, inches, 25.00) == (None if wanted is None else pytest.approx(wanted), tier)


@pytest.mark.parametrize(("day", "wanted"), [("2026-06-15", 3.54), ("2026-03-01", 3.42), ("2025-06-01", 3.15)])
def test_the_worked_example_by_day(day, wanted):
    # Small standard, 3.4 oz, 25.00 dollars: 3.42 + 3.5 % (0.1197, so 0.12); before 17 April 2026 without it; the card before: 3.15
    assert fee(3.4, (6, 4, 0.5), 25.00, day) == (wanted, "small_standard")


@pytest.mark.parametrize(("day", "wanted"), [("2026-04-16", 2.91), ("2026-04-17", 3.01), ("2026-01-15", 2.91), ("2026-01-14", 2.91)])
def test_the_surcharge_begins_on_its_day_and_the_check_value_of_a_real_report_is_met(day, wanted):
    # Large standard, 4 oz, under 10 dollars: 2.91, and 3.5 % of it, 0.10185, is 0.10
    assert fee(4, FLAT, 9.00, day)[0] == wanted


@pytest.mark.parametrize(("ounces", "wanted"), [(801, 40.87), (816, 40.87), (816.01, 41.62), (1121, 55.56), (2401, 195.14)])
def test_the_card_of_2024_counts_pounds_over_the_tier_s_own_limit(ounces, wanted):
    # 51 lb: 40.12 + 0.75; 52 lb: + 1.50; 71 lb: 54.81 + 0.75; 151 lb: 194.95 + 0.19
    assert fee(ounces, (40, 10, 10), 25.00, "2025-06-01")[0] == pytest.approx(wanted)


def test_before_the_first_card_there_is_none():
    assert cards_in_force(CARDS, dt.date(2024, 4, 14)) == {}
    assert cards_in_force(CARDS, dt.date(2026, 1, 14))["US"].id == "us-fba-2024"
    assert cards_in_force(CARDS, dt.date(2026, 1, 15))["US"].id == "us-fba-2026"


@pytest.mark.parametrize(("day", "said"), [("2026-10-14", False), ("2026-10-15", True), ("2027-01-14", True), ("2027-01-15", False)])
def test_in_the_peak_season_the_card_says_that_its_fee_is_not_known(day, said):
    assert bool(cards_in_force(CARDS, dt.date.fromisoformat(day))["US"].note) is said
