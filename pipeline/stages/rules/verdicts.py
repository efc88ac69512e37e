"""From the rules' outcomes to reasons, missing facts and a verdict.

A rule that does not hold becomes a reason {rule, severity, observed, limit, distance, detail}; `distance` is how far it is from
holding, in the rule's unit, and 0 where a rule has no scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config.plan import Plan
from pipeline.stages.rules.limits import Rule, evaluate
from pipeline.stages.rules.outcomes import PASS, REJECT, REVIEW, SEVERITIES, Outcome
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import flag, text, whole
from pipeline.tables.published import REASONS


def reasons(outcomes: list[tuple[Rule, Outcome]], n: int) -> pa.Array:
    """The rules that do not hold, per candidate: worst first, then in the order of `RULES`; a list of structs for each of n rows."""
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
        return pa.array([[] for _ in range(n)], type=REASONS)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((joined["place"], -joined["severity"], joined["row"]))
    offsets = np.r_[0, np.cumsum(np.bincount(joined["row"], minlength=n))].astype(np.int32)
    fields = [
        pa.array(joined["rule"][order], pa.string()),
        pa.array(np.array(SEVERITIES, dtype=object)[joined["severity"][order]], pa.string()),
        *(pa.array(joined[name][order], pa.float64(), from_pandas=True) for name in ("observed", "limit", "distance")),
        pa.array(joined["detail"][order], pa.string()),
    ]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(fields, fields=list(REASONS.value_type)))


def missing_facts(frame: Columns) -> np.ndarray:
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


def rejects_alone(outcomes: list[tuple[Rule, Outcome]], frame: Columns) -> dict[str, int]:
    """Counts behind the run's self-check: quoted, in-band, unexcluded candidates, and which rule rejected how many of them alone."""
    by_rule = {rule.id: outcome.severity == REJECT for rule, outcome in outcomes}
    eligible = (
        flag(frame, "has_offer")[0]
        & whole(frame, "gate_price_cents")[1]
        & ~by_rule["price_band"]
        & ~by_rule["category"]
        & ~by_rule["brand_blocked"]
    )
    rejections = np.sum(list(by_rule.values()), axis=0)
    counts = {rule: int((fails & eligible & (rejections == 1)).sum()) for rule, fails in by_rule.items()}
    return {"eligible": int(eligible.sum())} | {rule: count for rule, count in counts.items() if count}


@dataclass(frozen=True)
class Judgement:
    """Every rule's outcome, the missing facts of each candidate, counts for the run's self-check, and the column `verdict`."""

    outcomes: list[tuple[Rule, Outcome]]
    missing: np.ndarray
    rejects_alone: dict[str, int]
    frame: pd.DataFrame


@stage(
    reads="""
        amazon_share_90 brand brand_key brand_state category_reason category_verdict currency deliveries department fba_net_profit_cents
        fba_note fee_note fee_origin fee_schedule gate_gross_margin gate_net_margin gate_net_profit_cents gate_price_cents handling_days
        has_batteries has_money_plan has_offer has_tracking hidden_by is_duty_unknown is_freight_scope_unknown is_gtin_invalid is_hazmat
        is_heat_sensitive is_import_vat_unknown is_label_heavy is_offer_expired is_pack_suspect is_return_excess lacks_duty lacks_freight
        lacks_rate landed_share late_deliveries margin_hold_probability marketplace matched_by net_profit_cents out_of_stock_share_90
        own_monthly_units platform price_cents quote_age_days return_evidence return_orders return_over_limit_probability
        return_prior_mean supplier_contact suppliers title top_seller_share_90 unit_cost_cents vat_region
    """,
    adds="verdict",
)
def apply_rules(candidates: Columns, plan: Plan, digits: Mapping[str, int]) -> Judgement:
    """Evaluate every rule, and give each candidate its verdict: rejected, incomplete, review or passed."""
    outcomes, missing = evaluate(candidates, plan, digits), missing_facts(candidates)
    verdict = pd.Series(verdicts(outcomes, missing), dtype=candidates["title"].dtype)
    return Judgement(outcomes, missing, rejects_alone(outcomes, candidates), pd.DataFrame({"verdict": verdict}))
