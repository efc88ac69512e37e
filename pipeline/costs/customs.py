"""Import duty and VAT by origin and day, from the marketplace's file.

Duty by product is not modelled (`docs/fees.md`): an entry either names a duty for each item, or says that it must be told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import PlanError

VAT_WORDS = ("none", "at_sale", "unknown")


@dataclass(frozen=True)
class ImportRule:
    """What goods from these origins pay (`*`: any), up to a value; `duty_per_item` in minor units, None where it is by product.

    `vat`: none is due, it is charged `at_sale` on top of the price (so the seller does not bear it), or it is unknown.
    """

    origins: frozenset[str]
    valid_from: dt.date
    valid_to: dt.date
    value_max: int | None
    duty_per_item: int | None
    vat: str
    source: str

    def fits(self, origin: str) -> bool:
        """Are goods from there meant?"""
        return origin in self.origins or "*" in self.origins


_KEYS = {"origins", "valid_from", "valid_to", "value_max", "duty_per_item", "vat", "source"}
_FIRST, _LAST = dt.date(1900, 1, 1), dt.date(9999, 12, 31)


def parse_imports(tables: Mapping[str, Mapping[str, Any]], digits: Mapping[str, int]) -> dict[str, tuple[ImportRule, ...]]:
    """The `[[import]]` entries of each marketplace, in the order of its file; raises `PlanError` for an entry that is wrong."""
    return {
        table["code"]: tuple(
            _rule(f"configs/marketplaces/{stem}.toml: import {place + 1}", entry, 10 ** digits[table["currency"]])
            for place, entry in enumerate(table.get("import", []))
        )
        for stem, table in sorted(tables.items())
    }


def imports_in_force(imports: Mapping[str, Sequence[ImportRule]], day: dt.date) -> dict[str, tuple[ImportRule, ...]]:
    """The entries of each marketplace that hold on a day."""
    return {market: tuple(rule for rule in rules if rule.valid_from <= day <= rule.valid_to) for market, rules in imports.items()}


def _rule(where: str, entry: Mapping[str, Any], scale: int) -> ImportRule:
    for key in sorted(set(entry) - _KEYS):
        raise PlanError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(_KEYS))}")
    for key in ("origins", "vat", "source"):
        if key not in entry:
            raise PlanError(f"{where}: {key!r} is missing")
    origins = entry["origins"]
    if not isinstance(origins, list) or not origins or not all(isinstance(code, str) for code in origins):
        raise PlanError(f'{where}: origins {origins!r} are no list of country codes; write ["CN"], or ["*"] for any')
    if entry["vat"] not in VAT_WORDS:
        raise PlanError(f"{where}: vat {entry['vat']!r} is unknown; take {', '.join(VAT_WORDS)}")
    first, last = entry.get("valid_from", _FIRST), entry.get("valid_to", _LAST)
    if type(first) is not dt.date or type(last) is not dt.date or first > last:
        raise PlanError(f"{where}: valid_from {first} and valid_to {last} are no span of days; write 2026-01-31 without quotes")
    amounts = []
    for key in ("value_max", "duty_per_item"):
        amount = entry.get(key)
        if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < float("inf")):
            raise PlanError(f"{where}: {key} {amount!r} is no amount of money from 0 on")
        amounts.append(None if amount is None else round(amount * scale))
    return ImportRule(frozenset(origins), first, last, amounts[0], amounts[1], entry["vat"], entry["source"])
