"""Profit, solved prices and costs against a twin that tries every cent: 10,000 orders of random schedules, costs, shares and targets."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.costs.fees import FeeLine, FeeSchedule, fee_table
from pipeline.stages.margin.order_profit import Limits, Target, Terms, cost_lines
from pipeline.stages.margin.solving import max_landed_cost, smallest_price

PPM, BILLION = 1_000_000, 1_000_000_000
MARKETS, LINES, ROWS = 50, 4, 200  # 50 x 200 orders
TOP = 2500  # every price from 1 to here is tried


def up(numerator, denominator):
    """Half up, as it is taught: twice the number and one half more, cut off."""
    return (2 * numerator + denominator) // (2 * denominator)


def random_line(dice, key):
    kind = dice.choice(["flat", "whole", "marginal"])
    steps = 0 if kind == "flat" else int(dice.integers(1, 4))
    bounds = np.sort(dice.choice(np.arange(50, TOP), steps, replace=False))
    rates = dice.integers(0, 451, steps + 1) * 1000
    return FeeLine(
        key, str(kind), tuple(map(int, bounds)), tuple(map(int, rates)), int(dice.choice([0, 30, 100])), int(dice.choice([0, 180])), ""
    )


def random_market(seed):
    """A schedule of several lines, the shares of a plan, and a batch of orders."""
    dice = np.random.default_rng(seed)
    lines = [random_line(dice, f"k{n}") for n in range(LINES)]
    schedule = FeeSchedule("s", "ZZ", "USD", None, None, 0, 200_000, int(dice.choice([0, 50, 500])), {}, "")
    # Up to 49 % of advertising, 19 % of payment and every second order coming back: where a bisection within a window goes wrong.
    shares = (
        int(dice.choice([0, 50_000, 100_000, 290_000, 490_000])),
        int(dice.choice([0, 29_000, 190_000])),
        int(dice.choice([0, 300_000])),
    )
    terms = Terms(
        landed=dice.integers(0, 900, ROWS),
        label=dice.integers(0, 300, ROWS),
        plan_fee=dice.integers(0, 20, ROWS),
        return_label=dice.integers(0, 700, ROWS),
        return_ppb=dice.choice([0, 45_900_000, 120_000_000, 350_000_000, 500_000_000], ROWS) + dice.integers(0, 1000, ROWS),
        goods_back_ppm=dice.choice([0, 250_000, 1_000_000], ROWS),
        restocking=dice.choice([0, 150], ROWS),
        entry=dice.integers(0, LINES, ROWS),
        advertising_ppm=shares[0],
        payment_ppm=shares[1],
        returnless_ppm=shares[2],
    )
    return lines, schedule, terms, dice


def twin_fee(line, price):
    """One line's fee, step by step over its bounds, whatever the shape of `price`."""
    raw, below = np.zeros_like(price), 0
    for bound, rate in zip([*line.bounds, 10**12], line.rates_ppm, strict=True):
        if line.kind == "marginal":
            raw += np.clip(price - below, 0, bound - below) * rate
        else:
            raw += np.where((price > below) & (price <= bound), price * rate, 0)
        below = bound
    return np.maximum(up(raw, PPM), line.minimum)


def twin_net(price, landed, rows, line, schedule, terms):
    """What is left of orders of these rows; prices or costs in columns."""

    def down(column):
        return getattr(terms, column)[rows][:, None]

    fee = twin_fee(line, price)
    refund = np.minimum(up(fee * schedule.refund_share_ppm, PPM), schedule.refund_cap)
    goods = np.maximum(up(landed * down("goods_back_ppm"), PPM) - down("restocking"), 0)
    travels = up((down("return_label") - goods) * (PPM - terms.returnless_ppm), PPM)
    back = np.maximum(price - fee + refund + travels, 0)
    loss = up(back * down("return_ppb"), BILLION)
    shares = up(price * terms.advertising_ppm, PPM) + up(price * terms.payment_ppm, PPM)
    return price - fee - line.closing - landed - down("label") - down("plan_fee") - shares - loss


def first(holds, values):
    """The first value of each row that holds, 0 where none does."""
    return np.where(holds.any(axis=1), values[holds.argmax(axis=1)], 0)


def met(net, price, share, least):
    return (net * PPM >= share * price) & (net >= least)


@pytest.mark.parametrize("seed", range(MARKETS))
def test_two_hundred_orders_are_solved_as_by_trying_every_cent(seed):
    lines, schedule, terms, dice = random_market(seed)
    fees = fee_table([(schedule, line) for line in lines])
    share, least = int(dice.choice([0, 100_000, 250_000])), dice.choice([-50, 0, 150, 300], ROWS)
    limits = Limits(int(dice.choice([500_000, 1_000_000])), int(dice.choice([0, 400_000])), Target(share, least))
    even = smallest_price(terms, fees, Target(0, np.zeros(ROWS, dtype=np.int64)))
    wanted = smallest_price(terms, fees, limits.target)
    gate = dice.integers(1, TOP, ROWS)
    ceiling = max_landed_cost(gate, terms, fees, limits)
    net = cost_lines(gate, terms, fees).net
    every = np.arange(1, TOP + 1)
    for entry, line in enumerate(lines):
        rows = np.flatnonzero(terms.entry == entry)
        landed = terms.landed[rows][:, None]
        earned = twin_net(np.broadcast_to(every, (len(rows), TOP)), landed, rows, line, schedule, terms)
        # A price above the last that was tried is right if none of those holds.
        assert np.where(even[rows] > TOP, 0, even[rows]).tolist() == first(earned >= 0, every).tolist()
        holds = met(earned, every, share, least[rows][:, None])
        assert np.where(wanted[rows] > TOP, 0, wanted[rows]).tolist() == first(holds, every).tolist()

        price, cost = gate[rows][:, None], np.arange(0, TOP)
        left = twin_net(price, cost - terms.label[rows][:, None], rows, line, schedule, terms)
        allowed = met(left, price, share, least[rows][:, None]) & (cost * PPM <= limits.landed_share_ppm * price)
        allowed &= (price - cost - twin_fee(line, price)) * PPM >= limits.gross_margin_ppm * price
        assert ceiling[rows].tolist() == np.where(allowed.any(axis=1), TOP - 1 - allowed[:, ::-1].argmax(axis=1), 0).tolist()
        assert net[rows].tolist() == twin_net(price, landed, rows, line, schedule, terms)[:, 0].tolist()


COSTS = ["landed", "label", "plan_fee", "return_label", "return_ppb", "restocking", "advertising_ppm", "payment_ppm"]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_cost_that_rises_never_raises_the_profit_nor_lowers_a_solved_price(cost, seed):
    lines, schedule, terms, dice = random_market(1000 + seed)
    fees, price = fee_table([(schedule, line) for line in lines]), dice.integers(1, 9000, ROWS)
    nothing = Target(0, np.zeros(ROWS, dtype=np.int64))
    before, even = cost_lines(price, terms, fees).net, smallest_price(terms, fees, nothing)
    for more in (1, 7, 400):
        dearer = replace(terms, **{cost: getattr(terms, cost) + more * (1 if cost in COSTS[:4] or cost == "restocking" else 1000)})
        assert (cost_lines(price, dearer, fees).net <= before).all()
        raised = smallest_price(dearer, fees, nothing)
        assert ((raised >= even) | (raised == 0)).all() and (raised[even == 0] == 0).all()


@pytest.mark.parametrize("fee", ["minimum", "closing", "rates_ppm"])
def test_a_fee_that_rises_never_raises_the_profit(fee):
    lines, schedule, terms, dice = random_market(2000)
    price = dice.integers(1, 9000, ROWS)
    plain = cost_lines(price, terms, fee_table([(schedule, line) for line in lines])).net
    for more in (1, 50, 5000):
        raised = [
            tuple(rate + more for rate in value) if isinstance(value := getattr(line, fee), tuple) else value + more for line in lines
        ]
        dearer = [(schedule, replace(line, **{fee: value})) for line, value in zip(lines, raised, strict=True)]
        assert (cost_lines(price, terms, fee_table(dearer)).net <= plain).all()


def test_a_row_s_answers_do_not_depend_on_the_rows_beside_it():
    lines, schedule, terms, dice = random_market(3000)
    fees, order, gate = fee_table([(schedule, line) for line in lines]), dice.permutation(ROWS), dice.integers(1, 9000, ROWS)
    limits = Limits(500_000, 300_000, Target(100_000, np.full(ROWS, 300)))
    for solve in (
        lambda p, t: max_landed_cost(p, t, fees, limits),
        lambda p, t: smallest_price(t, fees, Target(0, limits.target.least[: len(p)])),
    ):
        together = solve(gate, terms)
        assert solve(gate[order], terms.take(order)).tolist() == together[order].tolist()
        assert [int(solve(gate[row : row + 1], terms.take(slice(row, row + 1)))[0]) for row in range(3)] == together[:3].tolist()
