"""One order's lines: they add up to the cent, meet the worked examples, and solve backwards by hand."""

import datetime as dt

import numpy as np
import pytest

from pipeline.config.files import load_configs
from pipeline.costs.fees import fee_table, in_force, parse_schedules
from pipeline.stages.margin.order_profit import Limits, Target, Terms, cost_lines
from pipeline.stages.margin.solving import max_landed_cost, smallest_price

CONFIGS = load_configs()
US = in_force(parse_schedules(CONFIGS.fee_tables, CONFIGS.digits), "US", dt.date(2026, 11, 22))


def fees_of(*keys):
    return fee_table([(US, US.lines[key]) for key in keys])


def terms(landed, label=0, return_label=600, rate=0.0, entry=0, advertising=0.10, **other):
    """Terms of orders: scalars or lists, money in cents, shares as fractions."""
    named = [other.get(name, 0) for name in ("plan_fee", "goods_back", "restocking")]
    columns = np.broadcast_arrays(*(np.atleast_1d(value) for value in (landed, label, return_label, rate, entry, *named)))
    landed, label, return_label, rate, entry, plan_fee, goods_back, restocking = columns
    ppm = [round(share * 1_000_000) for share in (advertising, other.get("payment", 0), other.get("returnless", 0))]
    return Terms(
        landed, label, plan_fee, return_label, np.rint(rate * 1e9).astype(np.int64), np.rint(goods_back * 1e6).astype(np.int64),
        restocking, entry, *ppm,
    )  # fmt: skip


def limits(n=1, landed_share=0.50, gross=0.40, net=0.10, profit=300):
    return Limits(*(round(share * 1_000_000) for share in (landed_share, gross)), Target(round(net * 1_000_000), np.full(n, profit)))


def break_even_price(order, fees):
    return smallest_price(order, fees, Target(0, np.zeros(len(order.landed), dtype=np.int64)))


@pytest.mark.parametrize(("rate", "profit"), [(0.0, 1150), (0.03, 1053), (0.06, 956), (0.10, 826), (0.15, 664), (1.0, -2090)])
def test_the_worked_example_of_a_return_is_met(rate, profit):
    # docs/returns.md section 5: P 30.00, F 4.50, C 9.00, S 5.00, L 6.00, A 0.90: kept 11.50, returned -20.90, difference 32.40.
    order = terms(900, label=500, rate=rate, advertising=0)
    lines = cost_lines(np.array([3000]), order, fees_of("home_kitchen"))
    assert (lines.referral[0], lines.refund_fee[0], lines.return_cost[0]) == (450, 90, 3240)
    assert lines.net.tolist() == [profit]
    assert profit == 1150 - round(3240 * rate)


def test_goods_worth_eight_dollars_that_come_back_leave_ten_dollars_and_four_cents():
    # E = 11.50 - 0.06 x (30.00 - 4.50 + 6.00 + 0.90 - 8.00) = 11.50 - 1.464
    order = terms(900, label=500, rate=0.06, advertising=0, goods_back=800 / 900)
    assert cost_lines(np.array([3000]), order, fees_of("home_kitchen")).net.tolist() == [1004]


def test_the_lines_add_up_to_the_profit_whatever_the_category():
    keys = sorted(US.lines)
    price = np.arange(17, 9000, 7)
    for place in range(0, len(keys), 9):
        fees = fees_of(*keys[place : place + 9])
        for entry in range(len(fees.minimum)):
            order = terms(np.full(len(price), 777), label=450, rate=0.0459, entry=entry, payment=0.029, goods_back=0.3)
            lines = cost_lines(price, order, fees)
            spent = lines.referral + lines.closing + lines.advertising + lines.payment + lines.return_loss + 777 + 450
            assert (price - spent == lines.net).all()


def test_each_share_of_the_price_is_rounded_half_up_on_its_own():
    # 10 % of 29.95 = 2.995 -> 3.00; 3 % of 29.95 = 0.8985 -> 0.90
    lines = cost_lines(np.array([2995]), terms(0, payment=0.03), fees_of("home_kitchen"))
    assert (lines.advertising[0], lines.payment[0]) == (300, 90)


def test_a_return_is_never_a_gain_even_when_the_goods_are_worth_more_than_the_price():
    lines = cost_lines(np.array([500]), terms(4000, return_label=0, rate=0.5, goods_back=1.0), fees_of("home_kitchen"))
    # 5.00 - 0.75 + 0 + 0.15 - 40.00 is below zero
    assert (lines.return_cost[0], lines.return_loss[0]) == (0, 0)


def test_books_pay_their_closing_fee_once():
    lines = cost_lines(np.array([1000]), terms(0, advertising=0), fees_of("books"))
    assert lines.net.tolist() == [1000 - 150 - 180]


def test_lines_of_a_table_of_prices_are_those_of_each_price_alone():
    fees, price = fees_of("clothing_accessories", "books"), np.array([[1500, 1501], [1000, 2000]])
    order = terms([300, 200], rate=0.1, entry=[0, 1])
    grid = cost_lines(price, order, fees).net
    for row in range(2):
        for column in range(2):
            alone = terms(int(order.landed[row]), rate=0.1, entry=row)
            assert cost_lines(price[row, column : column + 1], alone, fees).net[0] == grid[row, column]


def test_the_gross_margin_binds_the_cost_of_the_example_row():
    # 29.99 - 4.50 - 0.40 x 29.99 = 13.494; half of 29.99 is 14.995; 10 % net: 29.99 - 4.50 - 3.00 - 3.00 = 19.49
    found = max_landed_cost(np.array([2999]), terms(0), fees_of("home_kitchen"), limits())
    assert found.tolist() == [1349]


def test_the_landed_share_binds_where_it_is_the_tighter_rule():
    # 20 % of 30.00, both ends in
    assert max_landed_cost(np.array([3000]), terms(0), fees_of("home_kitchen"), limits(landed_share=0.20)).tolist() == [600]


def test_the_least_profit_binds_where_it_is_the_tighter_rule():
    # kept: 30.00 - 4.50 - 3.00 = 22.50; less 15.00 of profit = 7.50
    assert max_landed_cost(np.array([3000]), terms(0), fees_of("home_kitchen"), limits(profit=1500)).tolist() == [750]


def test_the_net_margin_binds_where_it_is_the_tighter_rule():
    # 22.50 - 0.60 x 30.00 = 4.50
    assert max_landed_cost(np.array([3000]), terms(0), fees_of("home_kitchen"), limits(net=0.60)).tolist() == [450]


def test_what_goods_duty_freight_and_label_may_cost_does_not_depend_on_how_they_are_split():
    split = terms([0, 0, 700], label=[0, 450, 450], rate=0.05)
    found = max_landed_cost(np.full(3, 2999), split, fees_of("home_kitchen"), limits(3))
    assert len(set(found.tolist())) == 1


def test_where_not_even_a_free_product_would_do_the_most_is_zero():
    found = max_landed_cost(np.array([200, 0]), terms([0, 0]), fees_of("home_kitchen"), limits(2, profit=500))
    assert found.tolist() == [0, 0]


def test_the_break_even_price_of_a_flat_fee_is_one_division():
    # 10.00 + 0.15 P + 0.10 P = P: P = 13.333; at 13.33: 13.33 - 2.00 - 1.33 - 10.00 = 0.00
    assert break_even_price(terms(1000), fees_of("home_kitchen")).tolist() == [1333]


def test_the_break_even_price_looks_before_the_cliff_and_not_only_behind_it():
    # Clothing that costs 14.25: at 15.00 the fee is 0.75 and nothing is lost; at 15.01 it is 1.50.
    assert break_even_price(terms(1425, advertising=0), fees_of("clothing_accessories")).tolist() == [1500]


def test_a_cent_more_of_cost_throws_the_break_even_price_over_the_cliff():
    # 14.26 / 0.90 = 15.844: 15.84 - 1.58 = 14.26
    assert break_even_price(terms(1426, advertising=0), fees_of("clothing_accessories")).tolist() == [1584]


def test_behind_a_cliff_down_the_break_even_price_is_the_first_price_behind_it():
    # Lawn mowers that cost 450.00: at 500.00 the fee of 15 % leaves 425.00, at 500.01 that of 8 % leaves 460.01.
    assert break_even_price(terms(45_000, advertising=0), fees_of("lawn_mowers_snow_throwers")).tolist() == [50_001]


def test_a_profit_of_exactly_nothing_breaks_even():
    price = break_even_price(terms(1000), fees_of("home_kitchen"))
    assert cost_lines(price, terms(1000), fees_of("home_kitchen")).net.tolist() == [0]


def test_no_rows_are_no_error():
    nothing = terms(np.zeros(0, dtype=np.int64))
    assert max_landed_cost(np.zeros(0, dtype=np.int64), nothing, fees_of("home_kitchen"), limits(0)).tolist() == []
    assert break_even_price(nothing, fees_of("home_kitchen")).tolist() == []
