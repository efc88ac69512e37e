"""From facts to an order's figures: which fee line, what is missing, what holds over time, and the number to bargain with."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import beta

from pipeline.config.files import load_configs, load_plan
from pipeline.costs.fees import parse_schedules
from pipeline.costs.fulfilment import cards_in_force, parse_cards
from pipeline.stages.margin.unit_economics import Tariff, schedules_in_force, unit_economics
from pipeline.stages.offers.costs import Rates
from pipeline.stages.prices.distribution import price_distributions
from pipeline.stages.score.score import score
from pipeline.tables.frames import to_frame, whole
from pipeline.tables.schemas import CANDIDATES, PRICE_HISTORY, schema

PLAN, CONFIGS = load_plan(), load_configs()
TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days
SCHEDULES = schedules_in_force(parse_schedules(CONFIGS.fee_tables, CONFIGS.digits), TODAY)
CARDS = cards_in_force(parse_cards(CONFIGS.card_tables, CONFIGS.digits), TODAY)
OFFER = {
    "unit_cost_cents": 700, "freight_cents": 300, "duty_cents": 0, "import_vat_cents": 0, "landed_cost_cents": 1000,
    "shipping_cost_cents": 0, "return_days": 30, "own_monthly_units": 10, "is_cost_complete": True, "is_duty_assumed": False,
    "is_import_vat_assumed": False, "accepts_returns": True, "supplier_currency": "USD", "return_alpha": 4.04, "return_beta": 83.96,
}  # fmt: skip
KINDS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
FIELDS = [(name, KINDS[type(value)]) for name, value in OFFER.items()]


def economics(*changes, plan=PLAN, rates=None, schedules=None, history=()):
    """Figures of candidates like the example row, each with its changes; `history` as (row, days ago, price)."""
    rows = [
        {"marketplace": "US", "product_id": f"P{n}", "currency": "USD", "price_cents": 2999, "fee_category": "home_kitchen",
         "package_weight_g": 400.0} | OFFER | change
        for n, change in enumerate(changes)
    ]  # fmt: skip
    frame = to_frame(pa.Table.from_pylist(rows, schema=pa.schema([*schema(CANDIDATES), *(pa.field(*field) for field in FIELDS)])))
    frame["return_rate_mean"] = frame["return_alpha"] / (frame["return_alpha"] + frame["return_beta"])
    past = [{"date": TODAY - dt.timedelta(days=days), "price_cents": price} for _, days, price in history]
    told = to_frame(pa.Table.from_pylist(past, schema=schema(PRICE_HISTORY))).assign(
        row=np.array([row for row, *_ in history], dtype=np.int64)
    )
    prices = price_distributions(frame, told, AS_OF, plan.forecast)
    tariff = Tariff(SCHEDULES if schedules is None else schedules, CARDS, rates or Rates({}), CONFIGS.digits)
    found = unit_economics(frame, prices, plan, tariff)
    told = found.astype(object)
    return told.where(told.notna(), None).to_dict("records")


def one(change=None, **options):
    (found,) = economics(change or {}, **options)
    return found


STEADY = [(0, 7 * week, 2999) for week in range(1, 27)]


def test_the_example_row_is_what_a_person_reckons():
    found = one(history=STEADY)
    assert (found["referral_fee_cents"], found["advertising_cost_cents"], found["refund_fee_cents"]) == (450, 300, 90)
    # 4.04 / 88 of (29.99 - 4.50 + 6.00 + 0.90)
    assert found["expected_return_loss_cents"] == round(4.04 / 88 * 3239)
    assert found["net_profit_cents"] == 2999 - 450 - 1000 - 300 - 149
    assert found["landed_share"] == pytest.approx(1000 / 2999)
    assert found["gross_margin"] == pytest.approx((2999 - 1000 - 450) / 2999)
    assert found["gross_margin_goods"] == pytest.approx((2999 - 1000) / 2999)
    assert found["gross_margin_all"] == pytest.approx((2999 - 1000 - 450 - 149) / 2999)
    # C + S + L + A: 10.00 + 0 + 6.00 + 0.90
    assert found["cash_lost_per_return_cents"] == 1690
    assert (found["margin_held_share"], found["margin_hold_probability"]) == (1, pytest.approx(1, abs=0.01))


def test_with_one_price_the_tenth_percentile_is_the_loss_at_a_high_return_rate():
    found = one(history=STEADY)
    # 19 equal prices x 19 rates: the 37th of 361 profits is that of the second highest rate.
    rate = beta(4.04, 83.96).ppf(17.5 / 19)
    assert found["net_profit_p10_cents"] == pytest.approx(1249 - rate * 3239, abs=1)
    assert found["net_profit_expected_cents"] == 1249 - 149
    assert found["kept_profit_cents"] == 1249


def test_the_rules_figures_hold_at_the_lower_gate_price():
    found = one(history=[(0, 90, 2500)])
    # The median of 90 days is 25.00: fee 3.75, advertising 2.50, return loss 4.04 / 88 x (25.00 - 3.75 + 6.00 + 0.75)
    loss = round(4.04 / 88 * 2800)
    assert found["gate_net_profit_cents"] == 2500 - 375 - 1000 - 250 - loss
    assert found["gate_gross_margin"] == pytest.approx((2500 - 1000 - 375) / 2500)
    assert found["net_profit_cents"] == 2999 - 450 - 1000 - 300 - 149


def test_the_margin_held_on_the_days_at_which_the_price_was_high_enough():
    # At 16.00: fee 2.40, advertising 1.60, goods 10.00 leave 2.00 before returns, less than 3.00. 30 of 90 days.
    assert one(history=[(0, 90, 1600), (0, 60, 2999)])["margin_held_share"] == pytest.approx(60 / 90)


@pytest.mark.parametrize(
    ("change", "fee", "origin"),
    [
        ({}, 450, "schedule"),
        ({"referral_rate": 0.08}, 450, "schedule"),
        ({"fee_category": "umbrellas", "referral_rate": 0.08}, 240, "stated"),
        ({"fee_category": None, "referral_rate": 0.08}, 240, "stated"),
        ({"fee_category": None}, 450, "fallback"),
        ({"fee_category": None, "referral_rate": 0.0}, 450, "fallback"),
        ({"fee_category": None, "referral_rate": 1.0}, 450, "fallback"),
    ],
)
def test_the_schedule_s_line_stands_before_a_stated_rate_and_this_before_the_named_fallback(change, fee, origin):
    found = one(change)
    assert (found["referral_fee_cents"], found["fee_origin"], found["fee_schedule"]) == (fee, origin, "us-referral-2025")


@pytest.mark.parametrize(
    ("change", "fee", "origin", "said"),
    [
        ({"fee_category": "home_kitchen"}, 450, "uncertain", "8 % up to 20.00 is announced"),
        ({"fee_category": "home_kitchen", "referral_rate": 0.08}, 240, "stated", None),
        ({"fee_category": "toys_games"}, 450, "fallback", None),
    ],
)
def test_a_line_of_which_a_part_is_unknown_charges_after_a_stated_rate_and_says_so(change, fee, origin, said):
    found = one({"marketplace": "DE", "currency": "EUR"} | change)
    assert (found["referral_fee_cents"], found["fee_origin"], found["fee_schedule"]) == (fee, origin, "de-referral-2025-12")
    assert found["fee_note"] is None if said is None else said in found["fee_note"]


def costs(**changes):
    return PLAN.model_copy(update={"costs": PLAN.costs.model_copy(update=changes)})


def test_a_supplier_who_takes_returns_for_long_enough_pays_part_of_the_goods_back():
    plan = costs(supplier_refund_share=0.80)
    # 4.04 / 88 of (29.99 - 4.50 + 6.00 + 0.90 - 8.00)
    assert one(plan=plan)["expected_return_loss_cents"] == round(4.04 / 88 * 2439)
    for change in ({"return_days": 29}, {"accepts_returns": False}, {"return_days": None}):
        assert one(change, plan=plan)["expected_return_loss_cents"] == round(4.04 / 88 * 3239)


def test_a_refund_without_the_goods_coming_back_spares_the_label_and_brings_nothing_back():
    # u = 0.5: half of 6.00 - 5.00
    assert one(plan=costs(returnless_share=0.5, returned_goods_share=0.5))["expected_return_loss_cents"] == round(4.04 / 88 * (2639 + 50))


def test_the_plan_s_fee_is_a_line_when_a_number_of_orders_is_given():
    assert one()["plan_fee_cents"] is None
    found = one(plan=costs(plan_fee_units=100))  # 39.99 / 100
    assert (found["plan_fee_cents"], one()["net_profit_cents"] - found["net_profit_cents"]) == (40, 40)


def test_above_the_limit_of_own_sales_both_profits_stand_side_by_side_with_the_advice():
    parcel = {"package_length_mm": 200.0, "package_width_mm": 150.0, "package_height_mm": 50.0}
    found = one(parcel | {"own_monthly_units": 201})
    # 400 g are 14.1 oz, 1500 cm3 are 91.5 cubic inches or 10.5 oz: large standard to 16 oz, 4.60, and 3.5 % of it, 0.16
    assert (found["fba_fee_cents"], found["fba_tier"], found["fba_card"]) == (476, "large_standard", "us-fba-2026")
    # 29.99 - 4.50 - 10.00 - 3.00 - 4.76 = 7.73, less 4.04 / 88 of (29.99 - 4.50 + 0.90)
    assert found["fba_net_profit_cents"] == 773 - round(4.04 / 88 * 2639)
    assert (found["fulfilment_advice"], "peak" in found["fba_note"]) == ("fba", True)
    assert one(parcel | {"own_monthly_units": 200})["fulfilment_advice"] == "merchant"
    # Dearer goods: 4.49 less a dollar and a fifth by Amazon is below the least profit of 3.00
    dear = one(parcel | {"own_monthly_units": 201, "unit_cost_cents": 1100, "landed_cost_cents": 1400})
    assert dear["fba_net_profit_cents"] == 773 - 400 - 121 < 300 and dear["fulfilment_advice"] == "merchant"


@pytest.mark.parametrize(
    "gap", [{"package_height_mm": None}, {"package_weight_g": None}, {"is_hazmat": True}, {"fee_category": "clothing_accessories"}]
)
def test_where_size_weight_or_the_card_s_fee_is_unknown_no_fulfilment_fee_is_told(gap):
    parcel = {"package_length_mm": 200.0, "package_width_mm": 150.0, "package_height_mm": 50.0}
    found = one(parcel | gap)
    assert (found["fba_fee_cents"], found["fba_net_profit_cents"], found["fba_card"]) == (None, None, None)


def test_the_target_price_is_the_first_at_which_share_and_least_profit_hold():
    found = one(history=STEADY)
    at, below = (one({"price_cents": found["target_price_cents"] - less}) for less in (0, 1))
    assert at["net_profit_cents"] >= 300 and at["net_margin"] >= 0.10
    assert below["net_profit_cents"] < 300 or below["net_margin"] < 0.10


def test_fees_are_known_without_an_offer_and_a_profit_is_not():
    found = one({"landed_cost_cents": None, "shipping_cost_cents": None, "is_cost_complete": False, "unit_cost_cents": None})
    assert (found["referral_fee_cents"], found["net_profit_cents"], found["landed_share"]) == (450, None, None)
    assert (found["net_profit_p10_cents"], found["break_even_price_cents"], found["margin_hold_probability"]) == (None, None, None)
    # 29.99 - 4.50 - 40 % = 13.494; less the label of a light parcel and no freight
    assert (found["max_landed_cost_cents"], found["max_purchase_cost_cents"]) == (1349, 1349 - 450 - 300)


@pytest.mark.parametrize("gap", [{"price_cents": None}, {"marketplace": "ZZ"}, {"currency": "CAD", "marketplace": "CA"}])
def test_without_a_price_a_schedule_or_the_currency_s_figures_no_money_is_told(gap):
    found = one(gap)
    assert found["net_profit_cents"] is None and found["referral_fee_cents"] is None and found["max_landed_cost_cents"] is None
    assert found["is_profit_known"] is False


def test_the_number_to_bargain_with_is_the_ceiling_less_freight_duty_and_label():
    assert one()["max_purchase_cost_cents"] == 1349 - 300
    found = one({"duty_cents": 50, "shipping_cost_cents": 450, "landed_cost_cents": 1050})
    assert found["max_purchase_cost_cents"] == 1349 - 300 - 50 - 450


def test_an_assumed_duty_shrinks_with_the_price_that_is_bargained_for():
    plan = PLAN.model_copy(update={"costs": PLAN.costs.model_copy(update={"assumed_duty_share": 0.30})})
    found = one({"duty_cents": 210, "landed_cost_cents": 1210, "is_duty_assumed": True}, plan=plan)
    # 8.07 and 30 % of it, 2.42, are the 10.49 that 3.00 of freight leave of the ceiling; 8.08 would be a cent too much
    assert found["max_purchase_cost_cents"] == 807


@pytest.mark.parametrize(("pair", "rate"), [(("USD", "CNY"), 7.0), (("CNY", "USD"), 1 / 7)])
def test_the_number_to_bargain_with_is_told_in_yuan_to_the_last_fen_that_still_costs_no_more(pair, rate):
    # 73.46 / 7 = 10.494 is 10.49, 73.47 / 7 = 10.496 would be 10.50
    assert one(rates=Rates({pair: (rate, 0)}))["max_purchase_cost_cny_cents"] == 7346


def test_without_a_rate_there_is_no_number_in_yuan():
    assert one()["max_purchase_cost_cny_cents"] is None


def test_rows_of_many_kinds_are_each_as_they_are_alone():
    changes = [
        {},
        {"fee_category": "books"},
        {"price_cents": None},
        {"marketplace": "DE", "currency": "EUR"},
        {"unit_cost_cents": 1, "landed_cost_cents": 301},
    ]
    assert economics(*changes) == [one(change) for change in changes]


def test_the_profit_of_a_solved_ceiling_meets_the_money_rules_and_a_cent_more_does_not():
    ceiling = one()["max_landed_cost_cents"]
    margins = [one({"landed_cost_cents": ceiling + more})["gate_gross_margin"] for more in (0, 1)]
    assert margins[0] >= 0.40 > margins[1]


def test_two_marketplaces_whose_schedules_have_one_name_keep_their_own_fees():
    us = SCHEDULES["US"]
    line = replace(us.lines["home_kitchen"], minimum=999)
    twin = replace(us, marketplace="DE", currency="EUR", lines={"home_kitchen": line})
    found = economics({}, {"marketplace": "DE", "currency": "EUR"}, schedules={"US": us, "DE": twin})
    assert [row["referral_fee_cents"] for row in found] == [450, 999]


def test_where_no_price_breaks_even_none_is_told():
    plan = PLAN.model_copy(update={"costs": PLAN.costs.model_copy(update={"advertising_share": 0.49, "payment_share": 0.19})})
    # 15 % + 49 % + 19 % leave 17 % of the price, and returns of one half take more
    assert one({"return_alpha": 50.0, "return_beta": 50.0}, plan=plan)["break_even_price_cents"] is None


def test_no_candidates_are_no_error():
    assert economics() == []


def test_the_index_of_the_candidates_is_kept_by_every_figure():
    frame = to_frame(pa.Table.from_pylist([{"currency": "USD", "price_cents": 2999}], schema=schema(CANDIDATES)))
    history = to_frame(schema(PRICE_HISTORY).empty_table()).assign(row=np.zeros(0, dtype=np.int64))
    found = price_distributions(frame.set_index(pd.Index([41])), history, AS_OF, PLAN.forecast)
    assert found.frame.index.tolist() == [41] and whole(found.frame, "price_cents")[0].tolist() == [2999]


SCORED = {"suppliers": 2, "handling_days": 1, "monthly_sold": 300, "late_probability": 0.0}


def scores(changes, plan=PLAN):
    """Score and profits of candidates like the example row, each with a history of its own."""
    dice = np.random.default_rng(5)
    history = [(row, 7 * week, int(dice.integers(2200, 3800))) for row in range(len(changes)) for week in range(1, 14)]
    found = economics(*changes, plan=plan, history=history)
    frame = pd.DataFrame([SCORED | row for row in found])
    frame["price_cents"], frame["price_forecast_p50_cents"] = 2999, 2999
    numbers = frame[["price_cents", "price_forecast_p50_cents", *SCORED, *(n for n in frame if n.endswith("_profit_cents"))]]
    frame = frame.assign(
        **{name: pd.array(values, dtype="Float64" if name == "late_probability" else "Int64") for name, values in numbers.items()}
    )
    loss = {
        n: pd.array(frame[n], dtype="Int64") for n in ("net_profit_expected_cents", "net_profit_p10_cents", "expected_return_loss_cents")
    }
    return score(frame.assign(**loss), plan.score)["score"].to_numpy(dtype=float), found


@pytest.mark.parametrize("line", ["landed", "label", "advertising", "return label"])
def test_with_the_offer_fixed_a_cost_that_rises_never_raises_profit_or_score(line):
    before, after, plan = [], [], PLAN
    for more in (1, 2, 3, 10, 77, 250):
        for goods in (200, 555, 800):
            offer = {"unit_cost_cents": goods, "landed_cost_cents": goods + 300, "shipping_cost_cents": 100}
            before.append(offer)
            raised = {"landed": ("landed_cost_cents", goods + 300), "label": ("shipping_cost_cents", 100)}.get(line)
            after.append(offer | ({raised[0]: raised[1] + more} if raised else {}))
    if line == "advertising":
        plan = PLAN.model_copy(update={"costs": PLAN.costs.model_copy(update={"advertising_share": 0.13})})
    if line == "return label":
        dearer = PLAN.money["USD"].model_copy(update={"return_label_cost": 6.50})
        plan = PLAN.model_copy(update={"money": PLAN.money | {"USD": dearer}})
    (cheap, paid), (dear, paid_more) = scores(before), scores(after, plan)
    assert (dear <= cheap).all() and (dear < cheap).any()
    for name in ("net_profit_cents", "net_profit_expected_cents", "net_profit_p10_cents", "gate_net_profit_cents"):
        assert all(more[name] <= less[name] for less, more in zip(paid, paid_more, strict=True))
