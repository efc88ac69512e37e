"""Where a price may be in the next days: stays, goes back to where it has been, or moves as other products do.

Plain arrays in, plain arrays out: how observations came to be is the caller's matter (`stages/prices.py` takes them from a step
function, a benchmark from dated observations). Source of the form and its constants: `docs/models.md`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PriceModel(BaseModel):
    """What the seller's own price history says of products in general; a share is missing where too little was seen.

    `kernel`: 99 quantiles of price(t + u) / price(t), u up to the horizon, given that the price changed. `stay_share_*`: share of the
    horizon spent at today's price, for a product with one observation, with flat averages, with averages that moved. `hazard`: changes
    a day over all products.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kernel: tuple[float, ...] | None = None
    hazard: float | None = None
    stay_share_snapshot: float | None = None
    stay_share_flat: float | None = None
    stay_share_moved: float | None = None
