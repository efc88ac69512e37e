"""What the dumps' price histories say of products in general, as a model for the forecast of those that have little history."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.frames import to_frame
from pipeline.messages import Words
from pipeline.models import Trained, packed
from pipeline.plan import Plan
from pipeline.spills import product_hash
from pipeline.stages.prices import learn_from_history

KEY = ["marketplace", "product_id"]
_HASH_BITS = 32
PRODUCTS_MAX = 20_000  # a kernel of 99 quantiles needs no more


def sampled_history(table: pa.Table, products: int) -> pa.Table:
    """The prices of about `PRODUCTS_MAX` of this many products, chosen by the hash of their ids."""
    share = min(1.0, PRODUCTS_MAX / max(products, 1))
    return table.filter(pa.array(product_hash(table["product_id"]) < share * 2**_HASH_BITS))


def train_prices(histories: Sequence[pa.Table], as_of: int, plan: Plan) -> Trained | None:
    """Learn from the price histories of dumps, newest first; None when none of its parts can be learnt."""
    told = to_frame(pa.concat_tables(histories)).drop_duplicates([*KEY, "date"], keep="first")
    told = told.assign(row=pd.factorize(pd.MultiIndex.from_frame(told[KEY]), sort=True)[0])
    model = learn_from_history(told, as_of, plan.forecast)
    parts = {name: value for name, value in model.model_dump().items() if value is not None}
    if not parts:
        return None
    kernel = parts.pop("kernel", None)
    card: dict[str, Any] = {
        "data": {
            "products": int(told["row"].nunique()),
            "prices": len(told),
            "to": str(dt.date(1970, 1, 1) + dt.timedelta(days=as_of)),
            "horizon_days": plan.forecast.horizon_days,
        },
        "model": parts | ({"kernel_quartiles": [kernel[24], kernel[49], kernel[74]]} if kernel else {}),
    }
    return Trained("prices", packed("prices", model), card, functools.partial(_lines, card))


def _lines(card: dict[str, Any], say: Words) -> list[str]:
    data, model = card["data"], card["model"]
    told = "price model: {products:,} products, {prices:,} prices up to {day}"
    lines = [say(told, products=data["products"], prices=data["prices"], day=data["to"])]
    if "hazard" in model:
        told = "  prices change at {hazard:.4f} a day: {unchanged:.0f} % unchanged after 28 days"
        lines.append(say(told, hazard=model["hazard"], unchanged=100 * np.exp(-28 * model["hazard"])))
    if "kernel_quartiles" in model:
        low, middle, high = model["kernel_quartiles"]
        told = "  a price that changed stands at {low:.2f}, {middle:.2f}, {high:.2f} of the old one (quartiles)"
        lines.append(say(told, low=low, middle=middle, high=high))
    return lines
