"""What the plan and the configuration know that a file does not say of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReadContext:
    """What the plan knows that a file does not say.

    Parameters
    ----------
    currencies : ISO code -> minor digits.
    marketplaces : code -> its currency.
    aliases : other names of a marketplace, casefolded -> code (`gb` -> `UK`, `com` -> `US`).
    default_marketplace : what a row belongs to when nothing else says it.
    declared : source name -> the plan's own encoding, marketplace, currency or decimal for it.
    """

    currencies: Mapping[str, int]
    marketplaces: Mapping[str, str]
    aliases: Mapping[str, str]
    default_marketplace: str
    declared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
