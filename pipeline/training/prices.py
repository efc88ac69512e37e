"""Training of the price model from the histories of all products, for products with little history."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config.files import load_configs
from pipeline.config.plan import Plan
from pipeline.messages import Words
from pipeline.runs.spills import product_hash
from pipeline.stages.prices.arrays import table_of
from pipeline.store.kept_weeks import Known
from pipeline.store.model_files import Trained, packed
from pipeline.tables.frames import to_frame
from pipeline.tables.keys import HASH_BITS
from pipeline.tables.price_rows import newest_observation
from pipeline.tables.schemas import PRICE_HISTORY, empty
from pipeline.training.price_fit import learn_from_history

KEY = ["marketplace", "product_id"]
_LOOKED_OF = 64  # of as many ranges of keys the first is counted, to know how many products there are
PRODUCTS_MAX = 20_000  # a kernel of 99 quantiles needs no more


@dataclass(frozen=True)
class SampledPrices:
    """Prices in the columns of `tables.schemas.PRICE_HISTORY` of the products whose hash lies below a share of all hashes."""

    table: pa.Table
    share: float

    def below(self, share: float) -> pa.Table:
        """Those below a lesser share."""
        return (
            self.table
            if share >= self.share
            else self.table.filter(pa.array(product_hash(self.table["product_id"]) < share * 2**HASH_BITS))
        )


def sampled_prices(table: pa.Table, products: int) -> SampledPrices:
    """The prices of about `PRODUCTS_MAX` of this many products, chosen by the hash of their ids."""
    share = min(1.0, PRODUCTS_MAX / max(products, 1))
    return SampledPrices(SampledPrices(table, 1.0).below(share), share)


def kept_prices(known: Known) -> SampledPrices:
    """Prices of about `PRODUCTS_MAX` products from the kept weeks, the newest observation of each day."""
    wide, currencies = known.wide_ids(), {code: market.currency for code, market in load_configs().marketplaces.items()}
    markets = known.markets()
    looked = sum(len(np.unique(known.prices(market, 0, _LOOKED_OF)[0].key)) for market in markets)
    parts = max(1, looked * _LOOKED_OF // PRODUCTS_MAX)
    found = [empty(PRICE_HISTORY)]
    for market in markets:
        found.append(table_of(newest_observation(*known.prices(market, 0, parts)), market, currencies[market], wide))
    return SampledPrices(pa.concat_tables(found), 1 / parts)


def train_prices(histories: Sequence[SampledPrices], as_of: int, plan: Plan) -> Trained | None:
    """Learn from price histories, the first word on a day before later ones; None when none of the parts can be learnt."""
    share = min(part.share for part in histories)
    reported = to_frame(pa.concat_tables([part.below(share) for part in histories])).drop_duplicates([*KEY, "date"], keep="first")
    reported = reported.assign(row=pd.factorize(pd.MultiIndex.from_frame(reported[KEY]), sort=True)[0])
    model = learn_from_history(reported, as_of, plan.forecast)
    parts = {name: value for name, value in model.model_dump().items() if value is not None}
    if not parts:
        return None
    kernel = parts.pop("kernel", None)
    card: dict[str, Any] = {
        "data": {
            "products": int(reported["row"].nunique()),
            "prices": len(reported),
            "to": str(dt.date(1970, 1, 1) + dt.timedelta(days=as_of)),
            "horizon_days": plan.forecast.horizon_days,
        },
        "model": parts | ({"kernel_quartiles": [kernel[24], kernel[49], kernel[74]]} if kernel else {}),
    }
    return Trained("prices", packed("prices", model), card, functools.partial(_lines, card))


def _lines(card: dict[str, Any], say: Words) -> list[str]:
    data, model = card["data"], card["model"]
    message = "price model: {products:,} products, {prices:,} prices up to {day}"
    lines = [say(message, products=data["products"], prices=data["prices"], day=data["to"])]
    if "hazard" in model:
        message = "  prices change at {hazard:.4f} a day: {unchanged:.0f} % unchanged after 28 days"
        lines.append(say(message, hazard=model["hazard"], unchanged=100 * np.exp(-28 * model["hazard"])))
    if "kernel_quartiles" in model:
        low, middle, high = model["kernel_quartiles"]
        message = "  a price that changed stands at {low:.2f}, {middle:.2f}, {high:.2f} of the old one (quartiles)"
        lines.append(say(message, low=low, middle=middle, high=high))
    return lines
