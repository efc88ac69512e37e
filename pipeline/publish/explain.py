"""One product's decision in words: every rule with value and limit, the way from price to profit, the score's parts, the evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.plan import Plan
from pipeline.publish.ledger import inside_frame
from pipeline.stages.outcomes import SEVERITIES
from pipeline.stages.rules import evaluate
from pipeline.stages.score import PARTS

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
    """Everything `explain` tells of one row of `decisions.parquet`, as plain values.

    `waterfall` starts with the price and its lines add up to `net_profit` to the minor unit; `rules` holds every rule that could be
    evaluated, with severity (pass, warn, review, reject), observed, limit and distance.
    """
    values = row.to_pylist()[0]
    outcomes = evaluate(inside_frame(row, digits), plan, digits)
    told = []
    for rule, outcome in outcomes:
        if outcome.known[0]:
            told.append(
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
        "waterfall": [
            ("price", values["price"]),
            # Without a number of orders to spread it over there is no plan fee, not an unknown one.
            *((words, _minus(values[name])) for name, words in _WATERFALL if name != "plan_fee" or values[name] is not None),
        ],
        "gross_margins": {name: values[name] for name in ("gross_margin", "gross_margin_goods", "gross_margin_all")},
        "places": digits.get(values["currency"] or "", 2),
        "rules": told,
        "score": [(part, values[f"score_{part}"]) for part in PARTS],
    }


def explained_text(told: Mapping[str, Any], ranks: Mapping[str, int | None]) -> list[str]:
    """The same for a terminal."""
    row = told["decision"]
    currency = row.get("currency", "")
    rank = f", rank {row['rank']}" if row.get("rank") else ""
    lines = [
        f"{row['product_id']} ({row['marketplace']}): {row['verdict']}{rank}",
        f"  {row.get('title', '(no title)')}",
        f"  {row.get('category_path', '(no category)')}",
        f"  brand {row.get('brand', '(none)')} [{row.get('brand_state', '?')}], department {row.get('department', '?')}: "
        f"{row.get('category_reason', '')}",
        f"  {row.get('url', '')}",
    ]
    if row.get("missing"):
        lines.append(f"  missing: {', '.join(row['missing'])}")
    if told.get("category_trail"):
        lines += ["", "the way to the category verdict", *(f"  {line}" for line in told["category_trail"])]
    lines += ["", "rules (value against limit)"]
    marks = {"pass": "ok", "warn": "warn", "review": "REVIEW", "reject": "REJECT"}
    for rule in told["rules"]:
        detail = f" ({rule['detail']})" if rule["detail"] else ""
        if rule["unit"] == "yes/no":
            word = "fails" if rule["observed"] else "holds"
            lines.append(
                f"  {marks[rule['severity']]:<6} {rule['rule']:<22} {word:>10}  {'':16}  {rule['asks']} [{rule['source']}]{detail}"
            )
            continue
        lines.append(
            f"  {marks[rule['severity']]:<6} {rule['rule']:<22} {_figure(rule['observed'], rule['unit']):>10}"
            f"  limit {_figure(rule['limit'], rule['unit']):>10}  {rule['asks']} [{rule['source']}]{detail}"
        )
    for reason in row.get("reasons", []):
        if reason["rule"] == "diversified_out":
            lines.append(f"  warn   diversified_out: the list already holds {reason['detail']}")
    lines += [
        "",
        f"one order at the current price ({currency}, fees {row.get('fee_schedule', 'unknown')}, {row.get('fee_category', '')})",
    ]
    places = told["places"]
    for words, amount in told["waterfall"]:
        lines.append(f"  {words:<34} {_amount(amount, places):>12}")
    lines.append(f"  {'net profit':<34} {_amount(row.get('net_profit'), places):>12}   {_share(row.get('net_margin'))} of the price")
    lines.append(
        f"  over the next 28 days: expected {_amount(row.get('net_profit_expected'))}, worst tenth below "
        f"{_amount(row.get('net_profit_p10'))}, best tenth above {_amount(row.get('net_profit_p90'))}; one return costs "
        f"{_amount(row.get('cash_lost_per_return'))}"
    )
    lines.append(
        f"  gross margin {_share(row.get('gross_margin'))} (after referral), {_share(row.get('gross_margin_goods'))} (goods only), "
        f"{_share(row.get('gross_margin_all'))} (all five lines); landed share {_share(row.get('landed_share'))}"
    )
    lines.append(
        f"  breaks even at {_amount(row.get('break_even_price'), places)}, meets the margin target at "
        f"{_amount(row.get('target_price'), places)}; may cost at most {_amount(row.get('max_landed_cost'), places)} landed, "
        f"{_amount(row.get('max_purchase_cost'), places)} to buy"
    )
    if row.get("fba_net_profit") is not None:
        note = f"; {row['fba_note']}" if row.get("fba_note") else ""
        lines.append(
            f"  sent by Amazon it would earn {_amount(row['fba_net_profit'], places)} (fulfilment {_amount(row['fba_fee'], places)}, "
            f"{row['fba_card']} {row['fba_tier']}{note}); advice: {row.get('fulfilment_advice', '')}"
        )
    lines += ["", "evidence"]
    lines.append(
        f"  price: {row.get('price_evidence', 'none')}; now {_amount(row.get('price'))}, gate {_amount(row.get('gate_price'))}; "
        f"last 90 days {_amount(row.get('price_p05'))} .. {_amount(row.get('price_p50'))} .. {_amount(row.get('price_p95'))}; next 28 days "
        f"{_amount(row.get('price_forecast_p05'))} .. {_amount(row.get('price_forecast_p50'))} .. {_amount(row.get('price_forecast_p95'))}"
    )
    lines.append(
        f"  margin held {_share(row.get('margin_held_share'))} of the last 90 days, holds {_share(row.get('margin_hold_probability'))} "
        f"of the next 28 (forecast)"
    )
    measured = f"{row['return_orders']} mature orders" if row.get("return_orders") else "not measured"
    lines.append(
        f"  returns: {_share(row.get('return_rate'))} (90 %: {_share(row.get('return_rate_low'))} .. "
        f"{_share(row.get('return_rate_high'))}), evidence {row.get('return_evidence', '')}, "
        f"{measured}, {row.get('return_prior', '')} prior"
    )
    backups = ", ".join(row.get("backup_suppliers", [])) or "none"
    lines.append(
        f"  supplier: {row.get('supplier_id', 'none')}, backups {backups}; ships within {row.get('handling_days', '?')} days, "
        f"late {_share(row.get('late_probability'))}"
    )
    if row.get("flags"):
        lines.append(f"  flags: {', '.join(row['flags'])}")
    lines += ["", f"score {row.get('score', 0):.2f} of 100, {_share(row.get('score_coverage'))} of it known"]
    lines.append("  " + " + ".join(f"{part} {points:.2f}" for part, points in told["score"]))
    if ranks:
        lines += ["", "ranks: " + ", ".join(f"{week} {rank or 'not listed'}" for week, rank in ranks.items())]
    lines.append(f"from {row.get('file', '')} line {row.get('line', '')} ({row.get('source', '')})")
    return lines


def _plain(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _minus(value: float | None) -> float | None:
    return None if value is None else -value if value else 0.0


def _amount(value: float | None, places: int = 2) -> str:
    return "unknown" if value is None else f"{value:,.{places}f}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit in ("share", "probability"):
        return f"{100 * value:.1f} %"
    return f"{value:,.2f}" if unit == "money" else f"{value:,.0f}"
