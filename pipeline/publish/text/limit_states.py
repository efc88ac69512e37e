"""Four states of a figure by the user's own limits: good, near, bad, missing.

They follow from the rules themselves: what a rule rejects is bad, what it wants looked at or warns of is near, what it cannot evaluate is
missing; and what meets its limit by less than the plan's `near_share` is near, not good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config.plan import Plan
from pipeline.publish.tables.ledger import inside_frame
from pipeline.stages.rules.limits import Rule, evaluate
from pipeline.stages.rules.outcomes import PASS, REJECT, SEVERITIES, Outcome

GOOD, NEAR, BAD, MISSING = "good", "near", "bad", "missing"
# Units in which close to the limit means something; two suppliers where two are wanted are enough.
_SCALES = ("money", "share", "probability")
# Which rule judges a published figure.
JUDGES = {
    "price": "price_band",
    "landed_cost": "landed_share",
    "net_profit": "net_profit",
    "net_margin": "net_margin",
    "gross_margin": "gross_margin",
    "return_rate": "return_risk",
    "margin_hold_probability": "margin_hold",
    "handling_days": "handling_days",
    "late_probability": "lateness",
    "suppliers": "suppliers_min",
}


@dataclass(frozen=True)
class RuleLine:
    """One rule's answer for one product."""

    rule: str
    source: str
    unit: str
    asks: str
    severity: str
    observed: float | None
    limit: float | None
    detail: str | None
    state: str


def rule_lines(shown: pa.Table, plan: Plan, digits: Mapping[str, int]) -> list[list[RuleLine]]:
    """Every rule that can be evaluated, for each row of the ledger."""
    outcomes = evaluate(inside_frame(shown, digits), plan, digits)
    return [[line for rule, outcome in outcomes if (line := _line(rule, outcome, row, plan)) is not None] for row in range(shown.num_rows)]


def _line(rule: Rule, outcome: Outcome, row: int, plan: Plan) -> RuleLine | None:
    if not outcome.known[row]:
        return None
    severity = int(outcome.severity[row])
    observed, limit = _plain(outcome.observed[row]), _plain(outcome.limit[row])
    detail = str(outcome.detail[row]) if outcome.detail is not None and severity and outcome.detail[row] is not None else None
    state = state_of(severity, observed if rule.unit in _SCALES else None, limit, plan.report.near_share)
    return RuleLine(rule.id, rule.source, rule.unit, rule.asks, SEVERITIES[severity], observed, limit, detail, state)


def state_of(severity: int, observed: float | None, limit: float | None, near_share: float) -> str:
    """The state of a rule's answer.

    >>> state_of(0, 0.52, 0.40, 0.10), state_of(0, 0.41, 0.40, 0.10), state_of(1, 9, 20, 0.10), state_of(3, 0.2, 0.4, 0.10)
    ('good', 'near', 'near', 'bad')
    """
    if severity == REJECT:
        return BAD
    if severity > PASS:
        return NEAR
    if observed is None or not limit:
        return GOOD
    return NEAR if abs(observed - limit) < near_share * abs(limit) else GOOD


def row_states(row: Mapping[str, Any], lines: Sequence[RuleLine], plan: Plan) -> dict[str, str]:
    """The state of each judged figure of a published row."""
    by_rule = {line.rule: line for line in lines}
    states = {}
    for column, rule in JUDGES.items():
        held = by_rule.get(rule)
        known = held is not None and row.get(column) is not None
        states[column] = held.state if known and held is not None else MISSING
    if states["price"] == NEAR and by_rule["price_band"].severity == "pass":
        states["price"] = GOOD  # a band has two ends: to be close to one of them is no risk
    if (row.get("return_orders") or 0) < plan.returns.orders_min:
        states["return_rate"] = BAD if states["return_rate"] == BAD else MISSING
    least = next((money.net_profit_min for code, money in plan.money.items() if code == row.get("currency")), None)
    low = row.get("net_profit_p10")
    states["net_profit_p10"] = MISSING if low is None or least is None else BAD if low < 0 else NEAR if low < least else GOOD
    return states


def _plain(value: Any) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
