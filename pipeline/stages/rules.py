"""Every rule with its limit, and the verdict they add up to.

All rules that can be evaluated are evaluated for every candidate, so that the ledger shows every reason and not the first. A rule that
does not hold becomes a reason {rule, severity, observed, limit, distance, detail}; `distance` is how far it is from holding, in the
rule's unit, and 0 where a rule has no scale. The table of rules with their sources is `RULES` (`docs/rules.md` is made from it).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import beta

from pipeline.errors import PlanError
from pipeline.frames import flag, real, text, whole
from pipeline.plan import Plan
from pipeline.stages.offers import fold_platform

PASS, WARN, REVIEW, REJECT = 0, 1, 2, 3
SEVERITIES = ("pass", "warn", "review", "reject")
REASON = pa.struct(
    [
        ("rule", pa.string()),
        ("severity", pa.string()),
        ("observed", pa.float64()),
        ("limit", pa.float64()),
        ("distance", pa.float64()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class Outcome:
    """A rule's answer for n candidates: severity (0 = holds), which were evaluated, and value against limit."""

    severity: np.ndarray
    known: np.ndarray
    observed: np.ndarray
    limit: np.ndarray
    distance: np.ndarray
    detail: np.ndarray | None = None


class Facts:
    """Columns of the candidates as arrays, each turned once; money in major units."""

    def __init__(self, frame: pd.DataFrame, digits: Mapping[str, int]) -> None:
        self.frame = frame
        self.n = len(frame)
        self._scale = np.array([10.0 ** digits.get(code or "", 2) for code in text(frame, "currency")])

    def real(self, name: str) -> np.ndarray:
        """Float64 with NaN where missing."""
        return real(self.frame, name)

    def money(self, name: str) -> np.ndarray:
        """Major units, NaN where missing."""
        value, known = whole(self.frame, name)
        return np.where(known, value / self._scale, np.nan)

    def flag(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(value, known)."""
        return flag(self.frame, name)

    def text(self, name: str) -> np.ndarray:
        """Objects, None where missing."""
        return text(self.frame, name)

    @property
    def has_offer(self) -> np.ndarray:
        """Was an offer chosen?"""
        return flag(self.frame, "has_offer")[0]


def _at_most(value: np.ndarray, limit: np.ndarray | float, severity: int) -> Outcome:
    return _bounded(value, limit, severity, lambda v, bound: v - bound)


def _at_least(value: np.ndarray, limit: np.ndarray | float, severity: int) -> Outcome:
    return _bounded(value, limit, severity, lambda v, bound: bound - v)


def _bounded(
    value: np.ndarray, limit: np.ndarray | float, severity: int, excess: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Outcome:
    bound = np.broadcast_to(np.asarray(limit, dtype=np.float64), value.shape)
    known = ~np.isnan(value) & ~np.isnan(bound)
    with np.errstate(invalid="ignore"):
        over = excess(value, bound)
        fails = known & (over > 1e-12)
    return Outcome(np.where(fails, severity, PASS), known, value, bound, np.where(fails, over, 0.0))


def _flagged(fails: np.ndarray, known: np.ndarray, severity: int, detail: np.ndarray | None = None) -> Outcome:
    """A rule without a scale: observed 1 where it fails, limit 0, distance 0."""
    observed = np.where(known, fails.astype(np.float64), np.nan)
    zero = np.zeros(len(fails))
    return Outcome(np.where(fails & known, severity, PASS), known, observed, zero, zero, detail)


def _worst(*outcomes: Outcome) -> Outcome:
    """Of several answers to one rule the most severe per candidate; an evaluated one before one that is not."""
    best = outcomes[0]
    for other in outcomes[1:]:
        take = other.known & ((other.severity > best.severity) | ~best.known)
        detail = best.detail
        if detail is not None or other.detail is not None:
            empty = np.full(len(take), None, dtype=object)
            detail = np.where(take, empty if other.detail is None else other.detail, empty if detail is None else detail)
        best = Outcome(
            np.where(take, other.severity, best.severity),
            best.known | other.known,
            np.where(take, other.observed, best.observed),
            np.where(take, other.limit, best.limit),
            np.where(take, other.distance, best.distance),
            detail,
        )
    return best


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
    return _flagged(known_brand & ~allowed & outside_apparel, np.ones(facts.n, bool), REVIEW, raw)


def _brand_blocked(facts: Facts, plan: Plan) -> Outcome:
    blocked = {brand.casefold() for brand in plan.categories.blocked_brands}
    keys, raw = facts.text("brand_key"), facts.text("brand")
    hit = np.array([(k or "").casefold() in blocked or (b or "").casefold() in blocked for k, b in zip(keys, raw, strict=True)], bool)
    return _flagged(hit, np.ones(facts.n, bool), REJECT, np.where(pd.isna(raw), keys, raw))


def _price_band(facts: Facts, plan: Plan) -> Outcome:
    gate, currency = facts.money("gate_price_cents"), facts.text("currency")
    low, high = np.full(facts.n, np.nan), np.full(facts.n, np.nan)
    for code, money in plan.money.items():
        if money.price_min is not None and money.price_max is not None:
            low[currency == code], high[currency == code] = money.price_min, money.price_max
    unbanded = ~np.isnan(gate) & np.isnan(low)
    banded = _worst(_at_least(gate, low, REJECT), _at_most(gate, high, REJECT))
    detail = np.array([f"no price band for {code}" for code in currency], dtype=object)
    return _worst(banded, _flagged(unbanded, unbanded, REVIEW, detail))


def _net_profit(facts: Facts, plan: Plan) -> Outcome:
    least = np.full(facts.n, np.nan)
    for code, money in plan.money.items():
        least[facts.text("currency") == code] = money.net_profit_min
    return _at_least(facts.money("gate_net_profit_cents"), least, REJECT)


def _match_suspect(facts: Facts, plan: Plan) -> Outcome:
    share = facts.real("landed_share")
    cheap = _at_least(share, plan.rules.landed_share_suspect, REVIEW)
    # A label or freight may hide that the goods themselves cost next to nothing: one piece priced against a pack.
    goods = facts.money("unit_cost_cents") / facts.money("gate_price_cents")
    hidden = _at_least(goods, plan.rules.goods_share_suspect, REVIEW)
    packs, _ = facts.flag("is_pack_suspect")
    by_title = facts.text("matched_by") == "title"
    others = (packs | by_title) & facts.has_offer
    detail = np.where(packs, "pack counts of title and offer differ", "offer matched by its title alone").astype(object)
    return _worst(cheap, hidden, _flagged(others, facts.has_offer, REVIEW, detail))


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
    return _at_least(facts.real("return_orders"), plan.returns.orders_min, WARN)


def _platform(facts: Facts, plan: Plan) -> Outcome:
    platform = facts.text("platform")
    forbidden = np.isin(platform.astype(str), [fold_platform(name) or "" for name in plan.rules.forbidden_platforms])
    return _worst(
        _flagged(forbidden & facts.has_offer, facts.has_offer, REJECT, platform),
        _flagged(pd.isna(platform) & facts.has_offer, facts.has_offer, REVIEW, np.full(facts.n, "platform unknown", dtype=object)),
    )


def _handling(facts: Facts, plan: Plan) -> Outcome:
    value = np.where(facts.has_offer, facts.real("handling_days"), np.nan)
    unknown = np.isnan(value) & facts.has_offer
    late = _worst(_at_most(value, plan.rules.handling_days_max, REJECT), _at_most(value, plan.rules.handling_days_warn, WARN))
    return _worst(late, _flagged(unknown, unknown, REVIEW, np.full(facts.n, "handling days unknown", dtype=object)))


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
    return _worst(
        _flagged(known & ~value & facts.has_offer, facts.has_offer & known, REJECT),
        _flagged(~known & facts.has_offer, facts.has_offer & ~known, REVIEW, unknown),
    )


def _stale_cost(facts: Facts, plan: Plan) -> Outcome:
    return _at_most(np.where(facts.has_offer, facts.real("quote_age_days"), np.nan), plan.rules.quote_age_days_max, REVIEW)


def _flag_rule(column: str, severity: int, detail: str) -> Callable[[Facts, Plan], Outcome]:
    def check(facts: Facts, plan: Plan) -> Outcome:
        value, known = facts.flag(column)
        return _flagged(value & known, known, severity, np.full(facts.n, detail, dtype=object))

    return check


def _suppliers(facts: Facts, plan: Plan) -> Outcome:
    return _at_least(np.where(facts.has_offer, facts.real("suppliers"), np.nan), plan.rules.suppliers_min, WARN)


def _contact(facts: Facts, plan: Plan) -> Outcome:
    return _flagged(pd.isna(facts.text("supplier_contact")) & facts.has_offer, facts.has_offer, WARN)


def _share_rule(column: str, limit: str, severity: int) -> Callable[[Facts, Plan], Outcome]:
    return lambda facts, plan: _at_most(facts.real(column), getattr(plan.rules, limit), severity)


def _marketplace(facts: Facts, plan: Plan) -> Outcome:
    market, region = facts.text("marketplace"), facts.text("vat_region")
    no_vat = pd.notna(region) & ~np.isin(market.astype(str), plan.marketplaces.vat_set)
    japan = market == "JP"
    detail = np.where(japan, "delivery within 2 days is expected", "VAT is not set up").astype(object)
    return _flagged(no_vat | japan, np.ones(facts.n, bool), WARN, detail)


def _consider_fba(facts: Facts, plan: Plan) -> Outcome:
    return _at_most(facts.real("own_monthly_units"), plan.rules.fba_units_month, WARN)


def _fee_unknown(facts: Facts, plan: Plan) -> Outcome:
    origin = facts.text("fee_origin")
    assumed = np.isin(origin.astype(str), ["stated", "fallback"])
    detail = np.where(origin == "stated", "the source's own referral rate is used", "no fee line: the fallback rate is used").astype(object)
    return _flagged(assumed, pd.notna(origin), REVIEW, detail)


def _decision(facts: Facts, plan: Plan) -> Outcome:
    hidden = facts.text("hidden_by")
    return _flagged(pd.notna(hidden), np.ones(facts.n, bool), WARN, hidden)


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
         lambda f, p: _at_most(f.real("landed_share"), p.rules.landed_share_max, REJECT)),
    Rule("gross_margin", "G-21", "share", "gross margin at the gate price at least",
         lambda f, p: _at_least(f.real("gate_gross_margin"), p.rules.gross_margin_min, REJECT)),
    Rule("net_margin", "own", "share", "net margin at the gate price, after advertising and returns, at least",
         lambda f, p: _at_least(f.real("gate_net_margin"), p.rules.net_margin_min, REJECT)),
    Rule("net_profit", "own", "money", "net profit of an order at the gate price at least", _net_profit),
    Rule("match_suspect", "own", "share", "not too good to be the same product", _match_suspect),
    Rule("return_risk", "G-09", "probability", "chance that more orders come back than the limit allows", _return_risk),
    Rule("return_unmeasured", "own", "orders", "mature orders behind the return rate at least", _return_unmeasured),
    Rule("margin_hold", "G-22", "probability", "share of the next 28 days at which the net margin holds, at least",
         lambda f, p: _at_least(f.real("margin_hold_probability"), p.rules.margin_hold_probability_min, REVIEW)),
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
    Rule("hazmat", "own", "yes/no", "no dangerous goods", _flag_rule("is_hazmat", REVIEW, "dangerous goods")),
    Rule("batteries", "own", "yes/no", "needs no batteries", _flag_rule("has_batteries", REVIEW, "batteries")),
    Rule("heat_sensitive", "own", "yes/no", "not heat sensitive", _flag_rule("is_heat_sensitive", REVIEW, "heat sensitive")),
    Rule("amazon_share", "own", "share", "Amazon's share of the buy box at most",
         _share_rule("amazon_share_90", "amazon_share_max", REVIEW)),
    Rule("out_of_stock", "own", "share", "share of 90 days out of stock at most",
         _share_rule("out_of_stock_share_90", "out_of_stock_share_max", REVIEW)),
    Rule("top_seller_share", "own", "share", "one seller's share of the buy box at most",
         _share_rule("top_seller_share_90", "top_seller_share_max", REVIEW)),
    Rule("marketplace", "G-25", "yes/no", "VAT and delivery of the marketplace are settled", _marketplace),
    Rule("consider_fba", "G-41", "units", "own sales a month at most, else Amazon's fulfilment may be cheaper", _consider_fba),
    Rule("fee_unknown", "G-32", "yes/no", "the fee schedule knows the category", _fee_unknown),
    Rule("returns_exceed_shipped", "own", "yes/no", "no more orders came back than were sold",
         _flag_rule("is_return_excess", WARN, "more came back than was sold: the window is wrong, the counts are not used")),
    Rule("freight_scope_unknown", "own", "yes/no", "it is known how far the freight reaches",
         _flag_rule("is_freight_scope_unknown", WARN, "freight scope unknown: the label is added")),
    Rule("decision", "own", "yes/no", "the seller has not set it aside", _decision),
)  # fmt: skip


def evaluate(frame: pd.DataFrame, plan: Plan, digits: Mapping[str, int]) -> list[tuple[Rule, Outcome]]:
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


def reasons(outcomes: list[tuple[Rule, Outcome]], n: int) -> pa.Array:
    """The rules that do not hold, per candidate: worst first, then in the order of `RULES`; a list of `REASON` for each of n rows."""
    parts: list[dict[str, np.ndarray]] = []
    for place, (rule, outcome) in enumerate(outcomes):
        rows = np.flatnonzero(outcome.severity > PASS)
        if len(rows):
            detail = outcome.detail[rows] if outcome.detail is not None else np.full(len(rows), None, dtype=object)
            parts.append(
                {
                    "row": rows,
                    "place": np.full(len(rows), place),
                    "rule": np.full(len(rows), rule.id, dtype=object),
                    "severity": outcome.severity[rows],
                    "observed": outcome.observed[rows],
                    "limit": outcome.limit[rows],
                    "distance": np.round(outcome.distance[rows], 9),
                    "detail": detail,
                }
            )
    if not parts:
        return pa.array([[] for _ in range(n)], type=pa.list_(REASON))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((joined["place"], -joined["severity"], joined["row"]))
    offsets = np.r_[0, np.cumsum(np.bincount(joined["row"], minlength=n))].astype(np.int32)
    fields = [
        pa.array(joined["rule"][order], pa.string()),
        pa.array(np.array(SEVERITIES, dtype=object)[joined["severity"][order]], pa.string()),
        *(pa.array(joined[name][order], pa.float64(), from_pandas=True) for name in ("observed", "limit", "distance")),
        pa.array(joined["detail"][order], pa.string()),
    ]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(fields, fields=list(REASON)))


def missing_facts(frame: pd.DataFrame) -> np.ndarray:
    """Facts without which no verdict can be given: a list of names per candidate (empty: none is missing)."""
    has_offer = flag(frame, "has_offer")[0]
    checks = {
        "price": ~whole(frame, "price_cents")[1],
        "currency": pd.isna(text(frame, "currency")),
        "fee_schedule": pd.isna(text(frame, "fee_schedule")),
        "offer": ~has_offer,
        "exchange_rate": has_offer & flag(frame, "lacks_rate")[0],
        "freight": has_offer & flag(frame, "lacks_freight")[0],
        "duty": has_offer & flag(frame, "lacks_duty")[0],
        # The currency has no [money.X] in the plan: neither label nor return label nor least profit is known.
        "money_plan": ~flag(frame, "has_money_plan")[0] & pd.notna(text(frame, "currency")),
    }
    names = np.array(list(checks), dtype=object)
    grid = np.column_stack([np.asarray(mask, dtype=bool) for mask in checks.values()])
    result = np.empty(len(frame), dtype=object)
    patterns, back = np.unique(grid, axis=0, return_inverse=True)
    lists = [list(names[pattern]) for pattern in patterns]
    for row, at in enumerate(back.ravel()):
        result[row] = lists[at]
    return result


def verdicts(outcomes: list[tuple[Rule, Outcome]], missing: np.ndarray) -> np.ndarray:
    """rejected > incomplete > review > passed, the first that applies (`shortlisted` is decided when all are ranked)."""
    worst = np.max([outcome.severity for _, outcome in outcomes], axis=0) if len(missing) else np.zeros(0)
    lacks = np.array([bool(names) for names in missing], dtype=bool)
    return np.select([worst == REJECT, lacks, worst == REVIEW], ["rejected", "incomplete", "review"], "passed").astype(object)


def rejects_alone(outcomes: list[tuple[Rule, Outcome]], frame: pd.DataFrame) -> dict[str, int]:
    """Counts behind the run's self-check: quoted, in-band, unexcluded candidates, and which rule rejected how many of them alone."""
    by_rule = {rule.id: outcome.severity == REJECT for rule, outcome in outcomes}
    eligible = flag(frame, "has_offer")[0] & ~by_rule["price_band"] & ~by_rule["category"] & ~by_rule["brand_blocked"]
    rejections = np.sum(list(by_rule.values()), axis=0)
    counts = {rule: int((fails & eligible & (rejections == 1)).sum()) for rule, fails in by_rule.items()}
    return {"eligible": int(eligible.sum())} | {rule: count for rule, count in counts.items() if count}
