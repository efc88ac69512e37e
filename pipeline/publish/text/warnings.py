"""Warnings of a run beside the list: doubts about the whole, and questions to suppliers, once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.compute as pc

from pipeline.config.plan import General, Plan
from pipeline.errors import PlanError
from pipeline.store.parquet import read_parquet

_ASKED = {
    "platform": "where its goods come from (platform)",
    "has_tracking": "tracking",
    "handling_days": "handling days",
    "supplier_contact": "a contact",
    "accepts_returns": "its return policy",
}
# The same for what stands as a word in a row's flags or missing facts.
_ASKED_WORDS = {
    "freight_scope_unknown": "how far its freight reaches",
    "duty_unknown": "where it ships from and whether duty is included",
    "duty": "where it ships from and whether duty is included",
    "freight": "freight",
}


def pass_share_warning(alone: Mapping[str, int], verdicts: Mapping[str, int], plan: General) -> str | None:
    """A sentence when implausibly few or many of the quoted, in-band, unexcluded candidates pass, naming the two hardest rules."""
    eligible = alone.get("eligible", 0)
    if eligible < plan.pass_share_candidates_min:
        return None
    passing = verdicts["shortlisted"] + verdicts["passed"]
    share = passing / eligible
    if plan.pass_share_min <= share <= plan.pass_share_max:
        return None
    hardest = sorted(((count, rule) for rule, count in alone.items() if rule != "eligible"), reverse=True)[:2]
    named = " and ".join(f"{rule} ({count:,} alone)" for count, rule in hardest)
    word = "few" if share < plan.pass_share_min else "many"
    text = f"{passing:,} of {eligible:,} quoted, in-band, unexcluded candidates pass ({share:.1%}): very {word}; "
    return text + (f"most are rejected by {named}" if named else "no single rule rejects them: see what they lack in `shortlist rejects`")


def rate_warnings(counts: Iterable[Mapping[str, int]], plan: Plan) -> list[str]:
    """A sentence for each pair of currencies whose exchange rate is missing or old; raises `PlanError` where the plan says refuse.

    `counts` are those of the buckets (`offers.costs.rate_counts`).
    """
    total = Counter[str]()
    for part in counts:
        total.update(part)
    sentences = []
    for name, count in sorted(total.items()):
        state, own, target = name.split(" ")
        if state == "missing":
            words, treatment = f"no exchange rate {own} to {target} on or before the week's Sunday", plan.exchange.missing_rate
        else:
            words = f"the exchange rate {own} to {target} is older than {plan.exchange.rate_age_days_max} days"
            treatment = plan.exchange.old_rate
        if treatment == "refuse":
            raise PlanError(f"{words} ({count:,} offers); add a dated one under [[exchange_rates]]")
        sentences.append(f"{words} ({count:,} offers); add a dated one under [[exchange_rates]]")
    return sentences


def supplier_questions(decisions: Path) -> list[dict[str, object]]:
    """What to ask of each supplier, once: facts its offers leave open, for candidates that no rule rejects.

    Returns one entry per supplier with `supplier_id`, `asks` (list of sentences' ends) and `products` (how many wait for it), most first.
    """
    columns = ["supplier_id", "verdict", "flags", "missing", *_ASKED]
    table = read_parquet(decisions, columns, [("verdict", "!=", "rejected"), ("supplier_id", "!=", "")])
    found: dict[str, dict[str, int]] = {}
    for column, words in _ASKED.items():
        unknown = table.filter(pc.is_null(table[column]))["supplier_id"].value_counts().to_pylist()
        for entry in unknown:
            found.setdefault(entry["values"], {})[words] = entry["counts"]
    rows = zip(*(table[name].to_pylist() for name in ("supplier_id", "flags", "missing")), strict=True)
    for supplier, flags, missing in rows:
        for word in {*flags, *missing} & _ASKED_WORDS.keys():
            asks = found.setdefault(supplier, {})
            asks[_ASKED_WORDS[word]] = asks.get(_ASKED_WORDS[word], 0) + 1
    entries = [{"supplier_id": supplier, "asks": sorted(asks), "products": max(asks.values())} for supplier, asks in found.items() if asks]
    return sorted(entries, key=lambda entry: (-int(str(entry["products"])), str(entry["supplier_id"])))
