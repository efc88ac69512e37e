"""Every rule just inside, at and just outside its limit (the table beside this file), and what the rules add up to."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import beta

from pipeline.config.files import load_configs, load_plan
from pipeline.errors import PlanError
from pipeline.stages.rules.limits import RULES, check_severities, evaluate
from pipeline.stages.rules.verdicts import missing_facts, reasons, rejects_alone, verdicts
from pipeline.tables.frames import to_frame

DIGITS = load_configs().digits
_plan = load_plan()
PLAN = _plan.model_copy(
    update={
        "categories": _plan.categories.model_copy(
            update={"authorised_brands": ("Good co", "good-key"), "blocked_brands": ("Bad Co", "bad-key")}
        ),
        "marketplaces": _plan.marketplaces.model_copy(update={"vat_set": ("FR",)}),
    }
)
CASES = list(csv.DictReader(Path(__file__).with_name("rules.csv").read_text(encoding="utf-8").splitlines(), delimiter="|"))

# A candidate of which nothing bad is known, column by column.
TEXT = {
    "marketplace": "US", "currency": "USD", "category_verdict": "pass", "category_reason": "home goods", "department": "home",
    "brand": "Generic", "brand_key": None, "brand_state": "generic", "matched_by": "product_id", "return_evidence": "E4", "platform": "cj",
    "supplier_contact": "ann", "vat_region": None, "fee_origin": "schedule", "fee_note": None, "fee_schedule": "us-2025",
    "fba_note": None, "hidden_by": None,
}  # fmt: skip
WHOLE = {
    "price_cents": 2999, "gate_price_cents": 2999, "net_profit_cents": 1100, "gate_net_profit_cents": 1100, "fba_net_profit_cents": 700, "unit_cost_cents": 700, "return_orders": 60,
    "handling_days": 1, "deliveries": 0, "late_deliveries": 0, "suppliers": 2, "quote_age_days": 4, "own_monthly_units": 10,
}  # fmt: skip
REAL = {
    "landed_share": 0.333, "gate_gross_margin": 0.517, "gate_net_margin": 0.36, "return_over_limit_probability": 0.05,
    "return_prior_mean": 0.061, "margin_hold_probability": 0.95, "amazon_share_90": 0.1, "out_of_stock_share_90": 0.1,
    "top_seller_share_90": 0.4,
}  # fmt: skip
FLAG = {
    "has_offer": True, "has_tracking": True, "has_money_plan": True, "is_pack_suspect": False, "is_offer_expired": False,
    "is_duty_unknown": False, "is_import_vat_unknown": False, "is_label_heavy": False, "is_gtin_invalid": False, "is_hazmat": False, "has_batteries": False,
    "is_heat_sensitive": False, "is_return_excess": False, "is_freight_scope_unknown": False, "lacks_rate": False, "lacks_freight": False,
    "lacks_duty": False,
}  # fmt: skip
SCHEMA = pa.schema(
    [(name, kind) for part, kind in ((TEXT, pa.string()), (WHOLE, pa.int64()), (REAL, pa.float64()), (FLAG, pa.bool_())) for name in part]
)
GOOD = TEXT | WHOLE | REAL | FLAG


def frame_of(*changes):
    """Good candidates, each with its changes."""
    for change in changes:
        assert set(change) <= set(GOOD)
    return to_frame(pa.Table.from_pylist([GOOD | change for change in changes], schema=SCHEMA))


def judged(*changes, plan=PLAN):
    """Reasons of each candidate, as dictionaries."""
    return reasons(evaluate(frame_of(*changes), plan, DIGITS), len(changes)).to_pylist()


def verdict(*changes, plan=PLAN):
    frame = frame_of(*changes)
    return list(verdicts(evaluate(frame, plan, DIGITS), missing_facts(frame)))


def read(facts):
    """`name=value;name=` as typed changes."""
    kinds = {"string": str, "int64": int, "double": float, "bool": {"yes": True, "no": False}.__getitem__}
    told = dict(part.split("=", 1) for part in facts.split(";"))
    return {name: kinds[str(SCHEMA.field(name).type)](value) if value else None for name, value in told.items()}


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']}: {case['what']}" for case in CASES])
def test_each_rule_answers_as_the_table_says(case):
    (found,) = judged(read(case["facts"]))
    own = [reason for reason in found if reason["rule"] == case["rule"]]
    assert [reason["severity"] for reason in own] == ([case["severity"]] if case["severity"] else [])
    if own:
        # Lateness has a probability for its scale, worked out in a test of its own.
        assert own[0]["distance"] == pytest.approx(float(case["distance"]), abs=0.001 if case["rule"] == "lateness" else 1e-9)


def test_the_table_shows_every_rule_holding_and_not_holding():
    assert {case["rule"] for case in CASES if case["severity"]} == {rule.id for rule in RULES}
    assert {case["rule"] for case in CASES if not case["severity"]} == {rule.id for rule in RULES}


def test_a_good_candidate_has_no_reason_and_passes():
    assert judged({}) == [[]]
    assert verdict({}) == ["passed"]


def test_a_reason_tells_value_and_limit_in_the_rule_s_unit():
    (found,) = judged({"gate_price_cents": 1550, "handling_days": 4, "return_over_limit_probability": 0.9, "landed_share": 0.6})
    told = {reason["rule"]: (reason["observed"], reason["limit"]) for reason in found}
    assert told == {"price_band": (15.5, 20.0), "handling_days": (4.0, 2.0), "return_risk": (0.9, 0.8), "landed_share": (0.6, 0.5)}


def test_money_of_a_currency_without_decimals_is_whole():
    plan = PLAN.model_copy(
        update={"money": PLAN.money | {"JPY": PLAN.money["USD"].model_copy(update={"price_min": 2000, "price_max": 4000})}}
    )
    (found,) = judged({"currency": "JPY", "gate_price_cents": 1999, "unit_cost_cents": 500}, plan=plan)
    assert [(reason["rule"], reason["distance"]) for reason in found] == [("price_band", 1.0)]


def test_reasons_list_the_worst_first_and_then_the_order_of_the_rules():
    (found,) = judged(
        {"suppliers": 1, "has_tracking": False, "is_hazmat": True, "quote_age_days": 99, "landed_share": 0.9, "supplier_contact": None}
    )
    told = [(reason["severity"], reason["rule"]) for reason in found]
    assert told == [
        ("reject", "landed_share"), ("reject", "tracking"), ("review", "stale_cost"), ("review", "hazmat"),
        ("warn", "suppliers_min"), ("warn", "supplier_contact"),
    ]  # fmt: skip


def test_each_candidate_has_its_own_reasons():
    found = judged({}, {"is_hazmat": True}, {}, {"landed_share": 0.9})
    assert [[reason["rule"] for reason in own] for own in found] == [[], ["hazmat"], [], ["landed_share"]]


def test_a_detail_names_the_brand_platform_or_open_question():
    (found,) = judged({"brand": "LEGO", "brand_state": "known", "platform": None, "currency": "EUR", "is_pack_suspect": True})
    told = {reason["rule"]: reason["detail"] for reason in found}
    assert told["brand_authorisation"] == "LEGO" and told["source_platform"] == "platform unknown"
    assert told["price_band"] == "no price band for EUR" and told["match_suspect"] == "pack counts of title and offer differ"


def test_a_rule_that_holds_twice_over_gives_one_reason_the_worse():
    (found,) = judged({"handling_days": 5, "landed_share": 0.05, "is_pack_suspect": True, "unit_cost_cents": 1})
    assert [reason["rule"] for reason in found] == ["handling_days", "match_suspect"]


NO_OFFER = {
    "has_offer": False, "matched_by": None, "platform": None, "supplier_contact": None, "handling_days": None, "has_tracking": None,
    "suppliers": 0, "quote_age_days": None, "unit_cost_cents": None, "landed_share": None, "gate_gross_margin": None,
    "gate_net_margin": None, "gate_net_profit_cents": None, "margin_hold_probability": None, "deliveries": None, "late_deliveries": None,
}  # fmt: skip


def test_without_an_offer_no_rule_about_offers_speaks_and_the_verdict_is_incomplete():
    assert judged(NO_OFFER) == [[]]
    assert verdict(NO_OFFER) == ["incomplete"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, []),
        ({"price_cents": None}, ["price"]),
        ({"currency": None}, ["currency"]),
        ({"fee_schedule": None}, ["fee_schedule"]),
        (NO_OFFER, ["offer"]),
        (NO_OFFER | {"lacks_rate": True, "lacks_duty": True, "lacks_freight": True}, ["offer"]),
        ({"lacks_rate": True}, ["exchange_rate"]),
        ({"lacks_freight": True}, ["freight"]),
        ({"lacks_duty": True}, ["duty"]),
        ({"has_money_plan": False}, ["money_plan"]),
        (NO_OFFER | {"price_cents": None, "fee_schedule": None}, ["price", "fee_schedule", "offer"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_missing_is_named(change, names):
    assert list(missing_facts(frame_of(change))) == [names]


REJECT, INCOMPLETE, REVIEW, WARN = {"landed_share": 0.9}, {"lacks_duty": True}, {"is_hazmat": True}, {"suppliers": 1}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (REJECT, "rejected"),
        (REJECT | INCOMPLETE | REVIEW | WARN, "rejected"),
        (INCOMPLETE | REVIEW | WARN, "incomplete"),
        (INCOMPLETE, "incomplete"),
        (REVIEW | WARN, "review"),
        (WARN, "passed"),
        ({}, "passed"),
    ],
)
def test_the_first_verdict_that_applies_is_given(change, wanted):
    assert verdict(change) == [wanted]


def test_a_verdict_does_not_depend_on_the_candidates_beside_it():
    changes = [REJECT, {}, INCOMPLETE, REVIEW | WARN, WARN, NO_OFFER]
    assert verdict(*changes) == [one for change in changes for one in verdict(change)]


def test_lateness_is_the_chance_of_a_beta_that_the_true_rate_is_above_four_percent():
    # Prior: 10 % of 10 deliveries. Of 40 deliveries 4 were late: Beta(1 + 4, 9 + 36).
    (found,) = judged({"deliveries": 40, "late_deliveries": 4})
    over = beta.sf(0.04, 5, 45)
    assert over > 0.90
    assert [(reason["rule"], reason["severity"], reason["observed"]) for reason in found] == [("lateness", "reject", pytest.approx(over))]
    assert found[0]["distance"] == pytest.approx(over - 0.90, abs=1e-8)


@pytest.mark.parametrize(("deliveries", "severity"), [(29, "warn"), (30, "reject")])
def test_lateness_rejects_only_from_thirty_deliveries_on(deliveries, severity):
    (found,) = judged({"deliveries": deliveries, "late_deliveries": 6})
    assert [reason["severity"] for reason in found] == [severity]


def test_lateness_at_its_limit_rejects():
    over = float(beta.sf(0.04, 5, 45))
    plan = PLAN.model_copy(update={"rules": PLAN.rules.model_copy(update={"late_reject_probability": over})})
    above = PLAN.model_copy(update={"rules": PLAN.rules.model_copy(update={"late_reject_probability": float(np.nextafter(over, 1))})})
    assert verdict({"deliveries": 40, "late_deliveries": 4}, plan=plan) == ["rejected"]
    assert verdict({"deliveries": 40, "late_deliveries": 4}, plan=above) == ["passed"]


def severity(**own):
    return PLAN.model_copy(update={"severity": own})


def test_the_plan_makes_a_rule_milder_stricter_or_silent():
    assert verdict(WARN, plan=severity(suppliers_min="reject")) == ["rejected"]
    assert verdict(REJECT, plan=severity(landed_share="warn")) == ["passed"]
    assert judged(REJECT, plan=severity(landed_share="off")) == [[]]


def test_a_stricter_severity_touches_only_candidates_for_which_the_rule_does_not_hold():
    assert verdict({}, {"suppliers": 1}, plan=severity(suppliers_min="review")) == ["passed", "review"]


def test_a_severity_of_a_rule_that_is_not_there_is_refused_with_the_nearest_name():
    with pytest.raises(PlanError, match=r"unknown rule 'landed_shares' in \[severity\]; did you mean 'landed_share'\?$"):
        check_severities(severity(landed_shares="warn"))
    check_severities(severity(landed_share="warn"))


def alone(*changes):
    frame = frame_of(*changes)
    return rejects_alone(evaluate(frame, PLAN, DIGITS), frame)


def test_a_rule_is_counted_where_it_rejects_alone_and_not_where_another_does_too():
    slow, dear = {"handling_days": 3}, {"landed_share": 0.9}
    assert alone(slow, slow, dear, slow | dear, {}) == {"eligible": 5, "handling_days": 2, "landed_share": 1}


@pytest.mark.parametrize("excluded", [NO_OFFER, {"gate_price_cents": 1999}, {"category_verdict": "reject"}, {"brand": "Bad Co"}])
def test_candidates_without_an_offer_out_of_band_or_excluded_are_not_counted(excluded):
    assert alone(excluded, {"handling_days": 3}) == {"eligible": 1, "handling_days": 1}


def test_reviews_and_warnings_reject_nothing():
    assert alone({"is_hazmat": True}, {"suppliers": 1}) == {"eligible": 2}


def test_a_blocked_brand_that_only_the_title_names_is_blocked():
    assert verdict({"brand": None, "brand_key": "bad-key", "brand_state": "known"}) == ["rejected"]


def test_a_platform_that_the_plan_forbids_is_forbidden_however_the_plan_writes_it():
    plan = PLAN.model_copy(update={"rules": PLAN.rules.model_copy(update={"forbidden_platforms": ("DHgate.com",)})})
    assert verdict({"platform": "dhgate"}, plan=plan) == ["rejected"]


def test_no_candidates_are_no_error():
    assert judged() == [] and verdict() == [] and alone() == {"eligible": 0}
