"""The fitted models used for a week; without one the plan's numbers are used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.stages.categories.text_model import CategoryModel
from pipeline.stages.prices.pooled_moves import PriceModel
from pipeline.stages.returns.prior import ReturnModel


@dataclass(frozen=True)
class FittedModels:
    """The models in force; without one the plan's own numbers serve. `digests`: kind -> SHA-256 of its model file."""

    returns: ReturnModel | None = None
    prices: PriceModel | None = None
    categories: CategoryModel | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def returns_to(self) -> int:
        """The last day of sale that the return model was fitted to (days since 1970-01-01); without a model the end of time."""
        if self.returns is None:
            return 10**9
        return (dt.date.fromisoformat(self.cards["returns"]["data"]["to"]) - dt.date(1970, 1, 1)).days


NO_MODELS = FittedModels()
