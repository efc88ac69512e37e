"""Fees of fulfilment by Amazon: the card in force, the size tier of a parcel, the fee by weight and price; exact to the cent.

A card (`configs/fulfilment/`) is data: price bands, size tiers, steps of weight. Limits and upper bounds belong to their tier and step.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.costs.fees import PPM, half_up
from pipeline.errors import PlanError

GRAMS_PER_OUNCE = 28.349523125
MM_PER_INCH = 25.4
OUNCES_PER_POUND = 16
_HAIR = 1e-6  # ounces and inches: what metric figures may miss a limit by without being above it


@dataclass(frozen=True)
class Tier:
    """One size tier: what fits (inches, ounces; None: any), which weight counts, and fees in minor units by price band."""

    key: str
    sides_in: tuple[float, float, float] | None
    girth_in: float | None
    weight_oz: float | None
    weight_over_oz: float
    by_unit_weight: bool
    least_side_in: float
    steps_oz: tuple[float, ...]
    step_fees: tuple[tuple[int, ...], ...]
    beyond: tuple[tuple[int, ...], float, float, int] | None  # fees, over so many ounces, for each so many, so much more


@dataclass(frozen=True)
class FbaCard:
    """A marketplace's card between two dates, both included; `surcharge_ppm` and `note` are those of one day (`on`)."""

    id: str
    marketplace: str
    valid_from: dt.date
    valid_to: dt.date | None
    bands: tuple[int, ...]
    cubic_inches_per_lb: float
    side_max_in: float
    girth_max_in: float
    peak: tuple[tuple[int, int], tuple[int, int]] | None
    surcharges: tuple[tuple[int, dt.date, dt.date | None], ...]
    tiers: tuple[Tier, ...]
    mark: str
    source: str
    surcharge_ppm: int = 0
    note: str = ""

    def covers(self, day: dt.date) -> bool:
        """Is the card in force on that day?"""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def on(self, day: dt.date) -> FbaCard:
        """The card with the surcharge of that day, and what is not known on it."""
        share = sum(ppm for ppm, first, last in self.surcharges if first <= day and (last is None or day <= last))
        note = ""
        if self.peak is not None:
            first, last = self.peak
            here = (day.month, day.day)
            inside = first <= here <= last if first <= last else here >= first or here <= last
            note = "the peak fee of the season is not known and not counted" if inside else ""
        return replace(self, surcharge_ppm=share, note=note)

    def fee(self, price: np.ndarray, weight_g: np.ndarray, sides_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fulfilment fee with surcharge of n parcels, and the number of their tier.

        Parameters
        ----------
        price : int64 (n), minor units
        weight_g : float64 (n), NaN where unknown
        sides_mm : float64 (n, 3) in any order, NaN where unknown

        Returns
        -------
        (int64 (n) minor units, int64 (n)); the tier is -1 and the fee 0 where weight or size is unknown or the card has no fee.
        """
        ounces = weight_g / GRAMS_PER_OUNCE
        sides = -np.sort(-sides_mm / MM_PER_INCH, axis=1)
        girth = sides[:, 0] + 2 * (sides[:, 1] + sides[:, 2])
        fee, tier = np.zeros(len(price), dtype=np.int64), np.full(len(price), -1, dtype=np.int64)
        with np.errstate(invalid="ignore"):
            open_rows = (sides[:, 0] <= self.side_max_in + _HAIR) & (girth <= self.girth_max_in + _HAIR) & (ounces > 0)
        band = np.searchsorted(np.array(self.bands), price, side="left")
        for number, kind in enumerate(self.tiers):
            rows = np.flatnonzero(open_rows)
            charged = self._charged(kind, ounces[rows], sides[rows])
            fits = _fits(kind, charged, sides[rows], girth[rows])
            rows, charged = rows[fits], charged[fits]
            fee[rows], tier[rows] = _fee_by_weight(kind, charged, band[rows]), number
            open_rows[rows] = False
        return fee + half_up(fee * self.surcharge_ppm, PPM), tier

    def _charged(self, kind: Tier, ounces: np.ndarray, sides: np.ndarray) -> np.ndarray:
        if kind.by_unit_weight:
            return ounces
        across = np.maximum(sides[:, 1:], kind.least_side_in)
        volume = sides[:, 0] * across[:, 0] * across[:, 1]
        return np.maximum(ounces, volume / self.cubic_inches_per_lb * OUNCES_PER_POUND)


def _fits(kind: Tier, ounces: np.ndarray, sides: np.ndarray, girth: np.ndarray) -> np.ndarray:
    fits = ounces > kind.weight_over_oz + _HAIR
    if kind.weight_oz is not None:
        fits &= ounces <= kind.weight_oz + _HAIR
    if kind.girth_in is not None:
        fits &= girth <= kind.girth_in + _HAIR
    if kind.sides_in is not None:
        fits &= (sides <= np.array(kind.sides_in) + _HAIR).all(axis=1)
    return fits


def _fee_by_weight(kind: Tier, ounces: np.ndarray, band: np.ndarray) -> np.ndarray:
    fee = np.zeros(len(ounces), dtype=np.int64)
    if kind.beyond is not None:
        fees, over, each, each_fee = kind.beyond
        more = np.ceil(np.maximum(ounces - over - _HAIR, 0) / each).astype(np.int64)
        fee = np.array(fees, dtype=np.int64)[band] + more * each_fee
    if kind.steps_oz:
        step = np.searchsorted(np.array(kind.steps_oz), ounces - _HAIR, side="left")
        inside = step < len(kind.steps_oz)
        fee[inside] = np.array(kind.step_fees, dtype=np.int64)[step[inside], band[inside]]
    return fee


def cards_in_force(cards: Sequence[FbaCard], day: dt.date) -> dict[str, FbaCard]:
    """The card of each marketplace on a day, with that day's surcharge."""
    return {card.marketplace: card.on(day) for card in cards if card.covers(day)}


# -- reading a card --------------------------------------------------------------------------------------------------------

_CARD_KEYS = {
    "id", "valid_from", "valid_to", "bands", "cubic_inches_per_lb", "side_max_in", "girth_max_in", "peak", "surcharge", "tier", "mark",
    "source",
}  # fmt: skip
_CARD_OPTIONAL = {"valid_to", "peak", "surcharge"}
_TIER_KEYS = {"key", "sides_in", "girth_in", "weight_oz", "weight_over_oz", "weighs", "least_side_in", "steps", "beyond"}


def parse_cards(tables: Mapping[str, Mapping[str, Any]], digits: Mapping[str, int]) -> tuple[FbaCard, ...]:
    """Cards out of the parsed files of `configs/fulfilment/` (file stem -> content).

    Raises
    ------
    PlanError
        Cards of a marketplace overlap in time or leave a gap, steps of weight do not rise, a key is unknown or missing, a fee is not one
        for each price band.
    """
    cards: list[FbaCard] = []
    for stem, table in sorted(tables.items()):
        file = f"configs/fulfilment/{stem}.toml"
        _keys(file, table, {"code", "currency", "card"}, set())
        scale = 10 ** digits[table["currency"]]
        own = sorted((_card(file, table["code"], entry, scale) for entry in table["card"]), key=lambda card: card.valid_from)
        for earlier, later in zip(own, own[1:], strict=False):
            if earlier.valid_to != later.valid_from - dt.timedelta(days=1):
                raise PlanError(
                    f"{file}: cards {earlier.id!r} and {later.id!r} overlap in time or leave a gap; "
                    f"end the first on {later.valid_from - dt.timedelta(days=1)}"
                )
        cards.extend(own)
    return tuple(cards)


def _card(file: str, market: str, entry: Mapping[str, Any], scale: int) -> FbaCard:
    where = f"{file}: card {entry.get('id', '(without id)')!r}"
    _keys(where, entry, _CARD_KEYS, _CARD_OPTIONAL)
    for key in ("valid_from", "valid_to"):
        if key in entry and type(entry[key]) is not dt.date:
            raise PlanError(f"{where}: {key} {entry[key]!r} is no date; write 2026-01-31 without quotes")
    bands = tuple(_cents(f"{where}: bands", bound, scale) for bound in entry["bands"])
    if list(bands) != sorted(set(bands)):
        raise PlanError(f"{where}: the bands {entry['bands']} do not rise; write each upper bound once, lowest first")
    surcharges = []
    for extra in entry.get("surcharge", []):
        _keys(f"{where}: surcharge", extra, {"name", "share", "valid_from", "valid_to", "source"}, {"valid_to"})
        surcharges.append((round(extra["share"] * PPM), extra["valid_from"], extra.get("valid_to")))
    return FbaCard(
        id=entry["id"],
        marketplace=market,
        valid_from=entry["valid_from"],
        valid_to=entry.get("valid_to"),
        bands=bands,
        cubic_inches_per_lb=float(entry["cubic_inches_per_lb"]),
        side_max_in=float(entry["side_max_in"]),
        girth_max_in=float(entry["girth_max_in"]),
        peak=_season(where, entry["peak"]) if "peak" in entry else None,
        surcharges=tuple(surcharges),
        tiers=tuple(_tier(f"{where}: tier", tier, len(bands) + 1, scale) for tier in entry["tier"]),
        mark=entry["mark"],
        source=entry["source"],
    )


def _season(where: str, days: Sequence[str]) -> tuple[tuple[int, int], tuple[int, int]]:
    try:
        first, last = (dt.date.fromisoformat(f"2000-{day}") for day in days)
    except (TypeError, ValueError):
        raise PlanError(f'{where}: peak {days!r} is no pair of days; write ["10-15", "01-14"]') from None
    return (first.month, first.day), (last.month, last.day)


def _tier(where: str, entry: Mapping[str, Any], bands: int, scale: int) -> Tier:
    where = f"{where} {entry.get('key', '(without key)')!r}"
    _keys(where, entry, _TIER_KEYS, _TIER_KEYS - {"key", "weighs"})
    if entry["weighs"] not in ("unit", "larger"):
        raise PlanError(f"{where}: weighs {entry['weighs']!r} is unknown; take unit or larger")

    def fees(amounts: Sequence[float]) -> tuple[int, ...]:
        if len(amounts) != bands:
            raise PlanError(f"{where}: {len(amounts)} fees {list(amounts)}; wanted one for each of {bands} price bands")
        return tuple(_cents(f"{where}: fees", amount, scale) for amount in amounts)

    steps = entry.get("steps", [])
    bounds = tuple(float(step["to_oz"]) for step in steps)
    if list(bounds) != sorted(set(bounds)) or any(bound <= 0 for bound in bounds):
        raise PlanError(f"{where}: the steps {list(bounds)} do not rise; write each weight once, the lightest first")
    beyond = entry.get("beyond")
    most = entry.get("weight_oz")
    if beyond is None and (not bounds or most is None or bounds[-1] < most):
        raise PlanError(f"{where}: no fee up to its weight limit; add a step, or `beyond`")
    if beyond is not None and bounds and beyond["over_oz"] != bounds[-1]:
        raise PlanError(
            f"{where}: steps end at {bounds[-1]:g} oz, `beyond` begins over {beyond['over_oz']:g}; wanted neither gap nor overlap"
        )
    return Tier(
        key=entry["key"],
        sides_in=tuple(sorted((float(side) for side in entry["sides_in"]), reverse=True)) if "sides_in" in entry else None,  # type: ignore[arg-type]
        girth_in=entry.get("girth_in"),
        weight_oz=most,
        weight_over_oz=float(entry.get("weight_over_oz", 0.0)),
        by_unit_weight=entry["weighs"] == "unit",
        least_side_in=float(entry.get("least_side_in", 0.0)),
        steps_oz=bounds,
        step_fees=tuple(fees(step["fees"]) for step in steps),
        beyond=None if beyond is None
        else (fees(beyond["fees"]), float(beyond["over_oz"]), float(beyond["each_oz"]), _cents(where, beyond["each_fee"], scale)),
    )  # fmt: skip


def _cents(where: str, amount: object, scale: int) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < float("inf"):
        raise PlanError(f"{where}: {amount!r} is no amount of money from 0 on")
    return round(amount * scale)


def _keys(where: str, entry: Mapping[str, Any], known: set[str], optional: set[str]) -> None:
    for key in sorted(set(entry) - known):
        raise PlanError(f"{where}: unknown key {key!r}; known: {', '.join(sorted(known))}")
    for key in sorted(known - optional - set(entry)):
        raise PlanError(f"{where}: {key!r} is missing")
