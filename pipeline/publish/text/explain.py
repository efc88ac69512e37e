"""One product's decision in words: every rule with value and limit, the cost waterfall, the score's parts, the evidence."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.config.plan import Plan
from pipeline.messages import ENGLISH, Words
from pipeline.messages.rules import SEVERITY_WORDS, VERDICT_WORDS
from pipeline.publish.tables.ledger import inside_frame
from pipeline.publish.text.formatting import TITLE_MOST, padded, readable
from pipeline.stages.rules.limits import evaluate
from pipeline.stages.rules.outcomes import SEVERITIES
from pipeline.stages.score.score import PARTS

_WATERFALL = (
    ("unit_cost", "purchase"),
    ("freight", "freight to leave for the buyer"),
    ("duty", "import duty"),
    ("import_vat", "import VAT"),
    ("shipping_cost", "label to the buyer"),
    ("referral_fee", "referral fee"),
    ("closing_fee", "closing fee"),
    ("advertising_cost", "advertising (assumed share)"),
    ("payment_cost", "payment and currency"),
    ("plan_fee", "plan fee, an order's part"),
    ("expected_return_loss", "expected loss by returns"),
)


def explained(row: pa.Table, plan: Plan, digits: Mapping[str, int]) -> dict[str, Any]:
    """Everything that `explain` shows of one row of `decisions.parquet`, as plain values.

    `waterfall` starts with the price and its lines add up to `net_profit` to the minor unit; `rules` holds every rule that could be
    evaluated, with severity (pass, warn, review, reject), observed, limit and distance.
    """
    values = row.to_pylist()[0]
    outcomes = evaluate(inside_frame(row, digits), plan, digits)
    reported = []
    for rule, outcome in outcomes:
        if outcome.known[0]:
            reported.append(
                {
                    "rule": rule.id,
                    "source": rule.source,
                    "asks": rule.asks,
                    "unit": rule.unit,
                    "severity": SEVERITIES[int(outcome.severity[0])],
                    "observed": _plain(outcome.observed[0]),
                    "limit": _plain(outcome.limit[0]),
                    "distance": _plain(outcome.distance[0]),
                    "detail": outcome.detail[0] if outcome.detail is not None and outcome.severity[0] else None,
                }
            )
    return {
        "decision": {name: value for name, value in values.items() if value is not None},
        "waterfall": cost_waterfall(values),
        "gross_margins": {name: values[name] for name in ("gross_margin", "gross_margin_goods", "gross_margin_all")},
        "places": digits.get(values["currency"] or "", 2),
        "rules": reported,
        "score": [(part, values[f"score_{part}"]) for part in PARTS],
    }


def cost_waterfall(values: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    """From the price to the net profit of a published row: (name, amount), costs below zero; they add up to the minor unit."""
    # Without a number of orders to spread it over there is no plan fee, not an unknown one.
    costs = [(words, _minus(values[name])) for name, words in _WATERFALL if name != "plan_fee" or values[name] is not None]
    return [("price", values["price"]), *costs]


def explained_text(reported: Mapping[str, Any], ranks: Mapping[str, int | None], say: Words = ENGLISH) -> list[str]:
    """The same for a terminal."""
    row = reported["decision"]
    trail = ["", say("the way to the category verdict"), *(f"  {say.found(line)}" for line in reported.get("category_trail") or ())]
    lines = [
        *_head_lines(row, say),
        *(trail if reported.get("category_trail") else ()),
        "",
        say("rules (value against limit)"),
        *_rule_lines(reported["rules"], say),
    ]
    for reason in row.get("reasons", []):
        if reason["rule"] == "diversified_out":
            lines.append(
                f"  {padded(_mark('warn', say), 6)} diversified_out: " + say("the list already holds {other}", other=reason["detail"])
            )
    lines += ["", *_order_lines(reported, say), "", say("evidence"), *_evidence_lines(row, say)]
    known = say("score {score:.2f} of 100, {known} of it known", score=row.get("score", 0), known=_share(row.get("score_coverage"), say))
    lines += ["", known, "  " + " + ".join(f"{say(part)} {points:.2f}" for part, points in reported["score"])]
    if ranks:
        shown = say.listed(f"{week} {rank or say('not listed')}" for week, rank in ranks.items())
        lines += ["", say("ranks: {ranks}", ranks=shown)]
    told_from = say("from {file} line {line} ({source})", file=row.get("file", ""), line=row.get("line", ""), source=row.get("source", ""))
    return [
        *lines,
        told_from,
        "",
        say("next: `shortlist report` writes the page with all of the list, `shortlist rejects` counts the reasons"),
    ]


def _head_lines(row: Mapping[str, Any], say: Words) -> list[str]:
    verdict = row["verdict"] if say.language == "en" else say(VERDICT_WORDS[row["verdict"]])
    rank = say(", rank {rank}", rank=row["rank"]) if row.get("rank") else ""
    brand = say(
        "brand {brand} [{state}], department {department}: {reason}",
        brand=row.get("brand", say("(none)")), state=row.get("brand_state", "?"), department=row.get("department", "?"),
        reason=say.found(row.get("category_reason")),
    )  # fmt: skip
    lines = [
        f"{row['product_id']} ({row['marketplace']}): {verdict}{rank}",
        f"  {readable(row.get('title') or say('(no title)'), TITLE_MOST)}",
        f"  {readable(row.get('category_path') or say('(no category)'), TITLE_MOST)}",
        f"  {brand}",
        f"  {row.get('url', '')}",
    ]
    if row.get("missing"):
        lines.append("  " + say("missing: {facts}", facts=say.listed(row["missing"])))
    return lines


def _mark(severity: str, say: Words) -> str:
    marks = {"pass": "ok", "warn": "warn", "review": "REVIEW", "reject": "REJECT"}
    return marks[severity] if say.language == "en" else say(SEVERITY_WORDS[severity])


def _rule_lines(rules: Sequence[Mapping[str, Any]], say: Words) -> list[str]:
    lines = []
    for rule in rules:
        detail = f" ({readable(say.found(rule['detail']), TITLE_MOST)})" if rule["detail"] else ""
        head = f"  {padded(_mark(rule['severity'], say), 6)} {rule['rule']:<22} "
        tail = f"  {say(rule['asks'])} [{rule['source']}]{detail}"
        if rule["unit"] == "yes/no":
            lines.append(head + padded(say("fails") if rule["observed"] else say("holds"), 10, right=True) + " " * 18 + tail)
        else:
            value, limit = (_figure(rule[name], rule["unit"]) for name in ("observed", "limit"))
            lines.append(f"{head}{value:>10}  {padded(say('limit'), 5)} {limit:>10}{tail}")
    return lines


def _order_lines(reported: Mapping[str, Any], say: Words) -> list[str]:
    """One order at the current price, line by line down to the profit."""
    row = reported["decision"]

    places = reported["places"]

    def amount(name: str) -> str:
        return _amount(row.get(name), say, places)

    def share(name: str) -> str:
        return _share(row.get(name), say)

    schedule = row.get("fee_schedule", say("unknown"))
    lines = [
        say(
            "one order at the current price ({currency}, fees {schedule}, {category})",
            currency=row.get("currency", ""), schedule=schedule, category=row.get("fee_category", ""),
        )
    ]  # fmt: skip
    lines += [f"  {padded(say(words), 34)} {_amount(value, say, places):>12}" for words, value in reported["waterfall"]]
    of_price = say("{share} of the price", share=share("net_margin"))
    return [
        *lines,
        f"  {padded(say('net profit'), 34)} {amount('net_profit'):>12}   {of_price}",
        "  " + say(
            "over the next 28 days: expected {expected}, worst tenth below {low}, best tenth above {high}; one return costs {lost}",
            expected=amount("net_profit_expected"), low=amount("net_profit_p10"), high=amount("net_profit_p90"),
            lost=amount("cash_lost_per_return"),
        ),
        "  " + say(
            "gross margin {after} (after referral), {goods} (goods only), {all_lines} (all five lines); landed share {landed}",
            after=share("gross_margin"), goods=share("gross_margin_goods"), all_lines=share("gross_margin_all"),
            landed=share("landed_share"),
        ),
        "  " + say(
            "breaks even at {even}, meets the margin target at {target}; may cost at most {landed} landed, {purchase} to buy",
            even=amount("break_even_price"), target=amount("target_price"), landed=amount("max_landed_cost"),
            purchase=amount("max_purchase_cost"),
        ),
        *_fba_lines(row, say, places),
    ]  # fmt: skip


def _fba_lines(row: Mapping[str, Any], say: Words, places: int) -> list[str]:
    """What the order would earn when Amazon sends it, where that is known."""
    if row.get("fba_net_profit") is None:
        return []
    note = f"; {say.found(row['fba_note'])}" if row.get("fba_note") else ""
    reported = say(
        "sent by Amazon it would earn {net} (fulfilment {fee}, {card} {tier}{note}); advice: {advice}",
        net=_amount(row["fba_net_profit"], say, places), fee=_amount(row["fba_fee"], say, places), card=row["fba_card"],
        tier=row["fba_tier"], note=note, advice=row.get("fulfilment_advice", ""),
    )  # fmt: skip
    return [f"  {reported}"]


def _evidence_lines(row: Mapping[str, Any], say: Words) -> list[str]:
    """What stands behind price, margin, return rate and supplier."""
    reported = {name: _amount(value, say) for name, value in row.items() if isinstance(value, float)}
    amounts = defaultdict(lambda: say("unknown"), reported)
    lines = [
        "  " + say(
            "price: {evidence}; now {now}, gate {gate}; last 90 days {low} .. {middle} .. {high}; "
            "next 28 days {low28} .. {middle28} .. {high28}",
            evidence=row.get("price_evidence", say("none")), now=amounts["price"], gate=amounts["gate_price"], low=amounts["price_p05"],
            middle=amounts["price_p50"], high=amounts["price_p95"], low28=amounts["price_forecast_p05"],
            middle28=amounts["price_forecast_p50"], high28=amounts["price_forecast_p95"]),
        "  " + say("margin held {held} of the last 90 days, holds {holds} of the next 28 (forecast)",
            held=_share(row.get("margin_held_share"), say), holds=_share(row.get("margin_hold_probability"), say)),
        "  " + say("returns: {rate} (90 %: {low} .. {high}), evidence {evidence}, {measured}, {prior} prior",
            rate=_share(row.get("return_rate"), say), low=_share(row.get("return_rate_low"), say),
            high=_share(row.get("return_rate_high"), say), evidence=row.get("return_evidence", ""),
            measured=say("{n} mature orders", n=row["return_orders"]) if row.get("return_orders") else say("not measured"),
            prior=row.get("return_prior", "")),
        "  " + say("supplier: {supplier}, backups {backups}; ships within {days} days, late {late}",
            supplier=row.get("supplier_id", say("none")), backups=say.listed(row.get("backup_suppliers", [])) or say("none"),
            days=row.get("handling_days", "?"), late=_share(row.get("late_probability"), say)),
    ]  # fmt: skip
    if row.get("flags"):
        lines.append("  " + say("flags: {flags}", flags=say.listed(row["flags"])))
    return lines


def _plain(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _minus(value: float | None) -> float | None:
    return None if value is None else -value if value else 0.0


def _amount(value: float | None, say: Words, places: int = 2) -> str:
    return say("unknown") if value is None else f"{value:,.{places}f}"


def _share(value: float | None, say: Words) -> str:
    return say("unknown") if value is None else f"{100 * value:.1f} %"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit in ("share", "probability"):
        return f"{100 * value:.1f} %"
    return f"{value:,.2f}" if unit == "money" else f"{value:,.0f}"
