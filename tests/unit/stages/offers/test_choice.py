"""Which offer a product is bought by, and its cost lines to the cent, whatever the offer leaves open."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.config.files import load_configs, load_plan
from pipeline.config.plan import ExchangeRate, SupplierFacts
from pipeline.costs.customs import imports_in_force, parse_imports
from pipeline.stages.offers.choice import choose_offers, fold_platform, quoted_costs
from pipeline.stages.offers.costs import Buying, Rates
from pipeline.tables.frames import to_frame, whole
from pipeline.tables.schemas import CANDIDATES, OFFERS, schema

PLAN, CONFIGS = load_plan(), load_configs()
DUTY_FREE = {code: market.duty_free_origins for code, market in CONFIGS.marketplaces.items()}
TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days
NO_RATES = Rates({})


def table(columns, rows):
    return to_frame(pa.Table.from_pylist(list(rows), schema=schema(columns)))


def plan(suppliers=None, **costs):
    return PLAN.model_copy(update={"suppliers": suppliers or {}, "costs": PLAN.costs.model_copy(update=costs)})


def offer(supplier="S1", unit="7.00", freight="3.00", **facts):
    """A good offer: nothing open, nothing bad; money as text in major units."""
    told = {
        "supplier_id": supplier, "product_id": "P", "currency": "USD", "freight_to": "buyer", "duty_included": True, "ship_from": "US",
        "platform": "cj", "handling_days_max": 1, "supplier_contact": "ann", "has_tracking": True, "accepts_returns": True,
        "quoted_at": TODAY - dt.timedelta(days=4),
    }  # fmt: skip
    return told | {"unit_cost_e4": e4(unit), "freight_e4": e4(freight)} | facts


def e4(text):
    return None if text is None else round(float(text) * 10_000)


def buying(the_plan=PLAN, rates=NO_RATES, duty_free=None, day=TODAY):
    imports = imports_in_force(parse_imports(CONFIGS.fee_tables, CONFIGS.digits), day)
    return Buying(the_plan, rates, CONFIGS.digits, DUTY_FREE | (duty_free or {}), imports, AS_OF)


def frame_of(*offers, candidate=None, row=0, **judged_by):
    row_facts = {"marketplace": "US", "product_id": "P", "currency": "USD", "package_weight_g": 400.0} | (candidate or {})
    told = table(OFFERS, offers).assign(row=row, offer_order=np.arange(len(offers)), matched_by="product_id")
    told["matched_by"] = told["matched_by"].astype("str")
    return choose_offers(table(CANDIDATES, [row_facts]), told, buying(**judged_by))


def choose(*offers, **options):
    (record,) = frame_of(*offers, **options).to_dict("records")
    return {name: None if pd.isna(value) else value for name, value in record.items()}


def cents(record):
    return tuple(record[f"{name}_cents"] for name in ("unit_cost", "freight", "duty", "landed_cost", "shipping_cost"))


# Which offer


def test_the_cheapest_of_the_offers_that_leave_nothing_open_is_taken_and_the_others_are_backups_by_cost():
    found = choose(offer("S3", unit="7.40"), offer("S1"), offer("S2", unit="7.20"))
    assert (found["supplier_id"], found["suppliers"], found["offers_read"]) == ("S1", 3, 3)
    assert found["backup_suppliers"].split() == ["S2", "S3"]


def test_freight_and_label_count_and_not_the_unit_cost_alone():
    # 7.00 + 3.00 + label 4.50 against 9.00 + 3.00 to the buyer
    assert choose(offer("S1", freight_to="agent"), offer("S2", unit="9.00"))["supplier_id"] == "S2"


@pytest.mark.parametrize(
    "bad",
    [
        {"platform": "Taobao"}, {"has_tracking": False}, {"handling_days_max": 3}, {"valid_until": TODAY - dt.timedelta(days=1)}, {"stock": 0},
    ],
    ids=["platform", "tracking", "handling", "run out", "no stock"],
)  # fmt: skip
def test_an_allowed_offer_stands_before_a_cheaper_one_that_a_rule_forbids(bad):
    found = choose(offer("S1", unit="1.00", **bad), offer("S2"))
    assert (found["supplier_id"], found["backup_suppliers"], found["suppliers"]) == ("S2", None, 1)


@pytest.mark.parametrize(
    "still",
    [{"handling_days_max": 2}, {"valid_until": TODAY}, {"stock": 1}, {"stock": None}],
    ids=["2 days", "today", "one left", "unknown"],
)
def test_an_offer_at_the_limit_is_allowed(still):
    found = choose(offer("S1", unit="5.00", **still), offer("S2"))
    assert (found["supplier_id"], found["is_offer_expired"]) == ("S1", False)


def test_where_no_offer_is_allowed_the_cheapest_is_shown_and_none_is_counted():
    found = choose(offer("S1", platform="temu"), offer("S2", unit="6.00", has_tracking=False))
    assert (found["supplier_id"], found["has_tracking"], found["suppliers"], found["backup_suppliers"]) == ("S2", False, 0, None)


@pytest.mark.parametrize("gap", ["platform", "has_tracking", "handling_days_max"])
def test_an_offer_with_an_open_question_comes_after_a_dearer_one_without(gap):
    found = choose(offer("S1", unit="5.00") | {gap: None}, offer("S2"))
    assert (found["supplier_id"], found["backup_suppliers"]) == ("S2", "S1")


@pytest.mark.parametrize(("ago", "chosen"), [(30, "S1"), (31, "S2")])
def test_a_quote_older_than_thirty_days_is_an_open_question(ago, chosen):
    assert choose(offer("S1", unit="5.00", quoted_at=TODAY - dt.timedelta(days=ago)), offer("S2"))["supplier_id"] == chosen


def test_an_offer_whose_cost_is_not_known_comes_after_every_one_whose_cost_is():
    found = choose(offer("S1", unit="1.00", currency="CNY"), offer("S2", platform=None))
    assert (found["supplier_id"], found["backup_suppliers"], found["suppliers"]) == ("S2", "S1", 2)


def test_at_the_same_cost_the_faster_supplier_is_taken():
    assert choose(offer("S1", handling_days_max=2), offer("S2", handling_days_max=1))["supplier_id"] == "S2"


def test_at_the_same_cost_and_speed_the_earlier_of_the_given_order_is_taken():
    assert choose(offer("S2"), offer("S1"))["supplier_id"] == "S2"


def test_a_supplier_with_two_offers_is_one_supplier_and_no_backup_of_its_own():
    found = choose(offer("S1"), offer("S1", unit="8.00"), offer("S2", unit="9.00"), offer("S2", unit="9.50"))
    assert (found["suppliers"], found["backup_suppliers"], found["offers_read"]) == (2, "S2", 4)


def test_without_an_offer_every_fact_is_missing_and_no_supplier_is_counted():
    found = choose()
    assert (found["has_offer"], found["supplier_id"], found["suppliers"], found["offers_read"]) == (False, None, 0, 0)
    assert cents(found) == (None,) * 5


def test_an_offer_of_no_candidate_is_not_read():
    assert choose(offer(), row=-1)["has_offer"] is False


def test_each_candidate_has_its_own_best_offer():
    candidates = table(CANDIDATES, [{"marketplace": "US", "product_id": name, "currency": "USD"} for name in "PQR"])
    told = table(OFFERS, [offer("S1"), offer("S2", unit="6.00"), offer("S3")]).assign(row=[2, 0, 0], offer_order=range(3))
    found = choose_offers(candidates, told.assign(matched_by=pd.array(["sku"] * 3, "str")), buying())
    assert found["supplier_id"].fillna("").tolist() == ["S2", "", "S1"]
    assert found["backup_suppliers"].fillna("").tolist() == ["S3", "", ""]
    assert found["suppliers"].tolist() == [2, 0, 1]


def test_a_backup_whose_name_holds_a_blank_stays_one_supplier():
    from pipeline.publish.tables.ledger import _words

    found = frame_of(offer("S1"), offer("Yiwu Home Co", unit="8.00"))
    assert _words(found["backup_suppliers"]).to_pylist() == [["Yiwu Home Co"]]


# What it costs


def test_goods_freight_and_duty_make_the_landed_cost_and_freight_to_the_buyer_needs_no_label():
    assert cents(choose(offer(duty_included=False, duty_e4=e4("0.50")))) == (700, 300, 50, 1050, 0)


def test_a_cost_of_four_decimals_is_rounded_half_up_once_for_one_unit_sold():
    assert cents(choose(offer(unit="3.125", freight="0.005")))[:2] == (313, 1)
    assert cents(choose(offer(unit="3.1249", freight="0.0049")))[:2] == (312, 0)


def test_four_units_of_the_supplier_that_make_one_of_the_listing_cost_four_times_before_rounding():
    # 4 x 1.1234 = 4.4936; freight and duty are per unit sold already
    assert cents(choose(offer(unit="1.1234", pack_quantity=4, duty_included=False, duty_e4=e4("0.20")))) == (449, 300, 20, 769, 0)


def test_freight_that_is_not_told_is_missing_and_never_nothing():
    found = choose(offer(freight=None))
    assert cents(found) == (700, None, 0, None, 0)
    assert (found["lacks_freight"], found["is_cost_complete"]) == (True, False)


def test_freight_of_nothing_is_told_freight():
    found = choose(offer(freight="0"))
    assert cents(found) == (700, 0, 0, 700, 0) and found["lacks_freight"] is False


def test_an_offer_that_states_the_label_has_its_freight_in_it():
    found = choose(offer(freight=None, freight_to="agent", shipping_cost_e4=e4("3.20")))
    assert cents(found) == (700, 0, 0, 700, 320)
    assert (found["lacks_freight"], found["is_cost_complete"]) == (False, True)


@pytest.mark.parametrize(
    ("scope", "label", "assumed", "unknown"),
    [("buyer", 0, False, False), ("agent", 450, True, False), ("unknown", 450, True, True), (None, 450, True, True)],
)
def test_how_far_the_freight_reaches_decides_on_the_label(scope, label, assumed, unknown):
    found = choose(offer(freight_to=scope))
    assert (found["shipping_cost_cents"], found["is_label_assumed"], found["is_freight_scope_unknown"]) == (label, assumed, unknown)


def test_a_label_that_the_offer_names_is_taken_and_not_assumed():
    found = choose(offer(freight_to="agent", shipping_cost_e4=e4("2.345")))
    assert (found["shipping_cost_cents"], found["is_label_assumed"]) == (235, False)


@pytest.mark.parametrize(("weight", "label", "heavy"), [(450.0, 450, False), (450.1, 450, True), (None, 600, False)])
def test_an_assumed_label_depends_on_the_weight_and_a_heavy_parcel_wants_a_look(weight, label, heavy):
    found = choose(offer(freight_to="agent"), candidate={"package_weight_g": weight})
    assert (found["shipping_cost_cents"], found["is_label_heavy"]) == (label, heavy)


def test_a_heavy_parcel_whose_label_is_known_wants_no_look():
    heavy = {"package_weight_g": 2000.0}
    assert choose(offer(), candidate=heavy)["is_label_heavy"] is False
    assert choose(offer(freight_to="agent", shipping_cost_e4=1), candidate=heavy)["is_label_heavy"] is False


def test_the_scope_that_an_offer_calls_unknown_is_filled_by_the_supplier_s_and_else_by_the_plan_s():
    for_one = plan({"S1": SupplierFacts(freight_to="buyer")}, freight_to="agent")
    assert choose(offer("S1", freight_to="unknown"), the_plan=for_one)["shipping_cost_cents"] == 0
    found = choose(offer("S2", freight_to="unknown"), the_plan=for_one)
    assert (found["shipping_cost_cents"], found["is_freight_scope_unknown"]) == (450, False)


def test_without_figures_for_a_currency_the_label_is_not_known_and_the_cost_not_complete():
    yen = {"marketplace": "JP", "currency": "JPY"}
    found = choose(offer(freight_to="agent", currency="JPY", unit="700"), candidate=yen)
    assert (found["shipping_cost_cents"], found["is_cost_complete"], found["unit_cost_cents"]) == (None, False, 700)


# Duty


@pytest.mark.parametrize(
    "facts",
    [
        {"duty_included": True, "ship_from": "CN"},
        {"duty_included": None, "ship_from": "us "},
        {"duty_included": False},
        {"ship_from": None},
    ],
    ids=["included", "domestic", "domestic, not included", "included, whence unknown"],
)
def test_duty_is_nil_where_it_is_included_or_the_goods_are_in_the_country(facts):
    found = choose(offer(**facts))
    assert (found["duty_cents"], found["lacks_duty"], found["is_duty_assumed"], found["is_duty_unknown"]) == (0, False, False, False)


def test_where_neither_origin_nor_duty_is_told_duty_is_nil_and_the_question_stays_open():
    silent = {"duty_included": None, "ship_from": None}
    found = choose(offer("S1", unit="5.00", **silent))
    assert (found["duty_cents"], found["is_duty_unknown"], found["is_cost_complete"]) == (0, True, True)
    assert choose(offer("S1", unit="5.00", **silent), offer("S2"))["supplier_id"] == "S2"


def test_duty_that_is_not_included_is_lacking_when_the_origin_is_not_told():
    assert choose(offer(duty_included=False, ship_from=None))["lacks_duty"] is True


def test_duty_that_is_included_is_not_added_again_where_it_is_stated_too():
    assert cents(choose(offer(duty_included=True, ship_from="CN", duty_e4=e4("1.25")))) == (700, 300, 0, 1000, 0)


def test_stated_duty_is_taken_from_wherever_it_ships():
    found = choose(offer(duty_included=None, ship_from="CN", duty_e4=e4("1.25")))
    assert (found["duty_cents"], found["landed_cost_cents"], found["is_cost_complete"]) == (125, 1125, True)


@pytest.mark.parametrize("included", [None, False])
def test_from_abroad_with_duty_open_the_cost_is_not_complete(included):
    found = choose(offer(duty_included=included, ship_from="CN"))
    assert (found["duty_cents"], found["landed_cost_cents"]) == (None, None)
    assert (found["lacks_duty"], found["is_cost_complete"]) == (True, False)


def test_the_plan_s_assumed_duty_is_a_share_of_the_goods_and_flagged():
    found = choose(offer(duty_included=None, ship_from="CN"), the_plan=plan(assumed_duty_share=0.305))
    # 7.00 x 0.305 = 2.135, half up; freight bears none
    assert (found["duty_cents"], found["landed_cost_cents"], found["is_duty_assumed"]) == (214, 1214, True)


def test_the_assumption_leaves_offers_alone_that_say_something():
    assumed = plan(assumed_duty_share=0.30)
    for facts, duty in (({"duty_e4": e4("1.00")}, 100), ({"duty_included": True}, 0), ({"ship_from": "US"}, 0)):
        found = choose(offer(**({"duty_included": None, "ship_from": "CN"} | facts)), the_plan=assumed)
        assert (found["duty_cents"], found["is_duty_assumed"]) == (duty, False)


def test_an_origin_is_free_of_duty_for_its_own_marketplace_only():
    free = {"US": frozenset({"US", "MX"})}
    assert choose(offer(duty_included=None, ship_from="MX"), duty_free=free)["duty_cents"] == 0
    british = {"marketplace": "UK", "currency": "GBP"}
    assert choose(offer(duty_included=None, ship_from="MX", currency="GBP"), candidate=british, duty_free=free)["lacks_duty"] is True


@pytest.mark.parametrize(
    ("market", "currency", "day", "basis", "duty"),
    [
        ("US", "USD", "2025-05-01", "border", 0),  # small parcels from China still enter free ...
        ("US", "USD", "2025-05-02", "unknown", 0),  # ... and no longer
        ("DE", "EUR", "2026-06-30", "unknown", 0),
        ("DE", "EUR", "2026-07-01", "border", 300),  # three euros an item
        ("UK", "GBP", "2026-11-22", "unknown", 0),
    ],
)
def test_what_the_border_takes_of_goods_from_china_goes_by_market_and_day(market, currency, day, basis, duty):
    candidate = {"marketplace": market, "currency": currency, "price_cents": 2999}
    found = choose(offer(duty_included=None, ship_from="CN", currency=currency), candidate=candidate, day=dt.date.fromisoformat(day))
    assert (found["duty_basis"], found["duty_cents"] or 0, found["lacks_duty"]) == (basis, duty, basis == "unknown")
    assert found["is_import_vat_unknown"] is False  # none in the United States, at the sale in Europe


def test_from_other_origins_small_parcels_entered_the_united_states_free_of_duty_a_little_longer():
    for day, basis in (("2025-08-28", "border"), ("2025-08-29", "unknown")):
        found = choose(offer(duty_included=None, ship_from="VN"), candidate={"price_cents": 2999}, day=dt.date.fromisoformat(day))
        assert found["duty_basis"] == basis


def test_above_the_limit_of_ioss_neither_the_duty_nor_the_vat_is_known():
    candidate = {"marketplace": "DE", "currency": "EUR", "price_cents": 15_001}
    found = choose(offer(duty_included=None, ship_from="CN", currency="EUR"), candidate=candidate)
    assert (found["duty_basis"], found["is_import_vat_unknown"]) == ("unknown", True)
    told = plan(assumed_duty_share=0.10, assumed_import_vat_share=0.19)
    found = choose(offer(duty_included=None, ship_from="CN", currency="EUR"), candidate=candidate, the_plan=told)
    # 7.00 x 10 % = 0.70; (7.00 + 3.00 + 0.70) x 19 % = 2.033
    assert cents(found) == (700, 300, 70, 700 + 300 + 70 + 203, 0)
    assert (found["import_vat_cents"], found["is_import_vat_assumed"]) == (203, True)


def test_duty_that_the_offer_includes_has_its_vat_included():
    candidate = {"marketplace": "JP", "currency": "JPY", "price_cents": 2999}
    assert choose(offer(ship_from="CN", currency="JPY"), candidate=candidate)["is_import_vat_unknown"] is False
    assert choose(offer(duty_included=False, duty_e4=e4("1"), ship_from="CN", currency="JPY"), candidate=candidate)["is_import_vat_unknown"]


def carriers_plan(**more):
    money = PLAN.money["USD"].model_copy(update={"label_rates": ((113.0, 3.40), (454.0, 4.80)), **more})
    return PLAN.model_copy(update={"money": PLAN.money | {"USD": money}})


@pytest.mark.parametrize(
    ("weight", "sides", "label", "assumed"),
    [
        (113.0, None, 340, False),
        (113.1, None, 480, False),
        (454.0, None, 480, False),
        (454.1, None, 450, True),  # beyond the carrier's table: the assumption, and a review for its weight
        (None, None, 600, True),
        (100.0, (100.0, 100.0, 56.0), 340, False),  # 560 cm3 / 5022 = 112 g
        (100.0, (100.0, 100.0, 57.0), 480, False),  # 570 cm3 / 5022 = 113.5 g: the volume is charged
    ],
)
def test_a_carrier_s_prices_by_weight_and_size_end_the_assumption(weight, sides, label, assumed):
    candidate = {"package_weight_g": weight}
    if sides:
        candidate |= dict(zip(("package_length_mm", "package_width_mm", "package_height_mm"), sides, strict=True))
    found = choose(offer(freight_to="agent"), candidate=candidate, the_plan=carriers_plan())
    assert (found["shipping_cost_cents"], found["is_label_assumed"], found["is_label_heavy"]) == (label, assumed, weight == 454.1)


def test_an_own_quote_takes_an_assumed_duty_along():
    told = plan(assumed_duty_share=0.30)
    frame = frame_of(offer(duty_included=None, ship_from="CN"), the_plan=told)
    frame = frame.assign(quoted_cost_cents=pd.array([500], "Int64"), own_quote_age_days=pd.array([3], "Int64"))
    (found,) = frame.assign(**quoted_costs(frame, told)).to_dict("records")
    assert cents(found)[:4] == (500, 300, 150, 950)


@pytest.mark.parametrize(("market", "currency", "origin"), [("UK", "GBP", "GB"), ("FR", "EUR", "DE"), ("JP", "JPY", "JP")])
def test_goods_that_lie_within_a_customs_area_pay_no_duty_there(market, currency, origin):
    found = choose(offer(duty_included=None, ship_from=origin, currency=currency), candidate={"marketplace": market, "currency": currency})
    assert (found["duty_cents"], found["lacks_duty"]) == (0, False)


# Currencies


def rates(*entries):
    return Rates.on(tuple(ExchangeRate(**{"from": a}, to=b, date=day, rate=rate) for a, b, day, rate in entries), AS_OF)


CNY = rates(("CNY", "USD", dt.date(2026, 11, 16), 0.1404))


def test_a_cost_in_yuan_is_that_of_its_dated_rate_to_the_cent():
    # 50.00 x 0.1404 = 7.02; 21.43 x 0.1404 = 3.008772
    found = choose(offer(unit="50.00", freight="21.43", currency="CNY"), rates=CNY)
    assert cents(found) == (702, 301, 0, 1003, 0)
    assert (found["lacks_rate"], found["is_rate_old"], found["is_cost_complete"]) == (False, False, True)


def test_a_pack_is_multiplied_before_it_is_converted_and_rounded():
    # 3 x 1.1111 x 0.1404 = 0.468; each alone would be 0.16
    assert cents(choose(offer(unit="1.1111", pack_quantity=3, currency="CNY"), rates=CNY))[0] == 47


@pytest.mark.parametrize(("yuan", "half"), [("0.25", 4), ("0.75", 11)])
def test_a_converted_half_cent_is_rounded_up(yuan, half):
    # 0.25 x 0.14 = 0.035 and 0.75 x 0.14 = 0.105, which binary fractions write a little below
    assert cents(choose(offer(unit=yuan, currency="CNY"), rates=rates(("CNY", "USD", TODAY, 0.14))))[0] == half


def test_without_a_rate_no_cost_is_known_and_the_lack_is_told():
    found = choose(offer(unit="50.00", currency="CNY"))
    assert cents(found) == (None,) * 5
    assert (found["lacks_rate"], found["is_cost_complete"], found["has_offer"]) == (True, False, True)


def test_a_rate_of_the_other_direction_is_no_rate():
    assert choose(offer(currency="CNY"), rates=rates(("USD", "CNY", TODAY, 7.12)))["lacks_rate"] is True


def test_the_newest_rate_on_or_before_the_day_is_in_force_whatever_their_order():
    days = [(dt.date(2026, 11, 1), 0.13), (dt.date(2026, 11, 22), 0.15), (dt.date(2026, 11, 23), 0.99), (dt.date(2026, 10, 1), 0.12)]
    for order in (days, days[::-1]):
        found = rates(*(("CNY", "USD", day, rate) for day, rate in order))
        assert dict(found.table) == {("CNY", "USD"): (0.15, 0)}


@pytest.mark.parametrize(("age", "old"), [(30, False), (31, True)])
def test_a_rate_older_than_thirty_days_is_flagged(age, old):
    found = choose(offer(currency="CNY"), rates=rates(("CNY", "USD", TODAY - dt.timedelta(days=age), 0.14)))
    assert found["is_rate_old"] is old


def test_an_offer_in_dollars_for_a_yen_listing_counts_whole_yen():
    yen = {"marketplace": "JP", "currency": "JPY"}
    found = choose(offer(unit="7.03"), candidate=yen, rates=rates(("USD", "JPY", TODAY, 150.0)))
    # 7.03 x 150 = 1054.5
    assert found["unit_cost_cents"] == 1055


# The plan's word about a supplier


WORDS = SupplierFacts(
    platform="1688", has_tracking=True, contact="li", freight_to="buyer", accepts_returns=True, handling_days_max=2, ship_from="CN"
)
OPEN = dict.fromkeys(
    ("platform", "has_tracking", "supplier_contact", "freight_to", "accepts_returns", "handling_days_max", "ship_from", "duty_included")
)


def test_the_plan_fills_what_an_offer_leaves_open():
    found = choose(offer(**OPEN), the_plan=plan({"S1": WORDS}, assumed_duty_share=0.10))
    assert (found["platform"], found["has_tracking"], found["supplier_contact"]) == ("1688", True, "li")
    assert (found["accepts_returns"], found["handling_days"], found["shipping_cost_cents"]) == (True, 2, 0)
    assert (found["duty_cents"], found["is_duty_assumed"]) == (70, True)


def test_the_plan_never_overrules_what_an_offer_says():
    word = SupplierFacts(platform="temu", has_tracking=False, contact="li", freight_to="agent", handling_days_max=9, ship_from="CN")
    assert choose(offer(), the_plan=plan({"S1": word})) == choose(offer())
    assert choose(offer(), the_plan=plan({"S1": word}))["platform"] == "cj"


def test_the_plan_s_word_is_for_its_own_supplier_only():
    assert choose(offer("S2", **OPEN), the_plan=plan({"S1": WORDS})) == choose(offer("S2", **OPEN))


def test_a_platform_from_the_plan_is_compared_as_rules_compare_it():
    found = choose(offer("S1", platform=None), offer("S2", unit="9.00"), the_plan=plan({"S1": SupplierFacts(platform="www.Taobao.com")}))
    assert found["supplier_id"] == "S2"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Taobao.com ", "taobao"), ("www.taobao.com", "taobao"), ("https://www.TMALL.com/shop/1", "tmall"), ("淘宝", "taobao"),
        ("拼多多", "pinduoduo"), ("ＡｌｉＥｘｐｒｅｓｓ", "aliexpress"), ("CJ", "cj"), ("1688", "1688"), (None, None), (" ", None),
    ],
)  # fmt: skip
def test_a_platform_is_the_same_however_it_is_written(written, folded):
    assert fold_platform(written) == folded


def test_of_a_range_of_handling_days_the_later_end_counts():
    assert choose(offer(handling_days_min=2, handling_days_max=1))["handling_days"] == 2
    assert choose(offer(handling_days_min=1, handling_days_max=2))["handling_days"] == 2


def test_the_age_of_a_quote_is_counted_to_the_as_of_day_and_unknown_without_a_date():
    assert choose(offer())["quote_age_days"] == 4
    assert choose(offer(quoted_at=None))["quote_age_days"] is None


# The seller's own quote


def quoted(cents_, *offers):
    frame = frame_of(*offers).assign(quoted_cost_cents=pd.array([cents_], "Int64"), own_quote_age_days=pd.array([3], "Int64"))
    found = quoted_costs(frame, PLAN)
    return [whole(found, f"{name}_cents")[0].tolist()[0] for name in ("unit_cost", "landed_cost")], bool(found["is_quoted"].iloc[0])


def test_an_own_quote_takes_the_place_of_the_unit_cost_and_leaves_freight_and_duty():
    assert quoted(600, offer(duty_included=False, duty_e4=e4("0.50"))) == ([600, 950], True)


def test_without_a_quote_the_offer_stands():
    assert quoted(None, offer()) == ([700, 1000], False)


def test_a_quote_without_an_offer_is_no_offer():
    assert quoted(600) == ([0, 0], False)
