"""Checks that a plan names existing rules, marketplaces, currencies and sources."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.config.files import load_configs
from pipeline.config.locations import CONFIGS
from pipeline.config.plan import Plan
from pipeline.errors import PlanError
from pipeline.ingest.sources.schema import load_sources
from pipeline.stages.rules.limits import check_severities


def check_plan(plan: Plan) -> None:
    """Raise `PlanError` for a plan that names an unknown rule, marketplace, currency or source."""
    configs = load_configs()
    check_severities(plan)
    _known("marketplace", [plan.general.marketplace, *plan.marketplaces.vat_set], configs.marketplaces, "[general] or [marketplaces]")
    currencies = [code for rate in plan.exchange_rates for code in (rate.from_, rate.to)]
    _known("currency", [*plan.money, *currencies], configs.digits, "[money] or [[exchange_rates]]")
    _known("source", plan.sources, [source.name for source in load_sources(CONFIGS / "sources")], "[sources]")
    stated = [facts.marketplace for facts in plan.sources.values() if facts.marketplace]
    _known("marketplace", stated, configs.marketplaces, "[sources]")


def _known(what: str, named: Iterable[str], known: Iterable[str], place: str) -> None:
    names = list(known)
    for name in named:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(names))}"
            raise PlanError(f"plan: unknown {what} {name!r} in {place}; {hint}")
