"""Profit of the same order under fulfilment by Amazon (G-41), to compare with dispatch by the supplier.

In place of the label stand the fulfilment fee with its surcharge and the plan's cost of getting one unit into Amazon's warehouse; a return
costs no label of the seller's. Not counted: storage, a peak fee, and the fee on returns above a category's threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.costs.fees import half_up
from pipeline.costs.fulfilment import FbaCard
from pipeline.stages.margin.order_profit import BILLION, Lines, Terms
from pipeline.tables.columns import Columns
from pipeline.tables.frames import flag, real, whole, whole_series, word_series

# The cards hold for neither: what is added for them is not known.
_NOT_ON_THE_CARD = "clothing_accessories"


def fba_order(price: np.ndarray, now: Lines, terms: Terms, fee: np.ndarray) -> np.ndarray:
    """Profit of an order that Amazon sends for `fee` (its warehouse included): n rows, minor units."""
    # Without the seller's return label, the rest of what a return costs is the same.
    no_label = Terms(**{**vars(terms), "return_label": np.zeros_like(terms.return_label)})
    back = np.maximum(price - now.referral + now.refund_fee + no_label.return_fixed, 0)
    spent = now.referral + now.closing + now.advertising + now.payment + terms.plan_fee + terms.landed + fee
    return price - spent - half_up(back * terms.return_ppb, BILLION)


def amazon_fulfilment(
    candidates: Columns, price: np.ndarray, cards: Mapping[str, FbaCard]
) -> tuple[np.ndarray, np.ndarray, dict[str, pd.Series]]:
    """The fulfilment fee of each candidate.

    Parameters
    ----------
    candidates : DataFrame, n rows
        `marketplace`, `fee_category`, `package_weight_g`, `package_length_mm`, `package_width_mm`, `package_height_mm`, `is_hazmat`.
    price : int64 (n), minor units
    cards : mapping of marketplace to the card in force

    Returns
    -------
    (fee in minor units, mask of the known, columns `fba_fee_cents`, `fba_tier`, `fba_card`, `fba_note`)
    """
    market, markets = pd.factorize(candidates["marketplace"])
    weight = real(candidates, "package_weight_g")
    sides = np.column_stack([real(candidates, f"package_{side}_mm") for side in ("length", "width", "height")])
    apparel = candidates["fee_category"].eq(_NOT_ON_THE_CARD).fillna(False).to_numpy(dtype=bool)
    on_card = ~flag(candidates, "is_hazmat")[0] & ~apparel & (price > 0)
    fee, known = np.zeros(len(price), dtype=np.int64), np.zeros(len(price), dtype=bool)
    words: dict[str, list[str | None]] = {"fba_tier": [None], "fba_card": [None], "fba_note": [None]}
    code = np.zeros(len(price), dtype=np.int64)  # place in the words: 0 is nothing known
    for place, name in enumerate(markets):
        card = cards.get(name)
        if card is None:
            continue
        rows = np.flatnonzero((market == place) & on_card)
        fee[rows], tier = card.fee(price[rows], weight[rows], sides[rows])
        code[rows] = np.where(tier >= 0, len(words["fba_tier"]) + tier, 0)
        known[rows] = tier >= 0
        words["fba_tier"] += [kind.key for kind in card.tiers]
        words["fba_card"] += [card.id] * len(card.tiers)
        words["fba_note"] += [card.note] * len(card.tiers)
    return (
        fee,
        known,
        {"fba_fee_cents": whole_series(fee, known), **{name: word_series(reported, code) for name, reported in words.items()}},
    )


def advice(candidates: Columns, fba_net: np.ndarray, known: np.ndarray, least: np.ndarray, units_month: int) -> pd.Series:
    """`fba` where own sales are above so many units a month, unless Amazon's fulfilment is known to leave less than the least profit."""
    sells = whole(candidates, "own_monthly_units")[0] > units_month
    return word_series(["merchant", "fba"], (sells & ~(known & (fba_net < least))).astype(np.int64))
