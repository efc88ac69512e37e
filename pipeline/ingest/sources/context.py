"""Facts from the plan and the configuration that a file itself does not state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReadContext:
    """The known currencies and marketplaces, and what the plan declares for a source.

    Parameters
    ----------
    currencies : ISO code -> minor digits.
    marketplaces : code -> its currency.
    aliases : other names of a marketplace, casefolded -> code (`gb` -> `UK`, `com` -> `US`).
    default_marketplace : the marketplace of a row for which nothing else states one.
    declared : source name -> encoding, marketplace, currency or decimal sign from the plan.
    """

    currencies: Mapping[str, int]
    marketplaces: Mapping[str, str]
    aliases: Mapping[str, str]
    default_marketplace: str
    declared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
