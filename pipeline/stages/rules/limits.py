"""The table of rules: the value that each looks at, its limit, and its severity when it fails.

All rules that can be evaluated are evaluated for every candidate, so that the ledger shows every reason and not the first. The table
with their sources is `RULES` (`docs/rules.md` is made from it); what they add up to stands in `verdicts`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import beta

from pipeline.config.plan import Plan
from pipeline.errors import PlanError
from pipeline.stages.offers.choice import fold_platform
from pipeline.stages.rules.outcomes import PASS, REJECT, REVIEW, SEVERITIES, WARN, Facts, Outcome, at_least, at_most, flagged, worst
from pipeline.tables.columns import Columns


def _category(facts: Facts, plan: Plan) -> Outcome:
    verdict = facts.text("category_verdict")
    severity = np.where(verdict == "reject", REJECT, np.where(verdict == "review", REVIEW, PASS))
    known = pd.notna(verdict)
    observed, zero = np.where(known, (severity > PASS).astype(np.float64), np.nan), np.zeros(facts.n)
    return Outcome(severity, known, observed, zero, zero, facts.text("category_reason"))


def _brand_authorisation(facts: Facts, plan: Plan) -> Outcome:
    known_brand = facts.text("brand_state") == "known"
    authorised = {brand.casefold() for brand in plan.categories.authorised_brands}
    keys, raw = facts.text("brand_key"), facts.text("brand")
    allowed = np.array(
        [(k or "").casefold() in authorised or (b or "").casefold() in authorised for k, b in zip(keys, raw, strict=True)], bool
    )
    outside_apparel = facts.text("department") != "apparel"
    return flagged(known_brand & ~allowed & outside_apparel, np.ones(facts.n, bool), REVIEW, raw)


def _brand_blocked(facts: Facts, plan: Plan) -> Outcome:
    blocked = {brand.casefold() for brand in plan.categories.blocked_brands}
    keys, raw = facts.text("brand_key"), facts.text("brand")
    hit = np.array([(k or "").casefold() in blocked or (b or "").casefold() in blocked for k, b in zip(keys, raw, strict=True)], bool)
    return flagged(hit, np.ones(facts.n, bool), REJECT, np.where(pd.isna(raw), keys, raw))


def _price_band(facts: Facts, plan: Plan) -> Outcome:
    gate, currency = facts.money("gate_price_cents"), facts.text("currency")
    low, high = np.full(facts.n, np.nan), np.full(facts.n, np.nan)
    for code, money in plan.money.items():
        if money.price_min is not None and money.price_max is not None:
            low[currency == code], high[currency == code] = money.price_min, money.price_max
    unbanded = ~np.isnan(gate) & np.isnan(low)
    banded = worst(at_least(gate, low, REJECT), at_most(gate, high, REJECT))
    detail = np.array([f"no price band for {code}" for code in currency], dtype=object)
    return worst(banded, flagged(unbanded, unbanded, REVIEW, detail))


def _net_profit(facts: Facts, plan: Plan) -> Outcome:
    least = np.full(facts.n, np.nan)
    for code, money in plan.money.items():
        least[facts.text("currency") == code] = money.net_profit_min
    return at_least(facts.money("gate_net_profit_cents"), least, REJECT)


def _match_suspect(facts: Facts, plan: Plan) -> Outcome:
    share = facts.real("landed_share")
    cheap = at_least(share, plan.rules.landed_share_suspect, REVIEW)
    # A label or freight may hide that the goods themselves cost next to nothing: one piece priced against a pack.
    goods = facts.money("unit_cost_cents") / facts.money("gate_price_cents")
    hidden = at_least(goods, plan.rules.goods_share_suspect, REVIEW)
    packs, _ = facts.flag("is_pack_suspect")
    by_title = facts.text("matched_by") == "title"
    others = (packs | by_title) & facts.has_offer
    detail = np.where(packs, "pack counts of title and offer differ", "offer matched by its title alone").astype(object)
    return worst(cheap, hidden, flagged(others, facts.has_offer, REVIEW, detail))


def _return_risk(facts: Facts, plan: Plan) -> Outcome:
    over, prior, orders = (
        facts.real("return_over_limit_probability"),
        facts.real("return_prior_mean"),
        facts.real("return_orders"),
    )
    returns = plan.returns
    measured = (orders > 0) | (facts.text("return_evidence") == "E2")
    may_reject = measured | (prior > returns.return_rate_hard_max)
    limits = np.where(over > returns.review_probability, returns.review_probability, returns.warn_probability)
    severity = np.where(over > returns.review_probability, REVIEW, np.where(over > returns.warn_probability, WARN, PASS))
    rejected = (over > returns.reject_probability) & may_reject
    severity, limits = np.where(rejected, REJECT, severity), np.where(rejected, returns.reject_probability, limits)
    return Outcome(severity, ~np.isnan(over), over, limits, np.where(severity > PASS, over - limits, 0.0))


def _return_unmeasured(facts: Facts, plan: Plan) -> Outcome:
    return at_least(facts.real("return_orders"), plan.returns.orders_min, WARN)


def _platform(facts: Facts, plan: Plan) -> Outcome:
    platform = facts.text("platform")
    forbidden = np.isin(platform.astype(str), [fold_platform(name) or "" for name in plan.rules.forbidden_platforms])
    return worst(
        flagged(forbidden & facts.has_offer, facts.has_offer, REJECT, platform),
        flagged(pd.isna(platform) & facts.has_offer, facts.has_offer, REVIEW, np.full(facts.n, "platform unknown", dtype=object)),
    )


def _handling(facts: Facts, plan: Plan) -> Outcome:
    value = np.where(facts.has_offer, facts.real("handling_days"), np.nan)
    unknown = np.isnan(value) & facts.has_offer
    late = worst(at_most(value, plan.rules.handling_days_max, REJECT), at_most(value, plan.rules.handling_days_warn, WARN))
    return worst(late, flagged(unknown, unknown, REVIEW, np.full(facts.n, "handling days unknown", dtype=object)))


def _lateness(facts: Facts, plan: Plan) -> Outcome:
    rules = plan.rules
    late, deliveries = facts.real("late_deliveries"), facts.real("deliveries")
    a = rules.late_prior_mean * rules.late_prior_n
    over = beta.sf(rules.late_rate_max, a + np.nan_to_num(late), rules.late_prior_n - a + np.nan_to_num(deliveries) - np.nan_to_num(late))
    over = np.where(facts.has_offer & (np.nan_to_num(deliveries) > 0), over, np.nan)
    severity = np.where(deliveries >= rules.late_deliveries_min, REJECT, WARN)
    # From the limit on, not above it: at 0.90 the supplier is as good as certainly late too often.
    with np.errstate(invalid="ignore"):
        fails = over >= rules.late_reject_probability
    limit = np.full(facts.n, rules.late_reject_probability)
    return Outcome(np.where(fails, severity, PASS), ~np.isnan(over), over, limit, np.where(fails, over - limit, 0.0))


def _tracking(facts: Facts, plan: Plan) -> Outcome:
    value, known = facts.flag("has_tracking")
    unknown = np.full(facts.n, "tracking unknown", dtype=object)
    return worst(
        flagged(known & ~value & facts.has_offer, facts.has_offer & known, REJECT),
        flagged(~known & facts.has_offer, facts.has_offer & ~known, REVIEW, unknown),
    )


def _stale_cost(facts: Facts, plan: Plan) -> Outcome:
    age = np.where(facts.has_offer, facts.real("quote_age_days"), np.nan)
    undated = np.isnan(age) & facts.has_offer
    detail = np.full(facts.n, "the quote has no date", dtype=object)
    return worst(at_most(age, plan.rules.quote_age_days_max, REVIEW), flagged(undated, undated, WARN, detail))


def _flag_rule(column: str, severity: int, detail: str) -> Callable[[Facts, Plan], Outcome]:
    def check(facts: Facts, plan: Plan) -> Outcome:
        value, known = facts.flag(column)
        return flagged(value & known, known, severity, np.full(facts.n, detail, dtype=object))

    return check


def _hazmat(facts: Facts, plan: Plan) -> Outcome:
    severity = {"pass": PASS, "review": REVIEW, "reject": REJECT}[plan.categories.hazmat]
    return _flag_rule("is_hazmat", severity, "dangerous goods")(facts, plan)


def _batteries(facts: Facts, plan: Plan) -> Outcome:
    severity = {"pass": PASS, "review": REVIEW, "reject": REJECT}[plan.categories.batteries]
    return _flag_rule("has_batteries", severity, "batteries")(facts, plan)


def _suppliers(facts: Facts, plan: Plan) -> Outcome:
    return at_least(np.where(facts.has_offer, facts.real("suppliers"), np.nan), plan.rules.suppliers_min, WARN)


def _contact(facts: Facts, plan: Plan) -> Outcome:
    return flagged(pd.isna(facts.text("supplier_contact")) & facts.has_offer, facts.has_offer, WARN)


def _share_rule(column: str, limit: str, severity: int) -> Callable[[Facts, Plan], Outcome]:
    return lambda facts, plan: at_most(facts.real(column), getattr(plan.rules, limit), severity)


def _marketplace(facts: Facts, plan: Plan) -> Outcome:
    market, region = facts.text("marketplace"), facts.text("vat_region")
    no_vat = pd.notna(region) & ~np.isin(market.astype(str), plan.marketplaces.vat_set)
    japan = market == "JP"
    detail = np.where(japan, "delivery within 2 days is expected", "VAT is not set up").astype(object)
    return flagged(no_vat | japan, np.ones(facts.n, bool), WARN, detail)


def _consider_fba(facts: Facts, plan: Plan) -> Outcome:
    outcome = at_most(facts.real("own_monthly_units"), plan.rules.fba_units_month, WARN)
    merchant, amazon, note = facts.money("net_profit_cents"), facts.money("fba_net_profit_cents"), facts.text("fba_note")
    detail = np.full(facts.n, None, dtype=object)
    for row in np.flatnonzero((outcome.severity > PASS) & ~np.isnan(merchant) & ~np.isnan(amazon)):
        detail[row] = f"an order earns {merchant[row]:,.2f} sent by the seller, {amazon[row]:,.2f} sent by Amazon" + (
            f" ({note[row]})" if note[row] else ""
        )
    return replace(outcome, detail=detail)


def _fee_unknown(facts: Facts, plan: Plan) -> Outcome:
    origin, note = facts.text("fee_origin"), facts.text("fee_note")
    words = {"stated": "the source's own referral rate is used", "fallback": "no fee line: the fallback rate is used"}
    detail = np.array([words.get(word) for word in origin], dtype=object)
    assumed = pd.notna(detail)
    uncertain = origin == "uncertain"
    return worst(
        flagged(assumed, pd.notna(origin), REVIEW, detail),
        flagged(uncertain, pd.notna(origin), WARN, note),
    )


def _decision(facts: Facts, plan: Plan) -> Outcome:
    hidden = facts.text("hidden_by")
    return flagged(pd.notna(hidden), np.ones(facts.n, bool), WARN, hidden)


@dataclass(frozen=True)
class Rule:
    """One rule: id, where it comes from, the unit of its figures, what it asks, and its check."""

    id: str
    source: str
    unit: str
    asks: str
    check: Callable[[Facts, Plan], Outcome]


RULES: tuple[Rule, ...] = (
    Rule("category", "G-27", "yes/no", "no electronics, food, branded apparel or other excluded goods", _category),
    Rule("brand_authorisation", "G-42", "yes/no", "a known brand needs the right to sell it", _brand_authorisation),
    Rule("brand_blocked", "G-42", "yes/no", "not a brand on the seller's block list", _brand_blocked),
    Rule("price_band", "G-20", "money", "gate price within the band", _price_band),
    Rule("landed_share", "G-19", "share", "goods, duty, freight and label within this share of the gate price",
         lambda f, p: at_most(f.real("landed_share"), p.rules.landed_share_max, REJECT)),
    Rule("gross_margin", "G-21", "share", "gross margin at the gate price at least",
         lambda f, p: at_least(f.real("gate_gross_margin"), p.rules.gross_margin_min, REJECT)),
    Rule("net_margin", "own", "share", "net margin at the gate price, after advertising and returns, at least",
         lambda f, p: at_least(f.real("gate_net_margin"), p.rules.net_margin_min, REJECT)),
    Rule("net_profit", "own", "money", "net profit of an order at the gate price at least", _net_profit),
    Rule("match_suspect", "own", "share", "not too good to be the same product", _match_suspect),
    Rule("return_risk", "G-09", "probability", "chance that more orders come back than the limit allows", _return_risk),
    Rule("return_unmeasured", "own", "orders", "mature orders behind the return rate at least", _return_unmeasured),
    Rule("margin_hold", "G-22", "probability", "share of the next 28 days at which the net margin holds, at least",
         lambda f, p: at_least(f.real("margin_hold_probability"), p.rules.margin_hold_probability_min, REVIEW)),
    Rule("source_platform", "G-15", "yes/no", "not bought from another retailer", _platform),
    Rule("handling_days", "G-02", "days", "the supplier ships within", _handling),
    Rule("lateness", "G-08", "probability", "chance that the supplier is late too often", _lateness),
    Rule("suppliers_min", "G-38", "suppliers", "distinct suppliers at least", _suppliers),
    Rule("tracking", "G-14", "yes/no", "the supplier gives tracking", _tracking),
    Rule("stale_cost", "own", "days", "the quote is no older than", _stale_cost),
    Rule("offer_expired", "own", "yes/no", "the offer is still valid and in stock",
         _flag_rule("is_offer_expired", REVIEW, "the offer has run out or has no stock")),
    Rule("duty_unknown", "own", "yes/no", "origin or duty is told",
         _flag_rule("is_duty_unknown", REVIEW, "neither origin nor duty is told: duty is taken as nil")),
    Rule("label_unknown", "G-33", "yes/no", "the label of a heavy parcel is known", _flag_rule(
        "is_label_heavy", REVIEW, "too heavy to assume the label's cost; ask for a carrier's price")),
    Rule("supplier_contact", "G-30", "yes/no", "the supplier's contact is known", _contact),
    Rule("gtin_invalid", "G-29", "yes/no", "every GTIN has its length and check digit",
         _flag_rule("is_gtin_invalid", WARN, "a GTIN fails its check digit")),
    Rule("hazmat", "own", "yes/no", "no dangerous goods", _hazmat),
    Rule("batteries", "own", "yes/no", "needs no batteries", _batteries),
    Rule("heat_sensitive", "own", "yes/no", "not heat sensitive", _flag_rule("is_heat_sensitive", REVIEW, "heat sensitive")),
    Rule("amazon_share", "own", "share", "Amazon's share of the buy box at most",
         _share_rule("amazon_share_90", "amazon_share_max", REVIEW)),
    Rule("out_of_stock", "own", "share", "share of 90 days out of stock at most",
         _share_rule("out_of_stock_share_90", "out_of_stock_share_max", REVIEW)),
    Rule("top_seller_share", "own", "share", "one seller's share of the buy box at most",
         _share_rule("top_seller_share_90", "top_seller_share_max", REVIEW)),
    Rule("marketplace", "G-25", "yes/no", "VAT and delivery of the marketplace are settled", _marketplace),
    Rule("consider_fba", "G-41", "units", "own sales a month at most, else Amazon's fulfilment may be cheaper", _consider_fba),
    Rule("fee_unknown", "G-32", "yes/no", "the fee schedule knows the category, and all of its fee", _fee_unknown),
    Rule("import_vat_unknown", "G-25", "yes/no", "VAT at the border is none, charged at the sale, or told", _flag_rule(
        "is_import_vat_unknown", WARN, "VAT may be due at the border and is not counted")),
    Rule("returns_exceed_shipped", "own", "yes/no", "no more orders came back than were sold",
         _flag_rule("is_return_excess", WARN, "more came back than was sold: the window is wrong, the counts are not used")),
    Rule("freight_scope_unknown", "own", "yes/no", "it is known how far the freight reaches",
         _flag_rule("is_freight_scope_unknown", WARN, "freight scope unknown: the label is added")),
    Rule("decision", "own", "yes/no", "the seller has not set it aside", _decision),
)  # fmt: skip


def evaluate(frame: Columns, plan: Plan, digits: Mapping[str, int]) -> list[tuple[Rule, Outcome]]:
    """Every rule's outcome for the n rows of `frame`, in the order of `RULES`, with the plan's own severities."""
    facts = Facts(frame, digits)
    return [(rule, _with_severity(rule.check(facts, plan), plan.severity.get(rule.id))) for rule in RULES]


def _with_severity(outcome: Outcome, severity: str | None) -> Outcome:
    if severity is None:
        return outcome
    level = PASS if severity == "off" else SEVERITIES.index(severity)
    return replace(outcome, severity=np.where(outcome.severity > PASS, level, PASS))


def check_severities(plan: Plan) -> None:
    """Raise `PlanError` for a severity of a rule that does not exist."""
    known = [rule.id for rule in RULES]
    for name in plan.severity:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise PlanError(f"plan: unknown rule {name!r} in [severity]; {hint}")
